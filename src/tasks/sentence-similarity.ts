/** Sentence similarity: an embedding for each text, near to that of a text that means the same. */
import type { SimilarTexts } from '../data/index.js';
import { DataError } from '../errors.js';
import { constantOf, hostTensor, type Tensor } from '../graph/index.js';
import { pearson, spearman } from '../metrics/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import {
  add,
  cast,
  concat,
  crossEntropy,
  div,
  matmul,
  maximum,
  mul,
  reshape,
  slice,
  sqrt,
  sub,
  sum,
  transpose,
} from '../ops/index.js';
import type { Metrics, Row } from './define-task.js';
import {
  encodeTexts,
  rowWeights,
  type TextBatch,
  type TextRow,
  type TextTask,
  tokenInputs,
} from './text-task.js';

/** Factor of cosines in the softmax over a batch: sentence-transformers' scale. */
const SCALE = 20;
/** Subtracted from the score of a row of padding, which is nobody's partner. */
const NOBODY = 1e9;

/** Mean of the hidden states [rows, tokens, width] of the tokens that `mask` shows, [rows, width]. */
export function meanPooled(hidden: Tensor, mask: Tensor): Tensor {
  const seen = reshape(cast(mask, 'float32'), [...mask.shape, 1]);
  return div(sum(mul(hidden, seen), { axes: 1 }), maximum(sum(seen, { axes: 1 }), 1));
}

/** Rows [rows, width] of length 1. */
export function unitRows(x: Tensor): Tensor {
  return div(x, maximum(sqrt(sum(mul(x, x), { axes: 1, keepDims: true })), 1e-12));
}

/** Embeddings of first and second texts, [batch, width] each. */
function embeddings(hidden: Tensor, mask: Tensor): [Tensor, Tensor] {
  const all = unitRows(meanPooled(hidden, mask));
  const half = all.shape[0]! / 2;
  const part = (start: number) => slice(all, { starts: [start], ends: [start + half], axes: [0] });
  return [part(0), part(half)];
}

const rowsOf = (rows: readonly TextRow[], part: 'first' | 'second'): TextRow[] =>
  rows.map((row) => {
    if (!row) return null;
    const length = row.labels[0]!;
    const ids = part === 'first' ? row.ids.subarray(0, length) : row.ids.subarray(length);
    return { ...row, ids };
  });

/** Cosine of the angle between two embeddings of length 1. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  for (let i = 0; i < a.length; i++) dot += a[i]! * b[i]!;
  return dot;
}

/** For how many first texts their own second text is the nearest one of all. */
function nearestAccuracy(rows: readonly Row[], width: number): number {
  let right = 0;
  for (const { data } of rows) {
    const own = cosine(data.subarray(0, width), data.subarray(width));
    const best = rows.every(
      (other) => cosine(data.subarray(0, width), other.data.subarray(width)) <= own,
    );
    if (best) right++;
  }
  return right / rows.length;
}

/** Scores that stand for a cosine of 0 and of 1. */
export interface ScoreRange {
  readonly low: number;
  readonly high: number;
}

/**
 * How scores become cosines: those from -1 to 1 are cosines already; of others, such as STS-B's from 0 to 5, the
 * lowest stands for 0 and the highest for 1.
 * @returns null where they are cosines
 * @throws DataError `score-range` where all are the same number, which says nothing of how alike two texts are
 */
export function scoreRange(scores: Iterable<number>): ScoreRange | null {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const score of scores) {
    low = Math.min(low, score);
    high = Math.max(high, score);
  }
  if (low > high || (low >= -1 && high <= 1)) return null;
  if (low < high) return { low, high };
  throw new DataError(
    `Every score is ${low}, so nothing says which texts are more alike. Give scores that differ, or leave their column out: then all pairs are taken as alike.`,
    { score: low },
    { code: 'score-range' },
  );
}

/** What is told of a data set of similar texts. */
export interface SimilarityOptions {
  /** Scores that stand for a cosine of 0 and of 1; absent or null: scores are cosines. */
  readonly range?: ScoreRange | null | undefined;
}

/**
 * Texts that mean the same lie near each other: with scores, the squared difference of cosine and score;
 * without, the multiple-negatives ranking loss, in which the other pairs of a batch are what is not meant.
 * Scores: `pearson` and `spearman` of the cosine, or `accuracy` of the nearest text.
 * @param scored whether the data has a score for each pair
 * @see Reimers and Gurevych, "Sentence-BERT", 2019; Henderson et al., "Efficient natural language response
 * suggestion for Smart Reply", 2017
 */
export function sentenceSimilarity(
  scored: boolean,
  { range }: SimilarityOptions = {},
): TextTask<SimilarTexts, number | null> {
  const cosineOf = (score: number) =>
    range ? (score - range.low) / (range.high - range.low) : score;
  return {
    name: 'sentence-similarity',
    primary: { metric: scored ? 'spearman' : 'accuracy', better: 'higher' },
    head: 'base',
    item: ({ text, text2, score }, tools) => {
      const [first, second] = [encodeTexts(tools, text), encodeTexts(tools, text2)];
      // Both texts in one item; the labels say where the second begins, and how alike they are.
      return {
        ids: Int32Array.from([...first.ids, ...second.ids]),
        typeIds: null,
        labels: Float32Array.of(first.ids.length, cosineOf(score ?? 0)),
        truncated: first.truncated + second.truncated,
      };
    },
    truth: ({ score }) => score ?? null,
    inputs: (rows, place) =>
      tokenInputs([...rowsOf(rows, 'first'), ...rowsOf(rows, 'second')], place),
    targets: (rows): TextBatch => {
      const weights = rowWeights(rows);
      if (!scored) return { weights };
      const scores = rows.map((row) => row?.labels[1] ?? 0);
      return { weights, scores: hostTensor('float32', [rows.length], scores) };
    },
    loss: (hidden, { weights, scores, [TEXT_INPUTS.mask]: mask }) => {
      const [a, b] = embeddings(hidden, mask!);
      const weight = sum(weights!);
      if (scores) {
        const error = sub(sum(mul(a, b), { axes: 1 }), scores);
        return { loss: sum(mul(mul(error, error), weights!)), weight };
      }
      const count = a.shape[0]!;
      const nobody = reshape(mul(sub(weights!, 1), NOBODY), [1, count]);
      const logits = add(mul(matmul(a, transpose(b)), SCALE), nobody);
      const own = hostTensor(
        'int32',
        [count],
        Array.from({ length: count }, (_, i) => i),
      );
      return {
        loss: crossEntropy(logits, constantOf(own), { weights: weights!, reduction: 'sum' }),
        weight,
      };
    },
    keep: (hidden, { [TEXT_INPUTS.mask]: mask }) => concat(embeddings(hidden, mask!), 1),
    score: ({ rows, truth }): Metrics => {
      const width = (rows[0]?.data.length ?? 0) / 2;
      if (!scored) return { accuracy: nearestAccuracy(rows, width) };
      const found = rows.map(({ data }) => cosine(data.subarray(0, width), data.subarray(width)));
      const right = truth.map((score) => score ?? 0);
      return { spearman: spearman(found, right), pearson: pearson(found, right) };
    },
  };
}
