/** EfficientNet: inverted bottlenecks, scaled together in width, depth and resolution. */
import { type Tensor, withScope } from '../graph/index.js';
import {
  BatchNorm,
  type Context,
  Conv2d,
  Dropout,
  kaimingNormal,
  Linear,
  Module,
  normalInit,
  uniformInit,
} from '../nn/index.js';
import { add, globalAvgPool, globalMaxPool, mul, reshape, sigmoid } from '../ops/index.js';
import { defineModel } from './define-model.js';
import { dropPath } from './drop-path.js';
import {
  type BlockShape,
  blocksOf,
  type EfficientNetConfig,
  parseEfficientNet,
  preprocessEfficientNet,
  stemChannels,
  topChannels,
  writeEfficientNet,
} from './efficientnet-config.js';
import { EFFICIENTNET_SCHEMES, EFFICIENTNET_VARIANTS } from './efficientnet-published.js';
import { hiddenAct } from './hidden-act.js';
import { ImageClassifier } from './image-classifier.js';
import { startFrom } from './start.js';

type Activation = (x: Tensor) => Tensor;

/**
 * transformers hands 0.99 to PyTorch, where it is the weight of the newest batch: its running
 * statistics forget all others. Here it means what it meant to the authors.
 */
function norm(config: EfficientNetConfig, channels: number): BatchNorm {
  return new BatchNorm(channels, {
    epsilon: config.batchNormEpsilon,
    momentum: 1 - config.batchNormMomentum,
  });
}

/** A convolution without bias that mixes channels only. */
const pointwise = (from: number, to: number) => new Conv2d(from, to, 1, { bias: false });

class Embeddings extends Module {
  readonly convolution: Conv2d;
  readonly batchnorm: BatchNorm;
  private readonly activation: Activation;

  constructor(config: EfficientNetConfig) {
    super();
    const side = config.stemPadding === 'same' ? ([0, 1] as const) : ([1, 1] as const);
    this.convolution = new Conv2d(config.channels, stemChannels(config), 3, {
      stride: 2,
      padding: [side, side],
      bias: false,
    });
    this.batchnorm = norm(config, stemChannels(config));
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.activation(this.batchnorm.forward(this.convolution.forward(x), context));
  }
}

class Expansion extends Module {
  readonly expand_conv: Conv2d;
  readonly expand_bn: BatchNorm;
  private readonly activation: Activation;

  constructor(config: EfficientNetConfig, inChannels: number, channels: number) {
    super();
    this.expand_conv = pointwise(inChannels, channels);
    this.expand_bn = norm(config, channels);
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.activation(this.expand_bn.forward(this.expand_conv.forward(x), context));
  }
}

class Depthwise extends Module {
  readonly depthwise_conv: Conv2d;
  readonly depthwise_norm: BatchNorm;
  private readonly activation: Activation;

  constructor(config: EfficientNetConfig, { kernel, stride, padding }: BlockShape, size: number) {
    super();
    this.depthwise_conv = new Conv2d(size, size, kernel, {
      stride,
      padding: [padding, padding],
      groups: size,
      bias: false,
    });
    this.depthwise_norm = norm(config, size);
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.activation(this.depthwise_norm.forward(this.depthwise_conv.forward(x), context));
  }
}

/** Weighs channels by what their means say of the whole picture. */
class SqueezeExcite extends Module {
  readonly reduce: Conv2d;
  readonly expand: Conv2d;
  private readonly activation: Activation;

  constructor(config: EfficientNetConfig, channels: number, squeezed: number) {
    super();
    this.reduce = new Conv2d(channels, squeezed, 1);
    this.expand = new Conv2d(squeezed, channels, 1);
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor): Tensor {
    const squeezed = this.activation(this.reduce.forward(globalAvgPool(x)));
    return mul(x, sigmoid(this.expand.forward(squeezed)));
  }
}

class Projection extends Module {
  readonly project_conv: Conv2d;
  readonly project_bn: BatchNorm;

  constructor(config: EfficientNetConfig, inChannels: number, outChannels: number) {
    super();
    this.project_conv = pointwise(inChannels, outChannels);
    this.project_bn = norm(config, outChannels);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.project_bn.forward(this.project_conv.forward(x), context);
  }
}

class Block extends Module {
  readonly expansion: Expansion | null;
  readonly depthwise_conv: Depthwise;
  readonly squeeze_excite: SqueezeExcite;
  readonly projection: Projection;
  private readonly shape: BlockShape;

