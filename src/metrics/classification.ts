/** All metrics of a classifier at once. */
import { accuracy, balancedAccuracy, topKAccuracy } from './accuracy.js';
import { brier, expectedCalibrationError, logLoss } from './calibration.js';
import { confusionMatrix, matthews } from './confusion.js';
import { classScores, macroAverage, weightedAverage } from './per-class.js';
import type { Predictions } from './predictions.js';
import { auroc, averagePrecision } from './ranking.js';

/** Metrics by the names that results, logs and `--json` use. */
export interface ClassificationMetrics {
  readonly accuracy: number;
  /** Right class among the five most probable; only with more than five classes. */
  readonly top5?: number;
  readonly balancedAccuracy: number;
  /** Macro averages. */
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
  readonly f1Weighted: number;
  readonly auroc: number;
  readonly averagePrecision: number;
  readonly matthews: number;
  readonly logLoss: number;
  readonly brier: number;
  readonly calibrationError: number;
}

/** The names of metrics for which less is better. */
export const LOWER_IS_BETTER: ReadonlySet<string> = new Set([
  'loss',
  'logLoss',
  'brier',
  'calibrationError',
]);

/**
 * Every metric of a classifier. AUROC is NaN where it has no meaning (one class only).
 * @throws ConfigError when the predictions do not make sense, see `checkPredictions`
 */
export function classificationMetrics(predictions: Predictions): ClassificationMetrics {
  const scores = classScores(confusionMatrix(predictions));
  return {
    accuracy: accuracy(predictions),
    ...(predictions.classes > 5 ? { top5: topKAccuracy(predictions, 5) } : {}),
    balancedAccuracy: balancedAccuracy(predictions),
    ...macroAverage(scores),
    f1Weighted: weightedAverage(scores).f1,
    auroc: auroc(predictions),
    averagePrecision: averagePrecision(predictions),
    matthews: matthews(predictions),
    logLoss: logLoss(predictions),
    brier: brier(predictions),
    calibrationError: expectedCalibrationError(predictions),
  };
}
