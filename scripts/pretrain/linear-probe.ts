/** Logistic regression on fixed features: how much of the labels they tell. */
import { KeyedRandom } from '../../src/util/index.js';

/** Features of samples, row by row, with labels from 0. */
export interface Labelled {
  /** [samples, width] */
  readonly features: Float32Array;
  readonly width: number;
  readonly labels: readonly number[];
}

/** Some samples of a set. */
export function subset({ features, width, labels }: Labelled, rows: readonly number[]): Labelled {
  const chosen = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    chosen.set(features.subarray(row * width, (row + 1) * width), i * width);
  });
  return { features: chosen, width, labels: rows.map((row) => labels[row]!) };
}

/** Splits the rows of a set at random. @param share of the first part */
export function splitRows(count: number, share: number, seed: number): [number[], number[]] {
  const order = KeyedRandom.of(seed).fold('probe').permutation(count);
  const cut = Math.round(count * share);
  return [order.slice(0, cut), order.slice(cut)];
}

/** Mean and inverse deviation of each column. */
function standardisation({ features, width, labels }: Labelled) {
  const count = labels.length;
  const mean = new Float64Array(width);
  const scale = new Float64Array(width);
  features.forEach((v, i) => {
    mean[i % width]! += v / count;
  });
  features.forEach((v, i) => {
    scale[i % width]! += (v - mean[i % width]!) ** 2 / count;
  });
  return { mean, scale: scale.map((v) => (v > 1e-12 ? 1 / Math.sqrt(v) : 0)) };
}

/** A fitted probe. */
export class LinearProbe {
  private readonly classes: number;
  private readonly width: number;
  private readonly mean: Float64Array;
  private readonly scale: Float64Array;
  /** [classes, width + 1], the bias last. */
  private readonly weights: Float64Array;

  private constructor(train: Labelled) {
    this.width = train.width;
    this.classes = Math.max(...train.labels) + 1;
    const { mean, scale } = standardisation(train);
    this.mean = mean;
    this.scale = scale;
    this.weights = new Float64Array(this.classes * (train.width + 1));
  }

  /**
   * Fits by full-batch gradient descent with Nesterov's momentum on standardised features.
   * @param decay weight of the squared norm; the default suits hundreds of samples with a
   * thousand features (scikit-learn's C = 0.01)
   */
  static fit(train: Labelled, { decay = 0.1, steps = 300 } = {}): LinearProbe {
    const probe = new LinearProbe(train);
    const { weights, classes } = probe;
    const rows = probe.standard(train.features);
    const before = new Float64Array(weights.length);
    const slope = new Float64Array(weights.length);
    // The largest curvature is below half the mean squared length of a row, plus the decay.
    const length = rows.reduce((sum, v) => sum + v * v, 0) / train.labels.length;
    const rate = 1 / (0.5 * (length + 1) + decay);
    for (let step = 0; step < steps; step++) {
      const push = step / (step + 3);
      for (let i = 0; i < weights.length; i++) {
        const ahead = weights[i]! + push * (weights[i]! - before[i]!);
        before[i] = weights[i]!;
        weights[i] = ahead;
      }
      probe.gradient(rows, train.labels, decay, slope);
      for (let i = 0; i < weights.length; i++) weights[i]! -= rate * slope[i]!;
    }
    if (!weights.every(Number.isFinite))
      throw new Error(`The probe of ${classes} classes diverged.`);
    return probe;
  }

  /** Share of samples it gets right. */
  accuracy({ features, labels }: Labelled): number {
    const rows = this.standard(features);
    const scores = new Float64Array(this.classes);
    const right = labels.filter((label, i) => {
      this.score(rows, i, scores);
      return scores.indexOf(Math.max(...scores)) === label;
    });
    return right.length / labels.length;
  }

  private standard(features: Float32Array): Float32Array {
    const { width, mean, scale } = this;
    return features.map((v, i) => (v - mean[i % width]!) * scale[i % width]!);
  }

  private score(rows: Float32Array, row: number, scores: Float64Array): void {
    const { width, weights } = this;
    for (let c = 0; c < this.classes; c++) {
      const from = c * (width + 1);
      let sum = weights[from + width]!;
      for (let j = 0; j < width; j++) sum += weights[from + j]! * rows[row * width + j]!;
      scores[c] = sum;
    }
  }

  private gradient(
    rows: Float32Array,
    labels: readonly number[],
    decay: number,
    slope: Float64Array,
  ): void {
    const { width, classes, weights } = this;
    const step = width + 1;
    for (let i = 0; i < slope.length; i++) slope[i] = i % step < width ? decay * weights[i]! : 0;
    const scores = new Float64Array(classes);
    labels.forEach((label, row) => {
      this.score(rows, row, scores);
      const top = Math.max(...scores);
      const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
      for (let c = 0; c < classes; c++) {
        const share = Math.exp(scores[c]! - top) / total;
        const error = (share - (label === c ? 1 : 0)) / labels.length;
        for (let j = 0; j < width; j++) slope[c * step + j]! += error * rows[row * width + j]!;
        slope[c * step + width]! += error;
      }
    });
  }
}
