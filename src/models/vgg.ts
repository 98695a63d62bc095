/** VGG: 3x3 convolutions and poolings in one row, then three linear layers. Names are torchvision's. */
import type { Tensor } from '../graph/index.js';
import {
  BatchNorm,
  type Context,
  Conv2d,
  Dropout,
  kaimingNormal,
  Lambda,
  Linear,
  type Module,
  normalInit,
  Sequential,
} from '../nn/index.js';
import { adaptiveAvgPool2d, maxPool2d, relu, reshape } from '../ops/index.js';
import { ConfigFields, numberedLabels } from './config-fields.js';
import {
  defineModel,
  type ImageConfig,
  type NamingScheme,
  type RawConfig,
} from './define-model.js';
import { ImageClassifier } from './image-classifier.js';
import { forChannels, IMAGENET_PREPROCESS } from './preprocess.js';
import { startFrom } from './start.js';

/** Channels of a convolution, or a pooling that halves the map. */
export type VggLayer = number | 'M';

/** Configuration of a VGG. */
export interface VggConfig extends ImageConfig {
  readonly layers: readonly VggLayer[];
  /** A batch norm after every convolution. */
  readonly batchNorm: boolean;
  /** Width of the two hidden linear layers. */
  readonly hiddenSize: number;
  /** Chance to drop after each of them while training. */
  readonly dropout: number;
}

/** Side of the map that the linear layers read, whatever the picture's size. */
const SIDE = 7;

