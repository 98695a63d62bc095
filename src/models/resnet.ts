/** ResNet v1.5, with basic and bottleneck blocks, and the -D variants of the "bag of tricks". */
import { type Tensor, withScope } from '../graph/index.js';
import { type Context, kaimingNormal, Lambda, Linear, Module, Sequential } from '../nn/index.js';
import { add, avgPool2d, globalAvgPool, maxPool2d, reshape } from '../ops/index.js';
import { ConfigFields } from './config-fields.js';
import { ConvNorm } from './conv-norm.js';
import { defineModel, type ImageConfig, type RawConfig } from './define-model.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import { ImageClassifier } from './image-classifier.js';
import { forChannels, IMAGENET_PREPROCESS } from './preprocess.js';
import { RESNET_NAMES, RESNETS } from './resnet-published.js';
import { startFrom } from './start.js';

/** Configuration of a ResNet. */
export interface ResNetConfig extends ImageConfig {
  /** Channels that the stem gives. */
  readonly embeddingSize: number;
  /** Channels that each stage gives. */
  readonly hiddenSizes: readonly number[];
  /** Blocks of each stage. */
  readonly depths: readonly number[];
  readonly layerType: 'basic' | 'bottleneck';
  readonly activation: HiddenAct;
  /** The first stage halves the map too. */
  readonly downsampleInFirstStage: boolean;
  /** The first 1x1 convolution of a bottleneck strides (v1) instead of the 3x3 one (v1.5). */
  readonly downsampleInBottleneck: boolean;
  /** Three 3x3 convolutions instead of one of 7x7 (timm's `stem_type: 'deep'`); not in transformers. */
  readonly deepStem: boolean;
  /** Shortcuts that shrink average first (timm's `avg_down`); not in transformers. */
  readonly averageDown: boolean;
}

type Activation = (x: Tensor) => Tensor;

const inTurn = (layers: readonly Module[], x: Tensor, context: Context): Tensor =>
  layers.reduce((y, layer) => layer.forward(y, context), x);

class Embeddings extends Module {
  readonly embedder: ConvNorm | readonly ConvNorm[];

  constructor({ channels, embeddingSize, deepStem }: ResNetConfig, activation: Activation) {
    super();
    const width = Math.floor(embeddingSize / 2);
    const conv = (from: number, to: number, stride: number, kernel: number) =>
      new ConvNorm(from, to, { kernel, stride, activation });
    this.embedder = deepStem
      ? [conv(channels, width, 2, 3), conv(width, width, 1, 3), conv(width, embeddingSize, 1, 3)]
      : conv(channels, embeddingSize, 2, 7);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = withScope('embedder', () => inTurn([this.embedder].flat(), x, context));
    return maxPool2d(y, 3, { stride: 2, padding: 1 });
  }
}

class Block extends Module {
  readonly shortcut: ConvNorm | null;
  readonly layer: readonly ConvNorm[];
  private readonly activation: Activation;
  /** Step of the average before the shortcut; 1: there is none. */
  private readonly average: number;

  constructor(config: ResNetConfig, from: number, to: number, stride: number, act: Activation) {
    super();
    const { layerType, downsampleInBottleneck, averageDown } = config;
    this.average = averageDown ? stride : 1;
    this.shortcut =
      from !== to || stride !== 1
        ? new ConvNorm(from, to, { kernel: 1, stride: averageDown ? 1 : stride })
        : null;
    if (layerType === 'basic') {
      this.layer = [
        new ConvNorm(from, to, { kernel: 3, stride, activation: act }),
        new ConvNorm(to, to, { kernel: 3 }),
      ];
    } else {
      const inner = Math.floor(to / 4);
      const [first, second] = downsampleInBottleneck ? [stride, 1] : [1, stride];
      this.layer = [
        new ConvNorm(from, inner, { kernel: 1, stride: first, activation: act }),
        new ConvNorm(inner, inner, { kernel: 3, stride: second, activation: act }),
        new ConvNorm(inner, to, { kernel: 1 }),
      ];
    }
    this.activation = act;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = inTurn(this.layer, x, context);
    const shrunk =
      this.average > 1
        ? avgPool2d(x, 2, { stride: this.average, ceilMode: true, countIncludePad: false })
        : x;
    const residual = this.shortcut ? this.shortcut.forward(shrunk, context) : x;
    return this.activation(add(y, residual));
  }
}

class Stage extends Module {
  readonly layers: readonly Block[];

  constructor(layers: readonly Block[]) {
    super();
    this.layers = layers;
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.layers.reduce(
      (y, layer, b) => withScope(String(b), () => layer.forward(y, context)),
      x,
    );
  }
}

class Encoder extends Module {
  readonly stages: readonly Stage[];

