/** How far a metric would move had other samples been drawn: the bootstrap. */
import { ConfigError } from '../errors.js';
import type { KeyedRandom } from '../util/index.js';
import { checkPredictions, type Predictions } from './predictions.js';

/** A value with the range in which it is believed to lie. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** How an interval is made. */
export interface BootstrapOptions {
  /** Where the draws come from; the same key gives the same interval. */
  readonly random: KeyedRandom;
  /** Chance that the interval covers the truth. */
  readonly level?: number;
  /** Draws; 1000 settle the ends of a 95 % interval to about a tenth of its width. */
  readonly replicates?: number;
}

/** Linear interpolation between the order statistics, as numpy's `quantile`. */
function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

/**
 * Percentile bootstrap of any metric: as many samples as there are, drawn with replacement, again
 * and again. A draw is a vector of weights, so no prediction is copied. Draws for which the metric is
 * not defined (NaN, such as AUROC of one class) are left out; if all are, the ends are NaN.
 *
 * It speaks of the samples only, not of the noise between seeds; samples that hang together (several
 * pictures of one person) make it too narrow.
 * @example
 * bootstrapInterval(accuracy, predictions, { random: KeyedRandom.of(seed).fold('bootstrap') });
 */
export function bootstrapInterval(
  metric: (predictions: Predictions) => number,
  predictions: Predictions,
  { random, level = 0.95, replicates = 1000 }: BootstrapOptions,
): Interval {
  if (!(level > 0 && level < 1) || !Number.isInteger(replicates) || replicates < 1) {
    throw new ConfigError(
      `bootstrap: level ${level} and ${replicates} replicates; expected a level between 0 and 1 and at least one replicate.`,
      { level, replicates },
    );
  }
  const { weights, count } = checkPredictions(predictions);
  const counting = Array.from({ length: count }, (_, i) => i).filter((i) => weights[i]! > 0);
  const values = new Float64Array(replicates);
  const drawn = new Float64Array(count);
  let defined = 0;
  for (let r = 0; r < replicates; r++) {
    drawn.fill(0);
    const draw = random.fold(r);
    for (let i = 0; i < counting.length; i++) {
      const sample = counting[draw.integer(i, counting.length)]!;
      drawn[sample]! += weights[sample]!;
    }
    const value = metric({ ...predictions, weights: drawn });
    if (!Number.isNaN(value)) values[defined++] = value;
  }
  const sorted = values.subarray(0, defined).sort();
  const end = (q: number) => (defined > 0 ? quantile(sorted, q) : Number.NaN);
  return {
    value: metric(predictions),
    low: end((1 - level) / 2),
    high: end((1 + level) / 2),
  };
}
