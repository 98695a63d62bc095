/** SqueezeNet 1.0 and 1.1: few parameters by 1x1 convolutions. Names are torchvision's. */
import type { Tensor } from '../graph/index.js';
import {
  type Context,
  Conv2d,
  Dropout,
  kaimingUniform,
  Lambda,
  Module,
  normalInit,
  Sequential,
} from '../nn/index.js';
import { concat, globalAvgPool, maxPool2d, relu, reshape } from '../ops/index.js';
import { ConfigFields, numberedLabels } from './config-fields.js';
import { defineModel, type ImageConfig, type RawConfig } from './define-model.js';
import { ImageClassifier } from './image-classifier.js';
import { forChannels, IMAGENET_PREPROCESS } from './preprocess.js';
import { startFrom } from './start.js';

type Version = 'squeezenet1_0' | 'squeezenet1_1';

/** Configuration of a SqueezeNet. */
export interface SqueezeNetConfig extends ImageConfig {
  readonly version: Version;
  /** Channels of the first convolution. */
  readonly stemSize: number;
  /** Narrow width of each of the eight fire modules; each gives eight times as many channels. */
  readonly squeezeSizes: readonly number[];
  /** Chance to drop before the last convolution while training. */
  readonly dropout: number;
}

/** First convolution, and the fire modules between poolings. 1.1 pools earlier, which is faster. */
const LAYOUTS = {
  squeezenet1_0: { kernel: 7, stem: 96, groups: [3, 4, 1] },
  squeezenet1_1: { kernel: 3, stem: 64, groups: [2, 2, 4] },
} as const;

const SQUEEZE_SIZES = [16, 16, 32, 32, 48, 48, 64, 64];

class Fire extends Module {
  readonly squeeze: Conv2d;
  readonly expand1x1: Conv2d;
  readonly expand3x3: Conv2d;

  constructor(from: number, narrow: number) {
    super();
    this.squeeze = new Conv2d(from, narrow, 1);
    this.expand1x1 = new Conv2d(narrow, 4 * narrow, 1);
    this.expand3x3 = new Conv2d(narrow, 4 * narrow, 3, { padding: 1 });
  }

  override forward(x: Tensor): Tensor {
    const narrow = relu(this.squeeze.forward(x));
    const wide = [this.expand1x1.forward(narrow), this.expand3x3.forward(narrow)];
    return concat(wide.map(relu), 1);
  }
}

/** All layers up to the head; activations count, so that the numbers are torchvision's. */
function trunkOf({ version, stemSize, squeezeSizes, channels }: SqueezeNetConfig): Sequential {
  const { kernel, groups } = LAYOUTS[version];
  const layers: Module[] = [
    new Conv2d(channels, stemSize, kernel, { stride: 2 }),
    new Lambda(relu),
  ];
  let from = stemSize;
  let next = 0;
  for (const count of groups) {
    layers.push(new Lambda((x) => maxPool2d(x, 3, { stride: 2, ceilMode: true })));
    for (const narrow of squeezeSizes.slice(next, next + count)) {
      layers.push(new Fire(from, narrow));
      from = 8 * narrow;
    }
    next += count;
  }
  return new Sequential(...layers);
}

class SqueezeNet extends ImageClassifier {
  private readonly trunk: Sequential;
  private readonly dropout: Dropout;
  private last: Conv2d;
  private readonly width: number;

  constructor(config: SqueezeNetConfig) {
    super();
    this.trunk = trunkOf(config);
    this.dropout = new Dropout(config.dropout);
    this.width = 8 * config.squeezeSizes.at(-1)!;
    this.last = this.head(config.labels.length);
    startFrom(this.trunk, { conv: kaimingUniform(0) });
  }

  private head(classes: number): Conv2d {
    const head = new Conv2d(this.width, classes, 1);
    startFrom(head, { conv: normalInit(0.01) });
    return head;
  }

  /** torchvision calls the trunk `features`, which is what the method is called here. */
  override children(): Map<string, Module> {
    return new Map<string, Module>([
      ['features', this.trunk],
      ['classifier.1', this.last],
    ]);
  }

  override features(x: Tensor, context: Context): Tensor {
    return this.trunk.forward(x, context);
  }

  /** Nothing: the head convolves and activates before it averages. */
  override pool(features: Tensor): Tensor {
    return features;
  }

  override classify(pooled: Tensor, context: Context): Tensor {
    const map = relu(this.last.forward(this.dropout.forward(pooled, context)));
    return reshape(globalAvgPool(map), map.shape.slice(0, 2));
  }

  override replaceHead(classes: number): void {
    this.last = this.head(classes);
  }

  override layerGroups(): readonly string[] {
    const layers = [...this.trunk.children()].flatMap(([i, layer]) =>
      layer instanceof Lambda ? [] : [`features.${i}`],
    );
    return [...layers, 'classifier'];
  }
}

function parse(raw: RawConfig): SqueezeNetConfig {
  const fields = new ConfigFields('squeezenet', raw);
  const version = fields.choice('architecture', Object.keys(LAYOUTS) as Version[], 'squeezenet1_0');
  return {
    ...fields.image(),
    version,
    stemSize: fields.integer('stem_size', LAYOUTS[version].stem),
    squeezeSizes: fields.integers('squeeze_sizes', SQUEEZE_SIZES, { length: 8 }),
    dropout: fields.number('dropout', 0.5, { min: 0, max: 1 }),
  };
}

function variant(version: Version) {
  const config: SqueezeNetConfig = {
    labels: numberedLabels(1000),
    channels: 3,
    version,
    stemSize: LAYOUTS[version].stem,
    squeezeSizes: SQUEEZE_SIZES,
    dropout: 0.5,
  };
  return { config, preprocess: IMAGENET_PREPROCESS };
}

export default defineModel<SqueezeNetConfig>({
  modelType: 'squeezenet',
  architecture: null,
  processor: null,
  parse,
  write: ({ version, stemSize, squeezeSizes, dropout }) => ({
    architecture: version,
    stem_size: stemSize,
    squeeze_sizes: squeezeSizes,
    dropout,
  }),
  build: (config) => new SqueezeNet(config),
  preprocess: ({ channels }) => forChannels(IMAGENET_PREPROCESS, channels),
  schemes: {},
  roles: { head: /^classifier\.1\./, stem: /^features\.0\./ },
  variants: { squeezenet1_0: variant('squeezenet1_0'), squeezenet1_1: variant('squeezenet1_1') },
  source: {
    paper: 'https://arxiv.org/abs/1602.07360',
    code: 'https://github.com/pytorch/vision/blob/main/torchvision/models/squeezenet.py',
  },
});
