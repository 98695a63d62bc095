/** Precision, recall and F1 of each class, and their averages. */
import { type ConfusionMatrix, confusionMatrix, marginals } from './confusion.js';
import type { Predictions } from './predictions.js';

/** How well one class is told from the others. */
export interface ClassScores {
  /** Share of the samples given this class that belong to it; 0 where the class was never given. */
  readonly precision: number;
  /** Share of this class's samples that were given it; 0 where there are none. */
  readonly recall: number;
  /** Harmonic mean of both. */
  readonly f1: number;
  /** Weight of the samples of this class. */
  readonly support: number;
  /** Weight of the samples given this class. */
  readonly predicted: number;
}

/** An average over classes. */
export type Averages = Pick<ClassScores, 'precision' | 'recall' | 'f1'>;

/** One entry a class. What divides by zero is 0: scikit-learn's `zero_division=0`. */
export function classScores(matrix: ConfusionMatrix): ClassScores[] {
  const { classes, counts } = matrix;
  const { actual, predicted } = marginals(matrix);
  return Array.from({ length: classes }, (_, c) => {
    const hits = counts[c * classes + c]!;
    const support = actual[c]!;
    const given = predicted[c]!;
    return {
      precision: given > 0 ? hits / given : 0,
      recall: support > 0 ? hits / support : 0,
      f1: support + given > 0 ? (2 * hits) / (support + given) : 0,
      support,
      predicted: given,
    };
  });
}

function average(scores: readonly ClassScores[], weight: (s: ClassScores) => number): Averages {
  const total = scores.reduce((sum, s) => sum + weight(s), 0);
  const mean = (name: keyof Averages) =>
    scores.reduce((sum, s) => sum + weight(s) * s[name], 0) / total;
  return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
}

/**
 * Plain mean over the classes that occur among the labels or the predictions: scikit-learn's
 * `average='macro'` with its default labels. A class that is only predicted counts with 0, one that
 * does neither does not count.
 */
export function macroAverage(scores: readonly ClassScores[]): Averages {
  return average(scores, (s) => (s.support + s.predicted > 0 ? 1 : 0));
}

/** Mean over the classes by the weight of their samples: scikit-learn's `average='weighted'`. */
export function weightedAverage(scores: readonly ClassScores[]): Averages {
  return average(scores, (s) => s.support);
}

/** Macro F1, the `f1` of results. */
export function macroF1(predictions: Predictions): number {
  return macroAverage(classScores(confusionMatrix(predictions))).f1;
}
