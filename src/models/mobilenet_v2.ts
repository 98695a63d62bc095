/** MobileNet V2: inverted residuals, whose wide middle is a depthwise convolution. */
import { type Tensor, withScope } from '../graph/index.js';
import { type Context, Dropout, kaimingNormal, Linear, Module, normalInit } from '../nn/index.js';
import { add, globalAvgPool, reshape } from '../ops/index.js';
import { ConfigFields } from './config-fields.js';
import { ConvNorm, type ConvNormOptions } from './conv-norm.js';
import { defineModel, type ImageConfig, type RawConfig } from './define-model.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import { ImageClassifier } from './image-classifier.js';
import { dropoutOf } from './mobilenet-dropout.js';
import { MOBILENET_V2_NAMES, MOBILENETS_V2 } from './mobilenet-v2-published.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import { startFrom } from './start.js';

/** Configuration of a MobileNet V2. */
export interface MobileNetV2Config extends ImageConfig {
  /** Side of the pictures trained on, pixels; any other works too. */
  readonly imageSize: number;
  /** Factor on all numbers of channels, which stay multiples of `divisor` and at least `minDepth`. */
  readonly depthMultiplier: number;
  readonly divisor: number;
  readonly minDepth: number;
  /** How much wider the middle of a block is. */
  readonly expandRatio: number;
  /** How much smaller the last map is than the picture; below 32 later blocks dilate instead. */
  readonly outputStride: 8 | 16 | 32;
  /** The stem's convolution is also the expansion of the first block. */
  readonly firstLayerIsExpansion: boolean;
  /** The last convolution keeps 1280 channels where the multiplier is below 1. */
  readonly finegrainedOutput: boolean;
  readonly activation: HiddenAct;
  /** Padding as TensorFlow's SAME: the odd row or column lies below and to the right. */
  readonly tfPadding: boolean;
  /** As written in `config.json`; see `dropoutOf`. */
  readonly dropout: number;
  /** Deviation of a new head's weights. */
  readonly initializerRange: number;
  /** Of the batch norms, whatever Hugging Face's field is called. */
  readonly epsilon: number;
  /**
   * Of the batch norms: weight of the newest batch. A field of our own, 0.1 (torchvision's) by
   * default: transformers passes TensorFlow's weight of the past, 0.997, with which running
   * statistics are the last batch's.
   */
  readonly momentum: number;
}

const CHANNELS = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const STRIDES = [2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];

/** Python's rounding, halves to even: the widths of published models were made with it. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** Channels, scaled and made divisible, never more than 10 % below the scaled number. */
function widthOf(
  { divisor, minDepth }: MobileNetV2Config,
  channels: number,
  factor: number,
): number {
  const scaled = roundHalfEven(channels * factor);
  const near = Math.max(minDepth, Math.floor(Math.trunc(scaled + divisor / 2) / divisor) * divisor);
  return near < 0.9 * scaled ? near + divisor : near;
}

type MakeConv = (from: number, to: number, options: ConvNormOptions) => ConvNorm;

function convOf(config: MobileNetV2Config): MakeConv {
  const { tfPadding, epsilon, momentum } = config;
  const activation = hiddenAct(config.activation);
  const padding = tfPadding ? ({ padding: 'same' } as const) : {};
  return (from, to, options) =>
    new ConvNorm(from, to, { activation, epsilon, momentum, ...padding, ...options });
}

class Stem extends Module {
  readonly first_conv: ConvNorm;
  readonly expand_1x1: ConvNorm | null;
  readonly conv_3x3: ConvNorm;
  readonly reduce_1x1: ConvNorm;

  constructor(config: MobileNetV2Config, conv: MakeConv, to: number) {
    super();
    const wide = widthOf(config, 32, config.depthMultiplier);
    this.first_conv = conv(config.channels, wide, { kernel: 3, stride: 2 });
    this.expand_1x1 = config.firstLayerIsExpansion ? null : conv(wide, wide, { kernel: 1 });
    this.conv_3x3 = conv(wide, wide, { kernel: 3, groups: wide });
    this.reduce_1x1 = conv(wide, to, { kernel: 1, activation: undefined });
  }

  override forward(x: Tensor, context: Context): Tensor {
    const first = this.first_conv.forward(x, context);
    const wide = this.expand_1x1?.forward(first, context) ?? first;
    return this.reduce_1x1.forward(this.conv_3x3.forward(wide, context), context);
  }
}

class InvertedResidual extends Module {
  readonly expand_1x1: ConvNorm;
  readonly conv_3x3: ConvNorm;
  readonly reduce_1x1: ConvNorm;
  private readonly residual: boolean;

  constructor(
    config: MobileNetV2Config,
    conv: MakeConv,
    { from, to, stride, dilation }: { from: number; to: number; stride: number; dilation: number },
  ) {
    super();
    const wide = widthOf(config, from, config.expandRatio);
    this.expand_1x1 = conv(from, wide, { kernel: 1 });
    this.conv_3x3 = conv(wide, wide, { kernel: 3, stride, dilation, groups: wide });
    this.reduce_1x1 = conv(wide, to, { kernel: 1, activation: undefined });
    this.residual = stride === 1 && from === to;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const wide = this.conv_3x3.forward(this.expand_1x1.forward(x, context), context);
    const y = this.reduce_1x1.forward(wide, context);
    return this.residual ? add(x, y) : y;
  }
}

class MobileNetV2Model extends Module {
  readonly conv_stem: Stem;
  readonly layer: readonly InvertedResidual[];
  readonly conv_1x1: ConvNorm;
  readonly width: number;

