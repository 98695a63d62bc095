/** Several classes a sample: precision, recall and F1 as scikit-learn computes them. */
import { ConfigError } from '../errors.js';
import type { Averages } from './per-class.js';

/** Predicted and right classes, as 0 and 1. */
export interface MultiLabelPredictions {
  /** [n, classes], row by row. */
  readonly predicted: ArrayLike<number>;
  /** [n, classes], row by row. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** Scores of a classifier for several classes a sample. What divides by zero is 0. */
export interface MultiLabelScores {
  /** Over all decisions. */
  readonly micro: Averages;
  /** Mean over all classes, absent ones included. */
  readonly macro: Averages;
  /** Mean by how often a class is there. */
  readonly weighted: Averages;
  readonly perClass: readonly Averages[];
  /** Share of the samples with exactly the right classes. */
  readonly exactMatch: number;
}

const ratio = (a: number, b: number): number => (b > 0 ? a / b : 0);

const scores = (hits: number, predicted: number, support: number): Averages => ({
  precision: ratio(hits, predicted),
  recall: ratio(hits, support),
  f1: ratio(2 * hits, predicted + support),
});

function check({ predicted, labels, classes }: MultiLabelPredictions): number {
  const count = labels.length / classes;
  if (!Number.isInteger(classes) || classes < 1 || !Number.isInteger(count) || count < 1) {
    throw new ConfigError(
      `metrics: ${labels.length} labels are no [samples, ${classes}] with at least one sample.`,
      { labels: labels.length, classes },
    );
  }
  if (predicted.length !== labels.length) {
    throw new ConfigError(
      `metrics: ${predicted.length} predictions for ${labels.length} labels; both are [samples, classes].`,
      { predicted: predicted.length, labels: labels.length },
    );
  }
  for (const values of [predicted, labels]) {
    for (let i = 0; i < values.length; i++) {
      if (values[i] !== 0 && values[i] !== 1) {
        throw new ConfigError(
          `metrics: sample ${Math.floor(i / classes)} has ${values[i]} for class ${i % classes}; expected 0 or 1. Probabilities are compared with a threshold first.`,
          { index: i, value: values[i] },
        );
      }
    }
  }
  return count;
}

/**
 * Scores of several classes a sample.
 * @throws ConfigError for lengths that do not fit, or values other than 0 and 1
 */
export function multiLabelScores(p: MultiLabelPredictions): MultiLabelScores {
  const { predicted, labels, classes } = p;
  const count = check(p);
  const [hits, given, support] = [0, 1, 2].map(() => new Float64Array(classes)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let exact = 0;
  for (let i = 0; i < count; i++) {
    let same = true;
    for (let c = 0; c < classes; c++) {
      const [was, is] = [predicted[i * classes + c]!, labels[i * classes + c]!];
      hits[c]! += was * is;
      given[c]! += was;
      support[c]! += is;
      same &&= was === is;
    }
    if (same) exact++;
  }
  const perClass = Array.from(hits, (h, c) => scores(h, given[c]!, support[c]!));
  const sum = (values: Float64Array) => values.reduce((a, v) => a + v, 0);
  const mean = (weights: ArrayLike<number>): Averages => {
    const of = (name: keyof Averages) =>
      ratio(
        perClass.reduce((s, score, c) => s + score[name] * weights[c]!, 0),
        Array.from(weights).reduce((a, w) => a + w, 0),
      );
    return { precision: of('precision'), recall: of('recall'), f1: of('f1') };
  };
  return {
    micro: scores(sum(hits), sum(given), sum(support)),
    macro: mean(new Float64Array(classes).fill(1)),
    weighted: mean(support),
    perClass,
    exactMatch: exact / count,
  };
}

/**
 * Precision, recall and F1 of one class against the rest: scikit-learn's `average='binary'`.
 * @param predicted class of each sample
 * @param labels right class of each
 * @throws ConfigError for no samples or another number of them
 */
export function binaryScores(
  predicted: ArrayLike<number>,
  labels: ArrayLike<number>,
  positive = 1,
): Averages {
  const is = (values: ArrayLike<number>) => Array.from(values, (v) => (v === positive ? 1 : 0));
  return multiLabelScores({ predicted: is(predicted), labels: is(labels), classes: 1 }).micro;
}
