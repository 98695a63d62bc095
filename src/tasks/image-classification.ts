/** Image classification: one class a picture. */
import { ConfigError } from '../errors.js';
import { classificationMetrics } from '../metrics/index.js';
import { softCrossEntropy, sum } from '../ops/index.js';
import { defineTask, type TaskOutputs } from './define-task.js';

/** Softmax of each row of logits [count, classes], row-major. */
export function probabilitiesOf({
  logits,
  classes,
}: Pick<TaskOutputs, 'logits' | 'classes'>): Float32Array {
  const out = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    let total = 0;
    for (let i = 0; i < classes; i++) total += Math.exp(row[i]! - most);
    for (let i = 0; i < classes; i++) out[start + i] = Math.exp(row[i]! - most) / total;
  }
  return out;
}

/** A class with its probability. */
export interface Answer {
  readonly label: string;
  readonly probability: number;
}

/** The `k` most probable classes, the most probable first. */
export function topAnswers(
  probabilities: ArrayLike<number>,
  labels: readonly string[],
  k: number,
): Answer[] {
  if (probabilities.length !== labels.length) {
    throw new ConfigError(
      `topAnswers: ${probabilities.length} probabilities for ${labels.length} labels; give one label a class.`,
    );
  }
  return labels
    .map((label, i) => ({ label, probability: probabilities[i]! }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, k);
}

/**
 * Cross entropy against a distribution a sample (one-hot, smoothed or mixed), scored as a
 * classifier. Reads `targets` [batch, classes] and `weights` [batch] beside the logits.
 */
export const imageClassification = defineTask({
  name: 'image-classification',
  primary: { metric: 'accuracy', better: 'higher' },
  loss: (logits, { targets, weights }) => ({
    loss: softCrossEntropy(logits, targets!, { weights: weights!, reduction: 'sum' }),
    weight: sum(weights!),
  }),
  score: ({ logits, classes, labels }) => ({
    ...classificationMetrics({
      probabilities: probabilitiesOf({ logits, classes }),
      labels,
      classes,
    }),
  }),
});
