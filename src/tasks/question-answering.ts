/** Extractive question answering: where in a context the answer to a question begins and ends. */
import type { AnswerSpan, QuestionSample, TextSample, Tokenizer } from '../data/index.js';
import { ConfigError } from '../errors.js';
import { hostTensor, type Tensor } from '../graph/index.js';
import { answerScores } from '../metrics/index.js';
import { add, crossEntropy, mul, reshape, slice, sum } from '../ops/index.js';
import type { Row } from './define-task.js';
import {
  rowWeights,
  type TextItem,
  type TextRow,
  type TextTask,
  tokenInputs,
} from './text-task.js';

/** A question with a piece of its context that fits into the model. */
export interface QuestionWindow extends TextSample {
  readonly ids: Int32Array;
  readonly typeIds: Int32Array;
  /** First token of the context. */
  readonly from: number;
  /** Where each token of the context begins and ends in it, [tokens, 2], in UTF-16 units. */
  readonly spans: Int32Array;
  /** Tokens at which the answer begins and ends; both 0 (the first token) where it is not in this piece. */
  readonly start: number;
  readonly end: number;
  /** What the window is a piece of, and which, from 0. All pieces of a sample stand together. */
  readonly sample: QuestionSample;
  readonly piece: number;
}

/** Longest answer that is looked for, tokens; the SQuAD scripts' limit. */
const MAX_ANSWER = 30;
/** Likeliest begins and ends that are tried with each other. */
const CANDIDATES = 20;

/** The tokens that hold an answer; null when it does not lie within `spans` as a whole. */
function tokensOf(
  { start, text }: AnswerSpan,
  spans: QuestionWindow['spans'],
): readonly [number, number] | null {
  const end = start + text.length;
  let [first, last] = [-1, -1];
  for (let i = 0; 2 * i < spans.length; i++) {
    const [from, to] = [spans[2 * i]!, spans[2 * i + 1]!];
    if (first < 0 && from <= start && start < to) first = i;
    if (last < 0 && from < end && end <= to) last = i;
  }
  return first >= 0 && last >= first ? [first, last] : null;
}

/**
 * Cuts a context into pieces that overlap by half, each behind the question.
 * @param maxTokens of a window, question and special tokens included
 * @throws ConfigError when the question alone fills a window
 */
export function questionWindows(
  sample: QuestionSample,
  tokenizer: Tokenizer,
  maxTokens: number,
): QuestionWindow[] {
  const { question, context, answers, id } = sample;
  const whole = tokenizer.encode(question, { pair: context });
  const from = whole.sequenceIds.indexOf(1);
  const count = whole.sequenceIds.filter((s) => s === 1).length;
  const room = maxTokens - (whole.ids.length - count);
  if (from < 0 || room < 8) {
    throw new ConfigError(
      `${id}: the question takes ${whole.ids.length - count} of ${maxTokens} tokens, which leaves no room for its context. Raise --max-length, or shorten it.`,
      { id, maxTokens },
      'too-long',
    );
  }
  const [before, after] = [whole.ids.slice(0, from), whole.ids.slice(from + count)];
  const [typesBefore, typesAfter] = [
    whole.typeIds.slice(0, from),
    whole.typeIds.slice(from + count),
  ];
  const windows: QuestionWindow[] = [];
  for (let at = 0; ; at += Math.ceil(room / 2)) {
    const size = Math.min(room, count - at);
    const piece = (list: readonly number[]) => list.slice(from + at, from + at + size);
    // Tokens of the context all have a range; special ones have none.
    const ranges = whole.offsets.slice(from + at, from + at + size) as [number, number][];
    const spans = Int32Array.from(ranges.flat());
    const found = answers.map((a) => tokensOf(a, spans)).find((span) => span !== null);
    windows.push({
      id,
      ids: Int32Array.from([...before, ...piece(whole.ids), ...after]),
      typeIds: Int32Array.from([...typesBefore, ...piece(whole.typeIds), ...typesAfter]),
      from,
      spans,
      start: found ? from + found[0] : 0,
      end: found ? from + found[1] : 0,
      sample,
      piece: windows.length,
    });
    if (at + size >= count) return windows;
  }
}

/** One of the two logits of each token, [batch, tokens]. */
function side(logits: Tensor, index: number): Tensor {
  const [batch, tokens] = logits.shape as [number, number, number];
  const one = slice(logits, { starts: [index], ends: [index + 1], axes: [2] });
  return reshape(one, [batch, tokens]);
}

