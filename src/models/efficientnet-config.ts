/** EfficientNet's configuration, and the blocks that it spells out. */
import { ConfigFields, numberedLabels } from './config-fields.js';
import type { ImageConfig, RawConfig } from './define-model.js';
import { HIDDEN_ACTS, type HiddenAct } from './hidden-act.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';

/** Configuration of EfficientNet. Lists have an entry a stage. */
export interface EfficientNetConfig extends ImageConfig {
  /** Factor of all numbers of channels. */
  readonly widthCoefficient: number;
  /** Factor of all numbers of blocks. */
  readonly depthCoefficient: number;
  /** Numbers of channels are rounded to multiples of this. */
  readonly depthDivisor: number;
  /** Of the depthwise convolutions. */
  readonly kernelSizes: readonly number[];
  readonly inChannels: readonly number[];
  readonly outChannels: readonly number[];
  /** Of a stage's first block; the others have 1. */
  readonly strides: readonly number[];
  readonly blockRepeats: readonly number[];
  readonly expandRatios: readonly number[];
  /** Blocks of stride 2 whose input has an odd side, so that padding is the same on both sides. */
  readonly depthwisePadding: readonly number[];
  /**
   * Padding of the stem: `same` is TensorFlow's for even sides (one after), which is all that
   * transformers has; `symmetric` is torchvision's (one on each side).
   */
  readonly stemPadding: 'same' | 'symmetric';
  /** Channels of the squeezed branch as a share of the block's input. */
  readonly squeezeRatio: number;
  readonly activation: HiddenAct;
  readonly pooling: 'mean' | 'max';
  readonly initializerRange: number;
  readonly batchNormEpsilon: number;
  /** Weight of the old running statistics, as TensorFlow counts. */
  readonly batchNormMomentum: number;
  /** Before the last layer. */
  readonly dropoutRate: number;
  /** Chance to drop the last block's branch in training; it rises linearly from 0. */
  readonly dropConnectRate: number;
  /** Side of the pictures trained on, pixels; any other works too. */
  readonly imageSize: number;
}

/** One block. */
export interface BlockShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly expandRatio: number;
  readonly kernel: number;
  readonly stride: number;
  /** Padding of the depthwise convolution on each axis: before, after. */
  readonly padding: readonly [number, number];
  readonly squeezed: number;
  readonly residual: boolean;
  readonly dropRate: number;
}

