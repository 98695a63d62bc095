/** ConvNeXt: a convolutional network in the proportions of a transformer. */
import { filled, type Tensor, withScope } from '../graph/index.js';
import {
  type Context,
  Conv2d,
  LayerNorm,
  Linear,
  Module,
  Parameter,
  truncatedNormalInit,
} from '../nn/index.js';
import { add, mean, mul, transpose } from '../ops/index.js';
import { ConfigFields, numberedLabels } from './config-fields.js';
import { CONVNEXT_SCHEMES } from './convnext-names.js';
import { defineModel, type ImageConfig, type RawConfig } from './define-model.js';
import { dropPath } from './drop-path.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import { ImageClassifier } from './image-classifier.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import { startFrom } from './start.js';

/** Configuration of ConvNeXt. */
export interface ConvNextConfig extends ImageConfig {
  /** Side of the patches that the stem makes one place of. */
  readonly patchSize: number;
  /** Channels of each stage. */
  readonly hiddenSizes: readonly number[];
  /** Blocks of each stage. */
  readonly depths: readonly number[];
  readonly activation: HiddenAct;
  readonly initializerRange: number;
  /** Of the last norm; those inside have 1e-6. */
  readonly layerNormEpsilon: number;
  /** Start of the factors on each block's branch; 0: there are none. */
  readonly layerScaleInit: number;
  /** Chance to drop the last block's branch in training; it rises linearly from 0. */
  readonly dropPathRate: number;
  /** Side of the pictures trained on, pixels; any other works too. */
  readonly imageSize: number;
}

/** Of all norms but the last. */
const EPSILON = 1e-6;

const toChannelsLast = (x: Tensor) => transpose(x, [0, 2, 3, 1]);
const toChannelsFirst = (x: Tensor) => transpose(x, [0, 3, 1, 2]);

/** Layer norm over the channels of a map [batch, channels, height, width]. */
class ChannelNorm extends LayerNorm {
  override forward(x: Tensor, context?: Context): Tensor {
    return toChannelsFirst(super.forward(toChannelsLast(x), context));
  }
}

class Layer extends Module {
  readonly layer_scale_parameter: Parameter | null;
  readonly dwconv: Conv2d;
  readonly layernorm: LayerNorm;
  readonly pwconv1: Linear;
  readonly pwconv2: Linear;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly dropRate: number;

  constructor(config: ConvNextConfig, size: number, dropRate: number) {
    super();
    const { layerScaleInit } = config;
    this.layer_scale_parameter =
      layerScaleInit > 0
        ? new Parameter([size], (_, shape, dtype) => filled(dtype, shape, layerScaleInit))
        : null;
    this.dwconv = new Conv2d(size, size, 7, { padding: 3, groups: size });
    this.layernorm = new LayerNorm(size, { epsilon: EPSILON });
    this.pwconv1 = new Linear(size, 4 * size);
    this.pwconv2 = new Linear(4 * size, size);
    this.activation = hiddenAct(config.activation);
    this.dropRate = dropRate;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const { layer_scale_parameter: scale } = this;
    let y = this.layernorm.forward(toChannelsLast(this.dwconv.forward(x)));
    y = this.pwconv2.forward(this.activation(this.pwconv1.forward(y)));
    if (scale) y = mul(y, scale.tensor);
    return add(x, dropPath(toChannelsFirst(y), this.dropRate, context));
  }
}

class Stage extends Module {
  readonly downsampling_layer: readonly Module[];
  readonly layers: readonly Layer[];

  constructor(config: ConvNextConfig, index: number, dropRates: readonly number[]) {
    super();
    const size = config.hiddenSizes[index]!;
    const before = config.hiddenSizes[Math.max(0, index - 1)]!;
    this.downsampling_layer =
      index > 0
        ? [
            new ChannelNorm(before, { epsilon: EPSILON }),
            new Conv2d(before, size, 2, { stride: 2 }),
          ]
        : [];
    this.layers = dropRates.map((rate) => new Layer(config, size, rate));
  }

  override forward(x: Tensor, context: Context): Tensor {
    const down = this.downsampling_layer.reduce((y, layer) => layer.forward(y, context), x);
    return this.layers.reduce(
      (y, layer, i) => withScope(`layers.${i}`, () => layer.forward(y, context)),
      down,
    );
  }
}

class Embeddings extends Module {
  readonly patch_embeddings: Conv2d;
  readonly layernorm: ChannelNorm;

  constructor({ channels, hiddenSizes, patchSize }: ConvNextConfig) {
    super();
    const [size] = hiddenSizes;
    this.patch_embeddings = new Conv2d(channels, size!, patchSize, { stride: patchSize });
    this.layernorm = new ChannelNorm(size!, { epsilon: EPSILON });
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.layernorm.forward(this.patch_embeddings.forward(x), context);
  }
}

class Encoder extends Module {
  readonly stages: readonly Stage[];

  constructor(config: ConvNextConfig) {
    super();
    const { depths, dropPathRate } = config;
    const blocks = depths.reduce((a, b) => a + b);
    let block = 0;
    this.stages = depths.map((depth, i) => {
      const rate = () => (dropPathRate * block++) / Math.max(1, blocks - 1);
      return new Stage(config, i, Array.from({ length: depth }, rate));
    });
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.stages.reduce(
      (y, stage, i) => withScope(`stages.${i}`, () => stage.forward(y, context)),
      x,
    );
  }
}

class ConvNext extends Module {
  readonly embeddings: Embeddings;
  readonly encoder: Encoder;
  readonly layernorm: LayerNorm;