/** The likeliest span of a window, and how it compares with the likeliest of other windows. */
function bestSpan({ from, spans, sample }: QuestionWindow, { data }: Row) {
  const likeliest = (s: number) =>
    Array.from({ length: spans.length / 2 }, (_, i) => i)
      .sort((a, b) => data[2 * (from + b) + s]! - data[2 * (from + a) + s]!)
      .slice(0, CANDIDATES);
  let best = { score: Number.NEGATIVE_INFINITY, text: '' };
  const textOf = (start: number, end: number) =>
    // Tokens of some tokenizers hold the space before a word; it is no part of the answer.
    sample.context.slice(spans[2 * start], spans[2 * end + 1]).trim();
  const ends = likeliest(1);
  for (const start of likeliest(0)) {
    for (const end of ends) {
      if (end < start || end - start >= MAX_ANSWER) continue;
      const score = data[2 * (from + start)]! + data[2 * (from + end) + 1]!;
      if (score <= best.score) continue;
      const text = textOf(start, end);
      if (text !== '') best = { score, text };
    }
  }
  // The first token stands for "not here".
  return { ...best, nowhere: data[0]! + data[1]! };
}

/** How answers are chosen. */
export interface AnswerOptions {
  /**
   * Whether a question may have no answer: then it is '' where the first token of every window is likelier than
   * the best span of all, as in SQuAD 2's baseline with a threshold of 0. It belongs to the model, which has
   * learned from such questions or not; the questions that are asked say nothing of it. Defaults to false.
   */
  readonly unanswerable?: boolean | undefined;
}

/** The answer to each question, from all windows of its context. */
export function answersOf(
  windows: readonly QuestionWindow[],
  rows: readonly Row[],
  { unanswerable = false }: AnswerOptions = {},
): Map<QuestionSample, string> {
  const best = new Map<QuestionSample, { score: number; text: string; nowhere: number }>();
  let sample: QuestionSample | undefined;
  for (const [i, window] of windows.entries()) {
    const found = bestSpan(window, rows[i]!);
    // Windows on disk each have a sample of their own.
    if (!sample || window.piece === 0) sample = window.sample;
    const before = best.get(sample);
    const nowhere = Math.min(found.nowhere, before?.nowhere ?? Number.POSITIVE_INFINITY);
    const better = !before || found.score > before.score ? found : before;
    best.set(sample, { ...better, nowhere });
  }
  return new Map(
    [...best].map(([sample, { score, text, nowhere }]) => [
      sample,
      unanswerable && nowhere > score ? '' : text,
    ]),
  );
}

/**
 * Begin and end of the answer, each a softmax over the tokens; the loss is the mean of both. Scores are SQuAD's:
 * `f1` of the words and `exactMatch`; where some questions have no answer, both also of those that have one and
 * of those that have none.
 * @see Devlin et al., "BERT", 2018; Rajpurkar et al., "SQuAD", 2016, and "Know what you don't know", 2018
 */
export function questionAnswering(
  options: AnswerOptions = {},
): TextTask<QuestionWindow, QuestionWindow> {
  return {
    name: 'question-answering',
    primary: { metric: 'f1', better: 'higher' },
    head: 'question-answering',
    item: ({ ids, typeIds, start, end }): TextItem => ({
      ids,
      typeIds,
      labels: Int32Array.of(start, end),
      truncated: 0,
    }),
    truth: (window) => window,
    inputs: tokenInputs,
    targets: (rows: readonly TextRow[]) => ({
      starts: hostTensor(
        'int32',
        [rows.length],
        rows.map((r) => r?.labels[0] ?? 0),
      ),
      ends: hostTensor(
        'int32',
        [rows.length],
        rows.map((r) => r?.labels[1] ?? 0),
      ),
      weights: rowWeights(rows),
    }),
    loss: (logits, { starts, ends, weights }) => {
      const of = (index: number, labels: Tensor) =>
        crossEntropy(side(logits, index), labels, { reduction: 'none' });
      const both = mul(add(of(0, starts!), of(1, ends!)), 0.5);
      return { loss: sum(mul(both, weights!)), weight: sum(weights!) };
    },
    score: ({ rows, truth }) => {
      const answers = answersOf(truth, rows, options);
      const samples = [...answers.keys()];
      return {
        ...answerScores(
          samples.map((s) => answers.get(s)!),
          samples.map((s) => s.answers.map((a) => a.text)),
        ),
      };
    },
  };
}
