/** Text classification: one class a text or pair, any number of classes, or a number. */
import type { ClassifiedText, MultiLabelText, ScoredText } from '../data/index.js';
import { hostTensor, type Tensor } from '../graph/index.js';
import { classificationMetrics, multiLabelScores, pearson, spearman } from '../metrics/index.js';
import {
  binaryCrossEntropy,
  mean,
  mul,
  reshape,
  softCrossEntropy,
  squaredError,
  sum,
} from '../ops/index.js';
import { packedRows, probabilitiesOf } from './probabilities.js';
import {
  encodeTexts,
  rowWeights,
  type TextItem,
  type TextRow,
  type TextTask,
  tokenInputs,
} from './text-task.js';

/** What a classifier of texts is told. */
export interface TextClassificationOptions {
  readonly classes: number;
  /** Share of the target that is spread over all classes, 0 to 1. Single-label only. */
  readonly labelSmoothing?: number;
  /** Factor of each class; mean 1. Single-label only. */
  readonly classWeights?: readonly number[] | undefined;
}

type Texts = ClassifiedText | MultiLabelText | ScoredText;

/** What all three kinds share: a row of targets a sample. */
function classifier<S extends Texts, T>(
  width: number,
  labelsOf: (sample: S) => Float32Array,
): Pick<TextTask<S, T>, 'head' | 'item' | 'inputs' | 'targets'> {
  return {
    head: 'sequence-classification',
    item: (sample, tools): TextItem => ({
      ...encodeTexts(tools, sample.text, sample.text2),
      labels: labelsOf(sample),
    }),
    inputs: tokenInputs,
    targets: (rows: readonly TextRow[]) => {
      const data = new Float32Array(rows.length * width);
      for (const [r, row] of rows.entries()) if (row) data.set(row.labels, r * width);
      return {
        targets: hostTensor('float32', [rows.length, width], data),
        weights: rowWeights(rows),
      };
    },
  };
}

/** Mean over the outputs of a sample, weighted and summed over the samples. */
function summed(losses: Tensor, weights: Tensor) {
  return { loss: sum(mul(mean(losses, { axes: 1 }), weights)), weight: sum(weights) };
}

/**
 * One class a text: cross entropy. Scores: `accuracy`, `f1` (macro), `matthews` and the others of a classifier.
 * Reads `targets` [batch, classes] and `weights` [batch] beside the logits.
 */
export function singleLabelClassification({
  classes,
  labelSmoothing = 0,
  classWeights,
}: TextClassificationOptions): TextTask<ClassifiedText, number> {
  const base = classifier<ClassifiedText, number>(classes, ({ label }) => {
    const row = new Float32Array(classes).fill(labelSmoothing / classes);
    row[label]! += 1 - labelSmoothing;
    return row;
  });
  return {
    ...base,
    name: 'text-classification',
    primary: { metric: 'accuracy', better: 'higher' },
    targets: (rows, place) => {
      const batch = base.targets(rows, place);
      if (!classWeights) return batch;
      // The label is where the target is largest, smoothing or not.
      const weights = rows.map((row) =>
        row ? classWeights[(row.labels as Float32Array).indexOf(Math.max(...row.labels))]! : 0,
      );
      return { ...batch, weights: hostTensor('float32', [rows.length], weights) };
    },
    loss: (logits, { targets, weights }) => ({
      loss: softCrossEntropy(logits, targets!, { weights: weights!, reduction: 'sum' }),
      weight: sum(weights!),
    }),
    truth: ({ label }) => label,
    score: ({ rows, truth }) => {
      const { values, width } = packedRows(rows);
      const probabilities = probabilitiesOf({ logits: values, classes: width });
      const labels = Int32Array.from(truth);
      return { ...classificationMetrics({ probabilities, labels, classes: width }) };
    },
  };
}

/**
 * Any number of classes a text: binary cross entropy, a class at a time (mean over classes, as
 * transformers' `multi_label_classification`). A class is predicted where its logit is above 0.
 */
export function multiLabelClassification({
  classes,
}: TextClassificationOptions): TextTask<MultiLabelText, readonly number[]> {
  return {
    ...classifier<MultiLabelText, readonly number[]>(classes, ({ labels }) => {
      const row = new Float32Array(classes);
      for (const label of labels) row[label] = 1;
      return row;
    }),
    name: 'text-classification',
    primary: { metric: 'f1', better: 'higher' },
    loss: (logits, { targets, weights }) =>
      summed(binaryCrossEntropy(logits, targets!, { reduction: 'none' }), weights!),
    truth: ({ labels }) => labels,
    score: ({ rows, truth }) => {
      const predicted = packedRows(rows).values.map((logit) => (logit > 0 ? 1 : 0));
      const right = new Uint8Array(predicted.length);
      for (const [i, own] of truth.entries()) for (const c of own) right[i * classes + c] = 1;
      const { micro, macro, exactMatch } = multiLabelScores({ predicted, labels: right, classes });
      return {
        f1: micro.f1,
        precision: micro.precision,
        recall: micro.recall,
        macroF1: macro.f1,
        exactMatch,
      };
    },
  };
}

/** A number a text: squared error. Scores: `pearson`, `spearman`, `mse`. */
export function textRegression(): TextTask<ScoredText, number> {
  return {
    ...classifier<ScoredText, number>(1, ({ score }) => Float32Array.of(score)),
    name: 'text-classification',
    primary: { metric: 'pearson', better: 'higher' },
    loss: (prediction, { targets, weights }) =>
      summed(
        squaredError(reshape(prediction, targets!.shape), targets!, { reduction: 'none' }),
        weights!,
      ),
    truth: ({ score }) => score,
    score: ({ rows, truth }) => {
      const found = packedRows(rows).values;
      const mse = found.reduce((n, v, i) => n + (v - truth[i]!) ** 2, 0) / truth.length;
      return { pearson: pearson(found, truth), spearman: spearman(found, truth), mse };
    },
  };
}
