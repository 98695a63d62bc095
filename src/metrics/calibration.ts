/** Whether the probabilities can be believed. */
import { ConfigError } from '../errors.js';
import { checkPredictions, type Predictions, predictedClasses } from './predictions.js';

/** Spacing of single precision at 1, what scikit-learn clips float32 probabilities to. */
const EPSILON = 2 ** -23;

/** Mean of -ln of the right class's probability, which is clipped to [2^-23, 1 - 2^-23]; nats. */
export function logLoss(predictions: Predictions): number {
  const { probabilities, labels, classes, weights, total } = checkPredictions(predictions);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    const p = probabilities[i * classes + labels[i]!]!;
    sum -= weights[i]! * Math.log(Math.min(Math.max(p, EPSILON), 1 - EPSILON));
  }
  return sum / total;
}

/**
 * Mean squared distance of the distribution from the right answer. Two classes: of the probability
 * of class 1, so 0 to 1; more: summed over the classes, so 0 to 2. scikit-learn's `brier_score_loss`.
 */
export function brier(predictions: Predictions): number {
  const { probabilities, labels, classes, weights, total } = checkPredictions(predictions);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) {
    for (let c = 0; c < classes; c++) {
      const error = probabilities[i * classes + c]! - (c === labels[i] ? 1 : 0);
      sum += weights[i]! * error * error;
    }
  }
  return sum / total / (classes <= 2 ? 2 : 1);
}

/** Samples whose confidence lies in (low, high]. */
export interface ReliabilityBin {
  readonly low: number;
  readonly high: number;
  /** Weight of the samples in it. */
  readonly count: number;
  /** Mean probability of the predicted class; NaN in an empty bin. */
  readonly confidence: number;
  /** Share of them that is right; NaN in an empty bin. */
  readonly accuracy: number;
}

/**
 * Samples by the probability of their predicted class, in bins of equal width.
 * @param bins 15 is what Guo et al. 2017 (arXiv:1706.04599) use, and with it published values compare
 */
export function reliability(predictions: Predictions, bins = 15): ReliabilityBin[] {
  if (!Number.isInteger(bins) || bins < 1) {
    throw new ConfigError(`reliability: ${bins} bins; expected a positive whole number.`, { bins });
  }
  const { probabilities, labels, classes, weights } = checkPredictions(predictions);
  const count = new Float64Array(bins);
  const confidence = new Float64Array(bins);
  const correct = new Float64Array(bins);
  for (const [i, predicted] of predictedClasses(predictions).entries()) {
    const p = probabilities[i * classes + predicted]!;
    // The upper edge belongs to a bin, so 1 lies in the last.
    const bin = Math.min(Math.max(Math.ceil(p * bins) - 1, 0), bins - 1);
    count[bin]! += weights[i]!;
    confidence[bin]! += weights[i]! * p;
    if (predicted === labels[i]) correct[bin]! += weights[i]!;
  }
  return Array.from(count, (weight, b) => ({
    low: b / bins,
    high: (b + 1) / bins,
    count: weight,
    confidence: confidence[b]! / weight,
    accuracy: correct[b]! / weight,
  }));
}

/** Mean gap between confidence and accuracy over the samples, bin by bin: the ECE of Guo et al. 2017. */
export function calibrationError(bins: readonly ReliabilityBin[]): number {
  let gap = 0;
  let total = 0;
  for (const bin of bins) {
    if (bin.count > 0) gap += bin.count * Math.abs(bin.accuracy - bin.confidence);
    total += bin.count;
  }
  return gap / total;
}

/** Expected calibration error, 0 to 1, with 15 bins of equal width. */
export function expectedCalibrationError(predictions: Predictions): number {
  return calibrationError(reliability(predictions));
}