  constructor(config: ResNetConfig, activation: Activation) {
    super();
    const { embeddingSize, hiddenSizes, depths, downsampleInFirstStage } = config;
    this.stages = hiddenSizes.map((to, s) => {
      const stride = s > 0 || downsampleInFirstStage ? 2 : 1;
      const blocks = Array.from({ length: depths[s]! }, (_, b) => {
        const from = b > 0 ? to : (hiddenSizes[s - 1] ?? embeddingSize);
        return new Block(config, from, to, b > 0 ? 1 : stride, activation);
      });
      return new Stage(blocks);
    });
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.stages.reduce(
      (y, stage, s) => withScope(`stage${s}`, () => stage.forward(y, context)),
      x,
    );
  }
}

class ResNetModel extends Module {
  readonly embedder: Embeddings;
  readonly encoder: Encoder;

  constructor(config: ResNetConfig) {
    super();
    const activation = hiddenAct(config.activation);
    this.embedder = new Embeddings(config, activation);
    this.encoder = new Encoder(config, activation);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.encoder.forward(this.embedder.forward(x, context), context);
  }
}

class ResNet extends ImageClassifier {
  readonly resnet: ResNetModel;
  classifier: Sequential;
  private readonly width: number;

  constructor(config: ResNetConfig) {
    super();
    this.resnet = new ResNetModel(config);
    this.width = config.hiddenSizes.at(-1)!;
    this.classifier = this.head(config.labels.length);
    startFrom(this, { conv: kaimingNormal() });
  }

  /** Hugging Face's head begins with a flattening layer, hence `classifier.1`. */
  private head(classes: number): Sequential {
    return new Sequential(new Lambda((x) => x), new Linear(this.width, classes));
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.resnet.forward(x, context);
  }

  override pool(features: Tensor): Tensor {
    return reshape(globalAvgPool(features), [features.shape[0]!, this.width]);
  }

  override classify(pooled: Tensor, context: Context): Tensor {
    return this.classifier.forward(pooled, context);
  }

  override replaceHead(classes: number): void {
    this.classifier = this.head(classes);
  }

  override layerGroups(): readonly string[] {
    const blocks = this.resnet.encoder.stages.flatMap(({ layers }, s) =>
      layers.map((_, b) => `resnet.encoder.stages.${s}.layers.${b}`),
    );
    return ['resnet.embedder', ...blocks, 'classifier'];
  }
}

function parse(raw: RawConfig): ResNetConfig {
  const fields = new ConfigFields('resnet', raw);
  const hiddenSizes = fields.integers('hidden_sizes', [256, 512, 1024, 2048]);
  return {
    ...fields.image(),
    embeddingSize: fields.integer('embedding_size', 64, { min: 2 }),
    hiddenSizes,
    depths: fields.integers('depths', [3, 4, 6, 3], { length: hiddenSizes.length, max: 1000 }),
    layerType: fields.choice('layer_type', ['basic', 'bottleneck'], 'bottleneck'),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'relu'),
    downsampleInFirstStage: fields.flag('downsample_in_first_stage', false),
    downsampleInBottleneck: fields.flag('downsample_in_bottleneck', false),
    deepStem: fields.choice('stem_type', ['', 'deep'], '') === 'deep',
    averageDown: fields.flag('avg_down', false),
  };
}

function write(config: ResNetConfig): RawConfig {
  return {
    embedding_size: config.embeddingSize,
    hidden_sizes: config.hiddenSizes,
    depths: config.depths,
    layer_type: config.layerType,
    hidden_act: config.activation,
    downsample_in_first_stage: config.downsampleInFirstStage,
    downsample_in_bottleneck: config.downsampleInBottleneck,
    // transformers ignores fields that it does not know and would build another network.
    ...(config.deepStem ? { stem_type: 'deep', architectures: null } : {}),
    ...(config.averageDown ? { avg_down: true, architectures: null } : {}),
  };
}

export default defineModel<ResNetConfig>({
  modelType: 'resnet',
  architecture: 'ResNetForImageClassification',
  processor: 'ConvNextImageProcessor',
  parse,
  write,
  build: (config) => new ResNet(config),
  preprocess: ({ channels }) => forChannels(IMAGENET_PREPROCESS, channels),
  schemes: RESNET_NAMES,
  roles: {
    head: /^classifier\./,
    norm: /\.normalization\./,
    stem: /^resnet\.embedder\./,
  },
  variants: RESNETS,
  source: {
    paper: 'https://arxiv.org/abs/1512.03385 (-D: https://arxiv.org/abs/1812.01187)',
    code: 'https://github.com/huggingface/transformers/tree/main/src/transformers/models/resnet',
  },
});