  constructor(config: EfficientNetConfig, shape: BlockShape) {
    super();
    const { inChannels, outChannels, expandRatio, squeezed } = shape;
    const size = inChannels * expandRatio;
    this.expansion = expandRatio === 1 ? null : new Expansion(config, inChannels, size);
    this.depthwise_conv = new Depthwise(config, shape, size);
    this.squeeze_excite = new SqueezeExcite(config, size, squeezed);
    this.projection = new Projection(config, size, outChannels);
    this.shape = shape;
  }

  override forward(x: Tensor, context: Context): Tensor {
    let y = this.expansion ? this.expansion.forward(x, context) : x;
    y = this.squeeze_excite.forward(this.depthwise_conv.forward(y, context));
    y = this.projection.forward(y, context);
    return this.shape.residual ? add(dropPath(y, this.shape.dropRate, context), x) : y;
  }
}

class Encoder extends Module {
  readonly blocks: readonly Block[];
  readonly top_conv: Conv2d;
  readonly top_bn: BatchNorm;
  private readonly activation: Activation;

  constructor(config: EfficientNetConfig) {
    super();
    const shapes = blocksOf(config);
    this.blocks = shapes.map((shape) => new Block(config, shape));
    this.top_conv = pointwise(shapes.at(-1)!.outChannels, topChannels(config));
    this.top_bn = norm(config, topChannels(config));
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = this.blocks.reduce(
      (h, block, i) => withScope(`blocks.${i}`, () => block.forward(h, context)),
      x,
    );
    return this.activation(this.top_bn.forward(this.top_conv.forward(y), context));
  }
}

class EfficientNet extends Module {
  readonly embeddings: Embeddings;
  readonly encoder: Encoder;

  constructor(config: EfficientNetConfig) {
    super();
    this.embeddings = new Embeddings(config);
    this.encoder = new Encoder(config);
    // The authors' start. transformers' draws even the scales of batch norms from N(0, 0.02).
    startFrom(this, { conv: kaimingNormal('fanOut') });
    for (const { depthwise_conv: layer } of this.encoder.blocks) {
      const { weight } = layer.depthwise_conv;
      // Each channel reaches one output, whatever their number.
      const [, , height, width] = weight.tensor.shape as [number, number, number, number];
      weight.init = normalInit(Math.sqrt(2 / (height * width)));
    }
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.encoder.forward(this.embeddings.forward(x, context), context);
  }
}

/** EfficientNet with a linear layer on the pooled map. */
class EfficientNetClassifier extends ImageClassifier {
  readonly efficientnet: EfficientNet;
  classifier: Linear;
  private readonly dropout: Dropout;
  private readonly config: EfficientNetConfig;

  constructor(config: EfficientNetConfig) {
    super();
    this.efficientnet = new EfficientNet(config);
    this.dropout = new Dropout(config.dropoutRate);
    this.config = config;
    this.classifier = newHead(config, config.labels.length);
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.efficientnet.forward(x, context);
  }

  override pool(features: Tensor): Tensor {
    const pool = this.config.pooling === 'mean' ? globalAvgPool : globalMaxPool;
    return reshape(pool(features), features.shape.slice(0, 2));
  }

  override classify(pooled: Tensor, context: Context): Tensor {
    return this.classifier.forward(this.dropout.forward(pooled, context));
  }

  override replaceHead(classes: number): void {
    this.classifier = newHead(this.config, classes);
  }

  override layerGroups(): readonly string[] {
    const { blocks } = this.efficientnet.encoder;
    return [
      'efficientnet.embeddings',
      ...blocks.map((_, i) => `efficientnet.encoder.blocks.${i}`),
      'efficientnet.encoder',
      'classifier',
    ];
  }
}

function newHead(config: EfficientNetConfig, classes: number): Linear {
  const head = new Linear(topChannels(config), classes);
  startFrom(head, { linear: uniformInit(1 / Math.sqrt(classes)) });
  return head;
}

export default defineModel<EfficientNetConfig>({
  modelType: 'efficientnet',
  architecture: 'EfficientNetForImageClassification',
  processor: 'EfficientNetImageProcessor',
  parse: parseEfficientNet,
  write: writeEfficientNet,
  build: (config) => new EfficientNetClassifier(config),
  preprocess: preprocessEfficientNet,
  schemes: EFFICIENTNET_SCHEMES,
  roles: {
    head: /^classifier\./,
    norm: /(?:_bn|_norm|\.batchnorm)\./,
    stem: /^efficientnet\.embeddings\./,
  },
  variants: EFFICIENTNET_VARIANTS,
  source: {
    paper: 'https://arxiv.org/abs/1905.11946',
    code: 'https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet',
  },
});
