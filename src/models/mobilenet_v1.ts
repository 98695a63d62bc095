/** MobileNet V1: depthwise and pointwise convolutions in turn. */
import { type Tensor, withScope } from '../graph/index.js';
import { type Context, Dropout, kaimingNormal, Linear, Module, normalInit } from '../nn/index.js';
import { globalAvgPool, reshape } from '../ops/index.js';
import { ConfigFields, numberedLabels } from './config-fields.js';
import { ConvNorm, type ConvNormOptions } from './conv-norm.js';
import {
  defineModel,
  type ImageConfig,
  type NamingScheme,
  type RawConfig,
} from './define-model.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import { ImageClassifier } from './image-classifier.js';
import { dropoutOf } from './mobilenet-dropout.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import { startFrom } from './start.js';

/** Configuration of a MobileNet V1. */
export interface MobileNetV1Config extends ImageConfig {
  /** Side of the pictures trained on, pixels; any other works too. */
  readonly imageSize: number;
  /** Factor on all numbers of channels. */
  readonly depthMultiplier: number;
  /** Least number of channels. */
  readonly minDepth: number;
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
   * Of the batch norms: weight of the newest batch. A field of our own, 0.1 by default: transformers
   * passes TensorFlow's weight of the past, 0.9997, with which running statistics are the last
   * batch's.
   */
  readonly momentum: number;
}

const STRIDES = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1];
/** Depthwise blocks of each of timm's stages. */
const TIMM_DEPTHS = [1, 2, 2, 6, 2];

class MobileNetV1Model extends Module {
  readonly conv_stem: ConvNorm;
  readonly layer: readonly ConvNorm[];
  readonly width: number;

  constructor(config: MobileNetV1Config) {
    super();
    const { depthMultiplier, minDepth, channels, tfPadding, epsilon, momentum } = config;
    const activation = hiddenAct(config.activation);
    const scaled = (depth: number) => Math.max(Math.trunc(depth * depthMultiplier), minDepth);
    const conv = (from: number, to: number, options: ConvNormOptions) =>
      new ConvNorm(from, to, {
        activation,
        epsilon,
        momentum,
        ...(tfPadding ? { padding: 'same' } : {}),
        ...options,
      });
    let depth = 32;
    let out = scaled(depth);
    this.conv_stem = conv(channels, out, { kernel: 3, stride: 2 });
    this.layer = STRIDES.flatMap((stride, i) => {
      const from = out;
      if (stride === 2 || i === 0) {
        depth *= 2;
        out = scaled(depth);
      }
      return [
        conv(from, from, { kernel: 3, stride, groups: from }),
        conv(from, out, { kernel: 1 }),
      ];
    });
    this.width = out;
  }

  override forward(x: Tensor, context: Context): Tensor {
    return [this.conv_stem, ...this.layer].reduce(
      (y, layer, i) =>
        withScope(i === 0 ? 'stem' : `layer${i - 1}`, () => layer.forward(y, context)),
      x,
    );
  }
}

class MobileNetV1 extends ImageClassifier {
  readonly mobilenet_v1: MobileNetV1Model;
  classifier: Linear;
  private readonly dropout: Dropout;
  private readonly initializerRange: number;

  constructor(config: MobileNetV1Config) {
    super();
    this.mobilenet_v1 = new MobileNetV1Model(config);
    this.initializerRange = config.initializerRange;
    this.dropout = new Dropout(dropoutOf(config.dropout));
    this.classifier = this.head(config.labels.length);
    startFrom(this.mobilenet_v1, { conv: kaimingNormal() });
  }

  private head(classes: number): Linear {
    const head = new Linear(this.mobilenet_v1.width, classes);
    startFrom(head, { linear: normalInit(this.initializerRange) });
    return head;
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.mobilenet_v1.forward(x, context);
  }

  override pool(features: Tensor): Tensor {
    return reshape(globalAvgPool(features), [features.shape[0]!, this.mobilenet_v1.width]);
  }

  override classify(pooled: Tensor, context: Context): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled, context), context);
  }

  override replaceHead(classes: number): void {
    this.classifier = this.head(classes);
  }

  override layerGroups(): readonly string[] {
    const layers = this.mobilenet_v1.layer.map((_, i) => `mobilenet_v1.layer.${i}`);
    return ['mobilenet_v1.conv_stem', ...layers, 'classifier'];
  }
}