  constructor(config: MobileNetV2Config) {
    super();
    const { depthMultiplier, outputStride, finegrainedOutput } = config;
    const conv = convOf(config);
    const channels = CHANNELS.map((c) => widthOf(config, c, depthMultiplier));
    this.conv_stem = new Stem(config, conv, channels[0]!);
    let shrunk = 2;
    let dilation = 1;
    this.layer = STRIDES.map((step, i) => {
      const ends = { from: channels[i]!, to: channels[i + 1]! };
      if (shrunk < outputStride) {
        shrunk *= step;
        return new InvertedResidual(config, conv, { ...ends, stride: step, dilation: 1 });
      }
      const block = new InvertedResidual(config, conv, { ...ends, stride: 1, dilation });
      dilation *= step; // From the next block on.
      return block;
    });
    this.width =
      finegrainedOutput && depthMultiplier < 1 ? 1280 : widthOf(config, 1280, depthMultiplier);
    this.conv_1x1 = conv(channels.at(-1)!, this.width, { kernel: 1 });
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = [this.conv_stem, ...this.layer].reduce(
      (z: Tensor, layer, i) =>
        withScope(i === 0 ? 'stem' : `layer${i - 1}`, () => layer.forward(z, context)),
      x,
    );
    return withScope('conv_1x1', () => this.conv_1x1.forward(y, context));
  }
}

class MobileNetV2 extends ImageClassifier {
  readonly mobilenet_v2: MobileNetV2Model;
  classifier: Linear;
  private readonly dropout: Dropout;
  private readonly initializerRange: number;

  constructor(config: MobileNetV2Config) {
    super();
    this.mobilenet_v2 = new MobileNetV2Model(config);
    this.initializerRange = config.initializerRange;
    this.dropout = new Dropout(dropoutOf(config.dropout));
    this.classifier = this.head(config.labels.length);
    startFrom(this.mobilenet_v2, { conv: kaimingNormal() });
  }

  private head(classes: number): Linear {
    const head = new Linear(this.mobilenet_v2.width, classes);
    startFrom(head, { linear: normalInit(this.initializerRange) });
    return head;
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.mobilenet_v2.forward(x, context);
  }

  override pool(features: Tensor): Tensor {
    return reshape(globalAvgPool(features), [features.shape[0]!, this.mobilenet_v2.width]);
  }

  override classify(pooled: Tensor, context: Context): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled, context), context);
  }

  override replaceHead(classes: number): void {
    this.classifier = this.head(classes);
  }

  override layerGroups(): readonly string[] {
    const layers = this.mobilenet_v2.layer.map((_, i) => `mobilenet_v2.layer.${i}`);
    return ['mobilenet_v2.conv_stem', ...layers, 'mobilenet_v2.conv_1x1', 'classifier'];
  }
}

function parse(raw: RawConfig): MobileNetV2Config {
  const fields = new ConfigFields('mobilenet_v2', raw);
  const stride = fields.integer('output_stride', 32);
  if (stride !== 8 && stride !== 16 && stride !== 32) fields.fail('output_stride', '8, 16 or 32');
  return {
    ...fields.image(),
    imageSize: fields.integer('image_size', 224, { max: 8192 }),
    depthMultiplier: fields.number('depth_multiplier', 1, { min: 1e-3, max: 100 }),
    divisor: fields.integer('depth_divisible_by', 8),
    minDepth: fields.integer('min_depth', 8),
    expandRatio: fields.number('expand_ratio', 6, { min: 1e-3, max: 100 }),
    outputStride: stride as 8 | 16 | 32,
    firstLayerIsExpansion: fields.flag('first_layer_is_expansion', true),
    finegrainedOutput: fields.flag('finegrained_output', true),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'relu6'),
    tfPadding: fields.flag('tf_padding', true),
    dropout: fields.number('classifier_dropout_prob', 0.8, { min: 0, max: 1 }),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    epsilon: fields.number('layer_norm_eps', 0.001, { min: 0 }),
    momentum: fields.number('batch_norm_momentum', 0.1, { min: 0, max: 1 }),
  };
}

/** What Google trained on: all values from -1 to 1. */
function preprocess({ imageSize, channels }: MobileNetV2Config): ImagePreprocess {
  return {
    ...IMAGENET_PREPROCESS,
    height: imageSize,
    width: imageSize,
    shortSide: Math.round((imageSize * 256) / 224),
    mean: new Array<number>(channels).fill(0.5),
    deviation: new Array<number>(channels).fill(0.5),
  };
}

export default defineModel<MobileNetV2Config>({
  modelType: 'mobilenet_v2',
  architecture: 'MobileNetV2ForImageClassification',
  processor: 'MobileNetV2ImageProcessor',
  parse,
  write: (config) => ({
    image_size: config.imageSize,
    depth_multiplier: config.depthMultiplier,
    depth_divisible_by: config.divisor,
    min_depth: config.minDepth,
    expand_ratio: config.expandRatio,
    output_stride: config.outputStride,
    first_layer_is_expansion: config.firstLayerIsExpansion,
    finegrained_output: config.finegrainedOutput,
    hidden_act: config.activation,
    tf_padding: config.tfPadding,
    classifier_dropout_prob: config.dropout,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.epsilon,
    batch_norm_momentum: config.momentum,
  }),
  build: (config) => new MobileNetV2(config),
  preprocess,
  schemes: MOBILENET_V2_NAMES,
  roles: {
    head: /^classifier\./,
    norm: /\.normalization\./,
    stem: /^mobilenet_v2\.conv_stem\./,
  },
  variants: MOBILENETS_V2,
  source: {
    paper: 'https://arxiv.org/abs/1801.04381',
    code: 'https://github.com/tensorflow/models/tree/master/research/slim/nets/mobilenet',
  },
});
