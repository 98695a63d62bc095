/** A small classifier with everything that matters (batch norm, dropout, a head) and toy pictures. */
import { filled, hostTensor, type Tensor } from '../../src/graph/index.js';
import { ImageClassifier } from '../../src/models/index.js';
import { BatchNorm, type Context, Conv2d, Dropout, Linear } from '../../src/nn/index.js';
import { globalAvgPool, relu, reshape } from '../../src/ops/index.js';
import { type BatchStream, type ReadOptions, rowsOf } from '../../src/train/index.js';
import { KeyedRandom } from '../../src/util/index.js';

export class SmallClassifier extends ImageClassifier {
  readonly conv = new Conv2d(1, 6, 3, { padding: 1, bias: false });
  readonly norm = new BatchNorm(6);
  readonly dropout: Dropout;
  head = new Linear(6, 3);

  constructor(rate = 0.2) {
    super();
    this.dropout = new Dropout(rate);
  }

  features(x: Tensor, context: Context) {
    return relu(this.norm.forward(this.conv.forward(x), context));
  }
  pool(features: Tensor) {
    return reshape(globalAvgPool(features), [features.shape[0]!, 6]);
  }
  classify(pooled: Tensor, context: Context) {
    return this.head.forward(this.dropout.forward(pooled, context));
  }
  replaceHead(classes: number) {
    this.head = new Linear(6, classes);
  }
  layerGroups() {
    return ['conv', 'norm', 'head'];
  }
}

const SIZE = 6;

/** Stripes across, stripes down, noise; the same sample is the same picture for everybody. */
export class ToyImages implements BatchStream<number> {
  readonly fingerprint: string;
  readonly truth: readonly number[];
  readonly samples: number;
  readonly batchSize: number;
  readonly seed: number;
  reads = 0;
  private readonly noise: number;
  private readonly fixed: boolean;

  /** @param fixed the same pictures in every epoch, as real data without augmentation */
  constructor(samples: number, seed: number, batchSize = 8, { noise = 0.3, fixed = false } = {}) {
    this.noise = noise;
    this.fixed = fixed;
    this.samples = samples;
    this.seed = seed;
    this.batchSize = batchSize;
    this.truth = Array.from({ length: samples }, (_, i) => i % 3);
    this.fingerprint = `toy:${samples}:${seed}:${noise}`;
  }

  async *read({ epoch, from = 0, training }: ReadOptions) {
    this.reads++;
    const order = training
      ? KeyedRandom.of(this.seed).fold(epoch).permutation(this.samples)
      : Uint32Array.from({ length: this.samples }, (_, i) => i);
    for (let start = from * this.batchSize; start < this.samples; start += this.batchSize) {
      const indices = Array.from({ length: this.batchSize }, (_, i) => order[start + i] ?? -1);
      const pixels = filled('float32', [this.batchSize, 1, SIZE, SIZE], 0);
      for (const [row, sample] of rowsOf(indices)) {
        const random = KeyedRandom.of(this.seed)
          .fold(sample)
          .fold(training && !this.fixed ? epoch : 'plain');
        for (let i = 0; i < SIZE * SIZE; i++) {
          const stripe = [Math.floor(i / SIZE) & 1, (i % SIZE) & 1, 0.5][this.truth[sample]!]!;
          pixels.data[row * SIZE * SIZE + i] = stripe + this.noise * random.normal(i);
        }
      }
      yield { feeds: { pixels, ...this.labelFeeds(indices) }, indices };
    }
  }

  labelFeeds(indices: readonly number[]) {
    const targets = filled('float32', [indices.length, 3], 0);
    for (const [row, sample] of rowsOf(indices)) targets.data[row * 3 + this.truth[sample]!] = 1;
    const weights = hostTensor(
      'float32',
      [indices.length],
      indices.map((i) => (i < 0 ? 0 : 1)),
    );
    return { targets, weights };
  }
}
