/** Sentence similarity: an embedding for each text, near to that of a text that means the same. */
import type { SimilarTexts } from '../data/index.js';
import { DataError } from '../errors.js';
import { constantOf, hostTensor, type Tensor } from '../graph/index.js';
import { pearson, spearman } from '../metrics/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import {
  add,
  concat,
  crossEntropy,
  matmul,
  mul,
  reshape,
  slice,
  sub,
  sum,
  transpose,
} from '../ops/index.js';
import type { Metrics, Row } from './define-task.js';
import { DEFAULT_POOLING, type Pooling, pooled, unitRows } from './pooling.js';
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

/** The two halves of rows, one for the first and one for the second texts. */
function halves(all: Tensor): [Tensor, Tensor] {
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

/** Cosine of the angle between two embeddings of any length. */
export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return dot / Math.max(Math.sqrt(aa * bb), 1e-12);
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
  /** How embeddings are made of tokens'; the mean, of length 1, by default. */
  readonly pooling?: Pooling;
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
  { range, pooling: { mode, normalize } = DEFAULT_POOLING }: SimilarityOptions = {},
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
      const [a, b] = halves(unitRows(pooled(hidden, mask!, mode)));
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
    keep: (hidden, { [TEXT_INPUTS.mask]: mask }) => {
      const rows = pooled(hidden, mask!, mode);
      return concat(halves(normalize ? unitRows(rows) : rows), 1);
    },
    score: ({ rows, truth }): Metrics => {
      const width = (rows[0]?.data.length ?? 0) / 2;
      if (!scored) return { accuracy: nearestAccuracy(rows, width) };
      const found = rows.map(({ data }) => cosine(data.subarray(0, width), data.subarray(width)));
      const right = truth.map((score) => score ?? 0);
      return { spearman: spearman(found, right), pearson: pearson(found, right) };
    },
  };
}
