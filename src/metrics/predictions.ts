/** What every metric of classification reads, and how it is checked. */
import { ConfigError } from '../errors.js';

/** Predicted distributions beside the right answers. */
export interface Predictions {
  /** [n, classes], row by row; each row is a distribution. */
  readonly probabilities: Float32Array;
  /** [n]: index of the right class. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
  /** [n]: how much a sample counts, 1 each by default. A sample of weight 0 is as good as absent. */
  readonly weights?: ArrayLike<number>;
}

/** Predictions that were checked, with the weights written out. */
export interface CheckedPredictions extends Predictions {
  readonly count: number;
  readonly weights: ArrayLike<number>;
  /** Sum of the weights, above zero. */
  readonly total: number;
}

/** Room for rounding in a softmax of single precision. */
const SLACK = 1e-4;

/** Weights of 1 or, if given, those that came, checked. */
export function checkWeights(weights: ArrayLike<number> | undefined, count: number) {
  if (weights && weights.length !== count) {
    throw new ConfigError(
      `metrics: ${weights.length} weights for ${count} samples. Give one weight a sample, or none.`,
      { weights: weights.length, samples: count },
    );
  }
  const out = new Float64Array(count).fill(1);
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (weights) out[i] = weights[i]!;
    if (!(out[i]! >= 0 && out[i]! < Number.POSITIVE_INFINITY)) {
      throw new ConfigError(
        `metrics: weight ${i} is ${out[i]}; weights are finite and not negative.`,
      );
    }
    total += out[i]!;
  }
  if (!(total > 0)) {
    throw new ConfigError(
      count === 0
        ? 'metrics: no samples. A metric needs at least one; is the split empty?'
        : `metrics: all ${count} samples have weight 0, so none counts. Give at least one a weight.`,
      { samples: count },
    );
  }
  return { weights: out, total };
}

/**
 * The same predictions, once they are known to make sense.
 * @throws ConfigError when lengths, labels, weights or probabilities do not fit; a probability that
 * is no number usually means that training diverged
 */
export function checkPredictions(p: Predictions): CheckedPredictions {
  const { probabilities, labels, classes } = p;
  const count = labels.length;
  if (!Number.isInteger(classes) || classes < 1 || probabilities.length !== count * classes) {
    throw new ConfigError(
      `metrics: ${probabilities.length} probabilities for ${count} labels and ${classes} classes; ` +
        'expected [samples, classes], row by row.',
      { probabilities: probabilities.length, labels: count, classes },
    );
  }
  for (let i = 0; i < count; i++) {
    const label = labels[i]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new ConfigError(
        `metrics: label ${i} is ${label}; expected a class from 0 to ${classes - 1}.`,
        { sample: i, label },
      );
    }
  }
  for (const [i, value] of probabilities.entries()) {
    if (!(value >= -SLACK && value <= 1 + SLACK)) {
      throw new ConfigError(
        `metrics: sample ${Math.floor(i / classes)} has probability ${value} for class ${i % classes}; ` +
          'expected 0 to 1. Give softmax outputs; a value that is no number means that training diverged.',
        { sample: Math.floor(i / classes), class: i % classes, value },
      );
    }
  }
  return { ...p, count, ...checkWeights(p.weights, count) };
}

/** Int32 [n]: the most probable class of each sample; of equal ones the first, as numpy's argmax. */
export function predictedClasses(p: Pick<Predictions, 'probabilities' | 'classes'>): Int32Array {
  const { probabilities, classes } = p;
  const out = new Int32Array(probabilities.length / classes);
  for (let i = 0; i < out.length; i++) {
    const row = i * classes;
    let best = 0;
    for (let c = 1; c < classes; c++) {
      if (probabilities[row + c]! > probabilities[row + best]!) best = c;
    }
    out[i] = best;
  }
  return out;
}
