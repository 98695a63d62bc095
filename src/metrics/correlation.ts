/** How two series of numbers go together: for regression and for similarity of texts. */
import { ConfigError } from '../errors.js';

function checkSeries(a: ArrayLike<number>, b: ArrayLike<number>): void {
  if (a.length !== b.length || a.length < 2) {
    throw new ConfigError(
      `metrics: a correlation needs two series of one length, at least 2; got ${a.length} and ${b.length}.`,
      { lengths: [a.length, b.length] },
    );
  }
  for (const series of [a, b]) {
    for (let i = 0; i < series.length; i++) {
      if (!Number.isFinite(series[i]!)) {
        throw new ConfigError(
          `metrics: value ${i} is ${series[i]}. Only finite numbers are compared; a value that is no number usually means that training diverged.`,
          { index: i, value: series[i] },
        );
      }
    }
  }
}

/**
 * Pearson's correlation, -1 to 1. A series of one value only tells nothing of the other: 0 (scipy
 * gives NaN).
 * @throws ConfigError for series that do not go together
 */
export function pearson(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkSeries(a, b);
  const centred = (series: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < series.length; i++) sum += series[i]!;
    const first = series[0]!;
    const constant = Array.from(series).every((v) => v === first);
    // The mean of equal numbers is not always that number.
    return Float64Array.from(series, (v) => (constant ? 0 : v - sum / series.length));
  };
  const [x, y] = [centred(a), centred(b)];
  const dot = (u: Float64Array, v: Float64Array) => u.reduce((s, n, i) => s + n * v[i]!, 0);
  const norm = Math.sqrt(dot(x, x)) * Math.sqrt(dot(y, y));
  return norm > 0 ? Math.max(-1, Math.min(1, dot(x, y) / norm)) : 0;
}

/** Ranks from 1; equal values share the mean of theirs. */
export function ranks(values: ArrayLike<number>): Float64Array {
  const order = Array.from({ length: values.length }, (_, i) => i);
  order.sort((i, j) => values[i]! - values[j]!);
  const out = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    // Ranks from + 1 to `to` have this mean.
    for (let k = from; k < to; k++) out[order[k]!] = (from + 1 + to) / 2;
    from = to;
  }
  return out;
}

/**
 * Spearman's correlation: Pearson's of the ranks.
 * @throws ConfigError for series that do not go together
 */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkSeries(a, b);
  return pearson(ranks(a), ranks(b));
}