const STAGES: Readonly<Record<string, readonly VggLayer[]>> = {
  vgg11: [64, 'M', 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M'],
  vgg13: [64, 64, 'M', 128, 128, 'M', 256, 256, 'M', 512, 512, 'M', 512, 512, 'M'],
  vgg16: [64, 64, 'M', 128, 128, 'M', ...[256, 512, 512].flatMap((c) => [c, c, c, 'M' as const])],
  vgg19: [
    ...[64, 64, 'M' as const, 128, 128, 'M' as const],
    ...[256, 512, 512].flatMap((c) => [c, c, c, c, 'M' as const]),
  ],
};

/** Convolutions and poolings; activations count, so that the numbers are torchvision's. */
function trunkOf({ layers, batchNorm, channels }: VggConfig): Sequential {
  let from = channels;
  const modules = layers.flatMap((layer): Module[] => {
    if (layer === 'M') return [new Lambda((x) => maxPool2d(x, 2, { stride: 2 }))];
    const conv = new Conv2d(from, layer, 3, { padding: 1 });
    from = layer;
    return [conv, ...(batchNorm ? [new BatchNorm(layer)] : []), new Lambda(relu)];
  });
  return new Sequential(...modules);
}

/** Channels of the last map. */
const lastChannels = ({ layers }: VggConfig) => layers.findLast((l) => l !== 'M') as number;

class Vgg extends ImageClassifier {
  private readonly trunk: Sequential;
  /** The two hidden layers, each with activation and dropout. */
  private readonly hidden: readonly Module[];
  private last: Linear;
  private readonly hiddenSize: number;

  constructor(config: VggConfig) {
    super();
    const { hiddenSize, dropout, labels } = config;
    this.hiddenSize = hiddenSize;
    this.trunk = trunkOf(config);
    this.hidden = [
      new Linear(lastChannels(config) * SIDE * SIDE, hiddenSize),
      new Lambda(relu),
      new Dropout(dropout),
      new Linear(hiddenSize, hiddenSize),
      new Lambda(relu),
      new Dropout(dropout),
    ];
    this.last = new Linear(hiddenSize, labels.length);
    this.start();
  }

  /** torchvision calls the trunk `features`, which is what the method is called here. */
  override children(): Map<string, Module> {
    const classifier = [...this.hidden, this.last];
    return new Map([
      ['features', this.trunk] as const,
      ...classifier.map((layer, i) => [`classifier.${i}`, layer] as const),
    ]);
  }

  private start(): void {
    startFrom(this, { conv: kaimingNormal(), linear: normalInit(0.01) });
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.trunk.forward(x, context);
  }

  /** Up to the activation of the second hidden layer; the dropout after it is the head's. */
  override pool(features: Tensor, context: Context): Tensor {
    const map = adaptiveAvgPool2d(features, SIDE);
    return this.hidden
      .slice(0, -1)
      .reduce((y, layer) => layer.forward(y, context), reshape(map, [map.shape[0]!, -1]));
  }

  override classify(pooled: Tensor, context: Context): Tensor {
    return this.last.forward(this.hidden.at(-1)!.forward(pooled, context), context);
  }

  override replaceHead(classes: number): void {
    this.last = new Linear(this.hiddenSize, classes);
    this.start();
  }

  override layerGroups(): readonly string[] {
    const convs = [...this.trunk.children()].flatMap(([i, layer]) =>
      layer instanceof Lambda ? [] : [`features.${i}`],
    );
    return [...convs, 'classifier.0', 'classifier.3', 'classifier.6'];
  }
}

/** The layers, given in full or by the name of a published configuration. */
function parseLayers(fields: ConfigFields, raw: RawConfig): readonly VggLayer[] {
  if (!fields.has('layers')) {
    const name = fields.choice('architecture', Object.keys(VARIANTS), 'vgg16');
    return VARIANTS[name]!.config.layers;
  }
  const layers = raw.layers;
  const fits =
    Array.isArray(layers) &&
    layers.length <= 1024 &&
    typeof layers[0] === 'number' &&
    layers.every((l) => l === 'M' || (Number.isInteger(l) && l >= 1 && l <= 1 << 16));
  if (!fits) fields.fail('layers', "a list of channels and 'M' for poolings, channels first");
  return layers as VggLayer[];
}

function parse(raw: RawConfig): VggConfig {
  const fields = new ConfigFields('vgg', raw);
  const named = fields.has('layers') ? '' : raw.architecture;
  return {
    ...fields.image(),
    layers: parseLayers(fields, raw),
    batchNorm: fields.flag('batch_norm', String(named).endsWith('_bn')),
    hiddenSize: fields.integer('hidden_size', 4096),
    dropout: fields.number('dropout', 0.5, { min: 0, max: 1 }),
  };
}

/** timm writes the hidden layers as convolutions over the whole map. */
const TIMM: NamingScheme = {
  rules: [
    { theirs: 'features.{*}', ours: 'features.{*}' },
    {
      theirs: 'pre_logits.fc1.weight',
      ours: 'classifier.0.weight',
      kernel: [SIDE, SIDE],
    },
    { theirs: 'pre_logits.fc1.bias', ours: 'classifier.0.bias' },
    { theirs: 'pre_logits.fc2.weight', ours: 'classifier.3.weight', kernel: [1, 1] },
    { theirs: 'pre_logits.fc2.bias', ours: 'classifier.3.bias' },
    { theirs: 'head.fc.{*}', ours: 'classifier.6.{*}' },
  ],
};

const VARIANTS = Object.fromEntries(
  Object.entries(STAGES).flatMap(([name, layers]) =>
    [false, true].map((batchNorm) => {
      const config: VggConfig = {
        labels: numberedLabels(1000),
        channels: 3,
        layers,
        batchNorm,
        hiddenSize: 4096,
        dropout: 0.5,
      };
      return [
        batchNorm ? `${name}_bn` : name,
        { config, preprocess: IMAGENET_PREPROCESS },
      ] as const;
    }),
  ),
);

export default defineModel<VggConfig>({
  modelType: 'vgg',
  architecture: null,
  processor: null,
  parse,
  write: ({ layers, batchNorm, hiddenSize, dropout }) => ({
    layers,
    batch_norm: batchNorm,
    hidden_size: hiddenSize,
    dropout,
  }),
  build: (config) => new Vgg(config),
  preprocess: ({ channels }) => forChannels(IMAGENET_PREPROCESS, channels),
  schemes: { timm: TIMM },
  roles: {
    head: /^classifier\.6\./,
    // No role `norm`: torchvision numbers layers, and the same number is a convolution in one
    // configuration and a batch norm in another.
    stem: /^features\.0\./,
  },
  variants: VARIANTS,
  source: {
    paper: 'https://arxiv.org/abs/1409.1556',
    code: 'https://github.com/pytorch/vision/blob/main/torchvision/models/vgg.py',
  },
});
