/** How often the answer is right. */
import { ConfigError } from '../errors.js';
import { confusionMatrix, marginals } from './confusion.js';
import { checkPredictions, type Predictions } from './predictions.js';

/** Share of samples whose most probable class is right, 0 to 1. */
export function accuracy(predictions: Predictions): number {
  const { correct, total } = marginals(confusionMatrix(predictions));
  return correct / total;
}

/**
 * Share of samples whose right class is among the `k` most probable. Of equally probable classes the
 * first counts as the more probable, so that k = 1 is `accuracy`. (scikit-learn takes the last.)
 * @param k 1 to the number of classes; with all of them the answer is 1
 */
export function topKAccuracy(predictions: Predictions, k: number): number {
  const { probabilities, labels, classes, weights, total } = checkPredictions(predictions);
  if (!Number.isInteger(k) || k < 1 || k > classes) {
    throw new ConfigError(`topKAccuracy: k is ${k}; expected 1 to ${classes}, the classes.`, { k });
  }
  let hits = 0;
  for (let i = 0; i < labels.length; i++) {
    const row = i * classes;
    const label = labels[i]!;
    const own = probabilities[row + label]!;
    let before = 0;
    for (let c = 0; c < classes; c++) {
      const other = probabilities[row + c]!;
      if (other > own || (other === own && c < label)) before++;
    }
    if (before < k) hits += weights[i]!;
  }
  return hits / total;
}

/**
 * Mean over the classes of the share of a class's samples that is recognised: accuracy as if all
 * classes were equally frequent. Classes without samples do not enter, as in scikit-learn.
 */
export function balancedAccuracy(predictions: Predictions): number {
  const matrix = confusionMatrix(predictions);
  const { actual } = marginals(matrix);
  let sum = 0;
  let present = 0;
  for (const [c, weight] of actual.entries()) {
    if (weight === 0) continue;
    sum += matrix.counts[c * matrix.classes + c]! / weight;
    present++;
  }
  return sum / present;
}
