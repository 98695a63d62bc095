/** Who is taken for whom: the confusion matrix and what is read off it. */
import { checkPredictions, type Predictions, predictedClasses } from './predictions.js';

/** Weights (counts, where there are none) of samples by right and by predicted class. */
export interface ConfusionMatrix {
  readonly classes: number;
  /** [classes, classes]: row = right class, column = predicted class. */
  readonly counts: Float64Array;
}

/** The confusion matrix over all classes, those that do not occur included. */
export function confusionMatrix(predictions: Predictions): ConfusionMatrix {
  const { classes, labels, weights } = checkPredictions(predictions);
  const counts = new Float64Array(classes * classes);
  for (const [i, predicted] of predictedClasses(predictions).entries()) {
    counts[labels[i]! * classes + predicted]! += weights[i]!;
  }
  return { classes, counts };
}

/** Sums over the rows and columns of a confusion matrix. */
export function marginals({ classes, counts }: ConfusionMatrix) {
  /** Weight of the samples of each class. */
  const actual = new Float64Array(classes);
  /** Weight of the samples that each class was predicted for. */
  const predicted = new Float64Array(classes);
  let correct = 0;
  let total = 0;
  for (let t = 0; t < classes; t++) {
    for (let p = 0; p < classes; p++) {
      const count = counts[t * classes + p]!;
      actual[t]! += count;
      predicted[p]! += count;
      total += count;
    }
    correct += counts[t * classes + t]!;
  }
  return { actual, predicted, correct, total };
}

/** Samples of one class that were taken for another. */
export interface Confusion {
  readonly actual: number;
  readonly predicted: number;
  readonly count: number;
  /** Share of the class's samples, above 0 to 1. */
  readonly share: number;
}

/** The mistakes of a matrix, most frequent first; equals in the order of the classes. */
export function mostConfused(matrix: ConfusionMatrix, limit = Number.POSITIVE_INFINITY) {
  const { classes, counts } = matrix;
  const { actual } = marginals(matrix);
  const found: Confusion[] = [];
  for (const [at, count] of counts.entries()) {
    const [t, p] = [Math.floor(at / classes), at % classes];
    if (t !== p && count > 0) {
      found.push({ actual: t, predicted: p, count, share: count / actual[t]! });
    }
  }
  return found.sort((a, b) => b.count - a.count || b.share - a.share).slice(0, limit);
}

/**
 * Matthews' correlation of right and predicted class, -1 to 1, for any number of classes (Gorodkin
 * 2004); 0 when all samples have one class or all predictions are one, as scikit-learn's
 * `matthews_corrcoef`.
 */
export function matthews(predictions: Predictions): number {
  const { actual, predicted, correct, total } = marginals(confusionMatrix(predictions));
  // Asked of the counts: with weights that are no whole numbers the formula leaves rounding.
  if ([actual, predicted].some((side) => side.filter((w) => w > 0).length < 2)) return 0;
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const spread = (total ** 2 - dot(predicted, predicted)) * (total ** 2 - dot(actual, actual));
  return (correct * total - dot(actual, predicted)) / Math.sqrt(spread);
}