function parse(raw: RawConfig): MobileNetV1Config {
  const fields = new ConfigFields('mobilenet_v1', raw);
  return {
    ...fields.image(),
    imageSize: fields.integer('image_size', 224, { max: 8192 }),
    depthMultiplier: fields.number('depth_multiplier', 1, { min: 1e-3, max: 100 }),
    minDepth: fields.integer('min_depth', 8),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'relu6'),
    tfPadding: fields.flag('tf_padding', true),
    dropout: fields.number('classifier_dropout_prob', 0.999, { min: 0, max: 1 }),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    epsilon: fields.number('layer_norm_eps', 0.001, { min: 0 }),
    momentum: fields.number('batch_norm_momentum', 0.1, { min: 0, max: 1 }),
  };
}

function preprocess({ imageSize, channels }: MobileNetV1Config): ImagePreprocess {
  return {
    ...IMAGENET_PREPROCESS,
    height: imageSize,
    width: imageSize,
    shortSide: Math.round((imageSize * 256) / 224),
    mean: new Array<number>(channels).fill(0.5),
    deviation: new Array<number>(channels).fill(0.5),
  };
}

/** timm counts blocks within stages of equal width. */
const TIMM: NamingScheme = {
  rules: [
    { theirs: 'conv_stem.{*}', ours: 'mobilenet_v1.conv_stem.convolution.{*}' },
    { theirs: 'bn1.{*}', ours: 'mobilenet_v1.conv_stem.normalization.{*}' },
    ...TIMM_DEPTHS.flatMap((depth, s) =>
      Array.from({ length: depth }, (_, b) => {
        const at = 2 * (TIMM_DEPTHS.slice(0, s).reduce((n, d) => n + d, 0) + b);
        const [deep, point] = [`mobilenet_v1.layer.${at}`, `mobilenet_v1.layer.${at + 1}`];
        return [
          { theirs: `blocks.${s}.${b}.conv_dw.{*}`, ours: `${deep}.convolution.{*}` },
          { theirs: `blocks.${s}.${b}.bn1.{*}`, ours: `${deep}.normalization.{*}` },
          { theirs: `blocks.${s}.${b}.conv_pw.{*}`, ours: `${point}.convolution.{*}` },
          { theirs: `blocks.${s}.${b}.bn2.{*}`, ours: `${point}.normalization.{*}` },
        ];
      }).flat(),
    ),
    { theirs: 'classifier.{*}', ours: 'classifier.{*}' },
  ],
};

const timm: MobileNetV1Config = {
  labels: numberedLabels(1000),
  channels: 3,
  imageSize: 224,
  depthMultiplier: 1,
  minDepth: 8,
  activation: 'relu6',
  tfPadding: false,
  dropout: 0,
  initializerRange: 0.02,
  epsilon: 1e-5,
  momentum: 0.1,
};

/** timm's evaluation, with the margin of the published recipe. */
const timmPreprocess = (shortSide: number): ImagePreprocess => ({
  ...preprocess(timm),
  resample: 'bicubic',
  shortSide,
});

export default defineModel<MobileNetV1Config>({
  modelType: 'mobilenet_v1',
  architecture: 'MobileNetV1ForImageClassification',
  processor: 'MobileNetV1ImageProcessor',
  parse,
  write: (config) => ({
    image_size: config.imageSize,
    depth_multiplier: config.depthMultiplier,
    min_depth: config.minDepth,
    hidden_act: config.activation,
    tf_padding: config.tfPadding,
    classifier_dropout_prob: config.dropout,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.epsilon,
    batch_norm_momentum: config.momentum,
  }),
  build: (config) => new MobileNetV1(config),
  preprocess,
  schemes: { timm: TIMM },
  roles: {
    head: /^classifier\./,
    norm: /\.normalization\./,
    stem: /^mobilenet_v1\.conv_stem\./,
  },
  variants: {
    mobilenetv1_100: { config: timm, preprocess: timmPreprocess(256) },
    mobilenetv1_125: {
      config: { ...timm, depthMultiplier: 1.25 },
      preprocess: timmPreprocess(248),
    },
  },
  source: {
    paper: 'https://arxiv.org/abs/1704.04861',
    code: 'https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet_v1.py',
  },
});