  constructor(config: ConvNextConfig) {
    super();
    this.embeddings = new Embeddings(config);
    this.encoder = new Encoder(config);
    this.layernorm = new LayerNorm(config.hiddenSizes.at(-1)!, {
      epsilon: config.layerNormEpsilon,
    });
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.encoder.forward(this.embeddings.forward(x, context), context);
  }
}

/** ConvNeXt with a linear layer on the normalised mean of the last map. */
class ConvNextClassifier extends ImageClassifier {
  readonly convnext: ConvNext;
  classifier: Linear;
  private readonly config: ConvNextConfig;

  constructor(config: ConvNextConfig) {
    super();
    this.convnext = new ConvNext(config);
    this.config = config;
    const init = truncatedNormalInit(config.initializerRange);
    startFrom(this.convnext, { conv: init, linear: init });
    this.classifier = this.newHead(config.labels.length);
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.convnext.forward(x, context);
  }

  override pool(features: Tensor, context: Context): Tensor {
    return this.convnext.layernorm.forward(mean(features, { axes: [2, 3] }), context);
  }

  override classify(pooled: Tensor): Tensor {
    return this.classifier.forward(pooled);
  }

  override replaceHead(classes: number): void {
    this.classifier = this.newHead(classes);
  }

  override layerGroups(): readonly string[] {
    const blocks = this.convnext.encoder.stages.flatMap((stage, s) => {
      const path = `convnext.encoder.stages.${s}`;
      return [
        ...(stage.downsampling_layer.length > 0 ? [`${path}.downsampling_layer`] : []),
        ...stage.layers.map((_, i) => `${path}.layers.${i}`),
      ];
    });
    return ['convnext.embeddings', ...blocks, 'convnext.layernorm', 'classifier'];
  }

  private newHead(classes: number): Linear {
    const head = new Linear(this.config.hiddenSizes.at(-1)!, classes);
    startFrom(head, { linear: truncatedNormalInit(this.config.initializerRange) });
    return head;
  }
}

function parse(raw: RawConfig): ConvNextConfig {
  const fields = new ConfigFields('convnext', raw);
  const hiddenSizes = fields.integers('hidden_sizes', [96, 192, 384, 768]);
  const depths = fields.integers('depths', [3, 3, 9, 3], { length: hiddenSizes.length, max: 256 });
  return {
    ...fields.image(),
    patchSize: fields.integer('patch_size', 4, { max: 1024 }),
    hiddenSizes,
    depths,
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'gelu'),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    layerNormEpsilon: fields.number('layer_norm_eps', 1e-12, { min: 0 }),
    layerScaleInit: fields.number('layer_scale_init_value', 1e-6, { min: 0 }),
    dropPathRate: fields.number('drop_path_rate', 0, { min: 0, max: 1 }),
    imageSize: fields.integer('image_size', 224, { max: 1 << 14 }),
  };
}

/** Below 384 pixels an eighth is cut off; from there on pictures are squashed. */
function preprocess({ imageSize }: ConvNextConfig): ImagePreprocess {
  const { shortSide: _, ...rest } = IMAGENET_PREPROCESS;
  const size = { height: imageSize, width: imageSize, resample: 'bicubic' } as const;
  if (imageSize >= 384) return { ...rest, ...size, fit: 'squash' };
  return { ...rest, ...size, shortSide: Math.floor(imageSize / 0.875) };
}

const LABELS = numberedLabels(1000);

function variant(
  hiddenSizes: readonly number[],
  depths: readonly number[],
  processing: Partial<ImagePreprocess> = {},
) {
  const config: ConvNextConfig = {
    labels: LABELS,
    channels: 3,
    patchSize: 4,
    hiddenSizes,
    depths,
    activation: 'gelu',
    initializerRange: 0.02,
    layerNormEpsilon: EPSILON,
    layerScaleInit: 1e-6,
    dropPathRate: 0,
    imageSize: 224,
  };
  return { config, preprocess: { ...preprocess(config), ...processing } };
}

const SMALL = [3, 3, 9, 3];
const LARGE = [3, 3, 27, 3];

export default defineModel<ConvNextConfig>({
  modelType: 'convnext',
  architecture: 'ConvNextForImageClassification',
  processor: 'ConvNextImageProcessor',
  parse,
  write: (config) => ({
    patch_size: config.patchSize,
    num_stages: config.hiddenSizes.length,
    hidden_sizes: config.hiddenSizes,
    depths: config.depths,
    hidden_act: config.activation,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEpsilon,
    layer_scale_init_value: config.layerScaleInit,
    drop_path_rate: config.dropPathRate,
    image_size: config.imageSize,
  }),
  build: (config) => new ConvNextClassifier(config),
  preprocess,
  schemes: CONVNEXT_SCHEMES,
  roles: {
    head: /^classifier\./,
    norm: /\.layernorm\.|\.downsampling_layer\.0\./,
    stem: /^convnext\.embeddings\./,
    mlp: /\.pwconv[12]\./,
  },
  variants: {
    convnext_tiny: variant([96, 192, 384, 768], SMALL),
    convnext_small: variant([96, 192, 384, 768], LARGE),
    convnext_base: variant([128, 256, 512, 1024], LARGE),
    convnext_large: variant([192, 384, 768, 1536], LARGE),
  },
  source: {
    paper: 'https://arxiv.org/abs/2201.03545',
    code: 'https://github.com/facebookresearch/ConvNeXt',
  },
});
