/** From logits to probabilities, and to answers for people. */
import { ConfigError } from '../errors.js';
import type { Row } from './define-task.js';

/** Rows of one shape, one after the other. */
export function packedRows(rows: readonly Row[]): {
  readonly values: Float32Array;
  readonly width: number;
} {
  const width = rows[0]?.data.length ?? 0;
  const values = new Float32Array(rows.length * width);
  for (const [i, { data }] of rows.entries()) values.set(data, i * width);
  return { values, width };
}

/** Softmax of each row of logits [count, classes], row-major. */
export function probabilitiesOf({
  logits,
  classes,
}: {
  readonly logits: Float32Array;
  readonly classes: number;
}): Float32Array {
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
