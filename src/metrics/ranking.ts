/** How well scores put what belongs to a class before what does not: AUROC and average precision. */
import { ConfigError } from '../errors.js';
import { checkPredictions, checkWeights, type Predictions } from './predictions.js';

/** Scores of a question with two answers. */
export interface BinaryScores {
  /** [n]: higher means rather yes; any scale. */
  readonly scores: ArrayLike<number>;
  /** [n]: 1 or true for yes. */
  readonly positive: ArrayLike<number | boolean>;
  /** [n], 1 each by default. */
  readonly weights?: ArrayLike<number>;
}

/** Samples of one score. */
interface Tie {
  positive: number;
  negative: number;
}

/** Index of `value` among distinct ascending values, where it is known to be. */
function indexIn(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Weights of yes and no at each distinct score, from the highest down. Numbers are sorted rather
 * than samples: without a comparing function that is several times faster, and a bootstrap sorts
 * thousands of times.
 */
function ties({ scores, positive, weights: given }: BinaryScores): Tie[] {
  const count = scores.length;
  if (positive.length !== count) {
    throw new ConfigError(`metrics: ${count} scores for ${positive.length} answers; give as many.`);
  }
  const { weights } = checkWeights(given, count);
  const values = new Float64Array(count);
  let used = 0;
  for (let i = 0; i < count; i++) {
    if (Number.isNaN(scores[i]!)) throw new ConfigError(`metrics: score ${i} is no number.`);
    // Weight 0 is as good as absent.
    if (weights[i]! > 0) values[used++] = scores[i]!;
  }
  const sorted = values.subarray(0, used).sort();
  let distinct = 0;
  for (const value of sorted) {
    if (distinct === 0 || value !== sorted[distinct - 1]) sorted[distinct++] = value;
  }
  const unique = sorted.subarray(0, distinct);
  const groups = Array.from(unique, (): Tie => ({ positive: 0, negative: 0 }));
  for (let i = 0; i < count; i++) {
    if (weights[i]! > 0) {
      groups[indexIn(unique, scores[i]!)]![positive[i] ? 'positive' : 'negative'] += weights[i]!;
    }
  }
  return groups.reverse();
}

function sums(groups: readonly Tie[]) {
  let positive = 0;
  let negative = 0;
  for (const tie of groups) {
    positive += tie.positive;
    negative += tie.negative;
  }
  return { positive, negative };
}

/**
 * Area under the receiver operating characteristic: the chance that a yes scores above a no, equal
 * scores counting half (mid-ranks). NaN when either is missing, as scikit-learn's `roc_auc_score`.
 */
export function binaryAuroc(data: BinaryScores): number {
  const groups = ties(data);
  const { positive, negative } = sums(groups);
  let above = 0;
  let area = 0;
  for (const tie of groups) {
    area += tie.negative * (above + tie.positive / 2);
    above += tie.positive;
  }
  return positive > 0 && negative > 0 ? area / (positive * negative) : Number.NaN;
}

/**
 * Sum over the scores, from the highest down, of the precision there times the recall gained there;
 * nothing is interpolated (scikit-learn's `average_precision_score`). 0 when there is no yes.
 */
export function binaryAveragePrecision(data: BinaryScores): number {
  const groups = ties(data);
  const { positive } = sums(groups);
  let hits = 0;
  let seen = 0;
  let area = 0;
  for (const tie of groups) {
    hits += tie.positive;
    seen += tie.positive + tie.negative;
    area += tie.positive * (hits / seen);
  }
  return positive > 0 ? area / positive : 0;
}

/** A binary metric of one class against the rest. */
function oneVersusRest(
  predictions: Predictions,
  metric: (data: BinaryScores) => number,
): { readonly value: number; readonly support: number }[] {
  const { probabilities, labels, classes, weights, count } = checkPredictions(predictions);
  return Array.from({ length: classes }, (_, c) => {
    const scores = new Float32Array(count);
    const positive = new Uint8Array(count);
    let support = 0;
    for (let i = 0; i < count; i++) {
      scores[i] = probabilities[i * classes + c]!;
      if (labels[i] === c) {
        positive[i] = 1;
        support += weights[i]!;
      }
    }
    return { value: metric({ scores, positive, weights }), support };
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}

/**
 * Two classes: the area under the curve of class 1. More: the plain mean over the classes of each
 * against the rest. A class without samples, or with all of them, has no curve and does not enter
 * (scikit-learn gives NaN for the whole); NaN when no class is left.
 */
export function auroc(predictions: Predictions): number {
  const each = oneVersusRest(predictions, binaryAuroc).map((c) => c.value);
  if (each.length === 2) return each[1]!;
  return meanOf(each.filter((v) => !Number.isNaN(v)));
}

/**
 * Two classes: the average precision of class 1 (0 when it has no samples, as in scikit-learn).
 * More: the plain mean over the classes that have samples.
 */
export function averagePrecision(predictions: Predictions): number {
  const each = oneVersusRest(predictions, binaryAveragePrecision);
  if (each.length === 2) return each[1]!.value;
  return meanOf(each.filter((c) => c.support > 0).map((c) => c.value));
}