/** A number of channels, scaled and rounded, but never down by more than a tenth. */
export function scaledChannels(config: EfficientNetConfig, channels: number): number {
  const { depthDivisor: divisor } = config;
  const scaled = channels * config.widthCoefficient;
  const rounded = Math.max(divisor, Math.floor((scaled + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * scaled ? rounded + divisor : rounded;
}

/** Channels of the stem. */
export const stemChannels = (config: EfficientNetConfig) => scaledChannels(config, 32);

/** Channels of the last map. */
export const topChannels = (config: EfficientNetConfig) => scaledChannels(config, 1280);

const repeatsOf = ({ blockRepeats, depthCoefficient }: EfficientNetConfig) =>
  blockRepeats.map((n) => Math.ceil(depthCoefficient * n));

/** All blocks from the stem to the top. */
export function blocksOf(config: EfficientNetConfig): BlockShape[] {
  const repeats = repeatsOf(config);
  const count = repeats.reduce((a, b) => a + b);
  const blocks: BlockShape[] = [];
  for (const [stage, repeat] of repeats.entries()) {
    const outChannels = scaledChannels(config, config.outChannels[stage]!);
    const kernel = config.kernelSizes[stage]!;
    for (let i = 0; i < repeat; i++) {
      const inChannels = i > 0 ? outChannels : scaledChannels(config, config.inChannels[stage]!);
      const stride = i > 0 ? 1 : config.strides[stage]!;
      const half = (kernel - 1) / 2;
      // TensorFlow pads an even side by one less, before the first element.
      const even = stride === 2 && !config.depthwisePadding.includes(blocks.length);
      blocks.push({
        inChannels,
        outChannels,
        expandRatio: config.expandRatios[stage]!,
        kernel,
        stride,
        padding: [even ? half - 1 : half, half],
        squeezed: Math.max(1, Math.floor(inChannels * config.squeezeRatio)),
        residual: i > 0,
        dropRate: (config.dropConnectRate * blocks.length) / count,
      });
    }
  }
  return blocks;
}

const SHARE = { min: 0, max: 1 };
/** Larger than any published model in each of its directions. */
const MAX_COEFFICIENT = 64;

/** Reads `config.json`. @throws ConfigError naming what does not fit */
export function parseEfficientNet(raw: RawConfig): EfficientNetConfig {
  const fields = new ConfigFields('efficientnet', raw);
  const outChannels = fields.integers('out_channels', BASE.outChannels);
  const { length } = outChannels;
  const scale = (field: string, fallback: number) =>
    fields.number(field, fallback, { min: 1 / MAX_COEFFICIENT, max: MAX_COEFFICIENT });
  const kernelSizes = fields.integers('kernel_sizes', BASE.kernelSizes, {
    length,
    min: 3,
    max: 31,
  });
  if (kernelSizes.some((k) => k % 2 === 0)) fields.fail('kernel_sizes', 'a list of odd numbers');
  const padding = raw.depthwise_padding;
  const none = Array.isArray(padding) && padding.length === 0;
  const config: EfficientNetConfig = {
    ...fields.image(),
    widthCoefficient: scale('width_coefficient', 2),
    depthCoefficient: scale('depth_coefficient', 3.1),
    depthDivisor: fields.integer('depth_divisor', 8),
    kernelSizes,
    inChannels: fields.integers('in_channels', BASE.inChannels, { length }),
    outChannels,
    strides: fields.integers('strides', BASE.strides, { length, max: 2 }),
    blockRepeats: fields.integers('num_block_repeats', BASE.blockRepeats, { length, max: 64 }),
    expandRatios: fields.integers('expand_ratios', BASE.expandRatios, { length, max: 64 }),
    depthwisePadding:
      none || !fields.has('depthwise_padding')
        ? []
        : fields.integers('depthwise_padding', [], { min: 0 }),
    stemPadding: fields.choice('stem_padding', ['same', 'symmetric'], 'same'),
    squeezeRatio: fields.number('squeeze_expansion_ratio', 0.25, SHARE),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'swish'),
    pooling: fields.choice('pooling_type', ['mean', 'max'], 'mean'),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    batchNormEpsilon: fields.number('batch_norm_eps', 1e-3, { min: 0 }),
    batchNormMomentum: fields.number('batch_norm_momentum', 0.99, SHARE),
    dropoutRate: fields.number('dropout_rate', 0.5, SHARE),
    dropConnectRate: fields.number('drop_connect_rate', 0.2, SHARE),
    imageSize: fields.integer('image_size', 600, { max: 1 << 14 }),
  };
  const top = topChannels(config);
  if (fields.integer('hidden_dim', 2560) !== top) {
    fields.fail('hidden_dim', `${top}, which is 1280 scaled by width_coefficient`);
  }
  return config;
}

/** The inverse of {@link parseEfficientNet}. */
export function writeEfficientNet(config: EfficientNetConfig): RawConfig {
  return {
    width_coefficient: config.widthCoefficient,
    depth_coefficient: config.depthCoefficient,
    depth_divisor: config.depthDivisor,
    kernel_sizes: config.kernelSizes,
    in_channels: config.inChannels,
    out_channels: config.outChannels,
    depthwise_padding: config.depthwisePadding,
    strides: config.strides,
    num_block_repeats: config.blockRepeats,
    expand_ratios: config.expandRatios,
    squeeze_expansion_ratio: config.squeezeRatio,
    hidden_act: config.activation,
    hidden_dim: topChannels(config),
    pooling_type: config.pooling,
    initializer_range: config.initializerRange,
    batch_norm_eps: config.batchNormEpsilon,
    batch_norm_momentum: config.batchNormMomentum,
    dropout_rate: config.dropoutRate,
    drop_connect_rate: config.dropConnectRate,
    image_size: config.imageSize,
    // transformers knows no such padding and would build another network.
    ...(config.stemPadding === 'symmetric'
      ? { stem_padding: 'symmetric', architectures: null }
      : {}),
  };
}

/** B0, of which the others are scaled. */
export const BASE: EfficientNetConfig = {
  labels: numberedLabels(1000),
  channels: 3,
  widthCoefficient: 1,
  depthCoefficient: 1,
  depthDivisor: 8,
  kernelSizes: [3, 3, 5, 3, 5, 5, 3],
  inChannels: [32, 16, 24, 40, 80, 112, 192],
  outChannels: [16, 24, 40, 80, 112, 192, 320],
  strides: [1, 2, 2, 2, 1, 2, 1],
  blockRepeats: [1, 2, 2, 3, 3, 4, 1],
  expandRatios: [1, 6, 6, 6, 6, 6, 6],
  depthwisePadding: [],
  stemPadding: 'same',
  squeezeRatio: 0.25,
  activation: 'swish',
  pooling: 'mean',
  initializerRange: 0.02,
  batchNormEpsilon: 1e-3,
  batchNormMomentum: 0.99,
  dropoutRate: 0.2,
  dropConnectRate: 0.2,
  imageSize: 224,
};

/** Squashed to the trained size, ImageNet's mean and deviation. */
export function preprocessEfficientNet({ imageSize }: EfficientNetConfig): ImagePreprocess {
  const { shortSide: _, ...rest } = IMAGENET_PREPROCESS;
  return { ...rest, height: imageSize, width: imageSize, fit: 'squash', resample: 'bicubic' };
}

/** Width, depth, pixels, dropout, and blocks with an odd input side at that size: B0 to B7. */
const SCALES = [
  [1, 1, 224, 0.2, []],
  [1, 1.1, 240, 0.2, [16]],
  [1.1, 1.2, 260, 0.3, [5, 8, 16]],
  [1.2, 1.4, 300, 0.3, [5, 18]],
  [1.4, 1.8, 380, 0.4, [6]],
  [1.6, 2.2, 456, 0.4, [13, 27]],
  [1.8, 2.6, 528, 0.5, [31]],
  [2, 3.1, 600, 0.5, [18]],
] as const;

/** The published configurations, as Google trained them: B0 to B7. */
export const PUBLISHED: readonly EfficientNetConfig[] = SCALES.map(
  ([widthCoefficient, depthCoefficient, imageSize, dropoutRate, depthwisePadding]) => ({
    ...BASE,
    widthCoefficient,
    depthCoefficient,
    imageSize,
    dropoutRate,
    depthwisePadding,
  }),
);
