/**
 * What is done to the scores of the next word before one is chosen. Each works on one text, in place, on
 * float32 as transformers does; source of the definitions: its generation/logits_process.py.
 */
import { ConfigError } from '../errors.js';

/** What has been written of one text. */
export interface Written {
  /** The prompt that the decoder read (for an encoder-decoder its start token), and what was written. */
  readonly ids: readonly number[];
  /** How many of `ids` are the prompt. */
  readonly promptLength: number;
}

/** Changes the scores [vocabulary] of the next word; -Infinity forbids one. */
export type Processor = (scores: Float32Array, text: Written) => void;

const { fround } = Math;
const FORBIDDEN = Number.NEGATIVE_INFINITY;

/** Everything but these words is forbidden; their scores become 0. */
function force(scores: Float32Array, words: readonly number[]): void {
  scores.fill(FORBIDDEN);
  for (const word of words) scores[word] = 0;
}

function forbid(scores: Float32Array, words: readonly number[]): void {
  for (const word of words) scores[word] = FORBIDDEN;
}

/** Scores divided by the temperature: below 1 sharper, above 1 flatter. @throws ConfigError unless above 0 */
export function temperature(value: number): Processor {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
    throw new ConfigError(`generate: the temperature must be above 0, got ${value}.`, { value });
  }
  return (scores) => {
    for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! / value;
  };
}

/** The `count`-th largest score. */
function largest(scores: Float32Array, count: number): number {
  if (count >= scores.length) return FORBIDDEN;
  // Few are wanted of many: a heap of the best so far, the least of them on top.
  const heap = new Float32Array(count).fill(FORBIDDEN);
  for (const score of scores) {
    if (!(score > heap[0]!)) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= score) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = score;
  }
  return heap[0]!;
}

/** Only the `count` best words, and those that are as good as the last of them. @throws ConfigError below 1 */
export function topK(count: number): Processor {
  if (!Number.isInteger(count) || count < 1) {
    throw new ConfigError(`generate: top-k must be a whole number from 1 on, got ${count}.`, {
      count,
    });
  }
  return (scores) => {
    const least = largest(scores, count);
    for (let i = 0; i < scores.length; i++) if (scores[i]! < least) scores[i] = FORBIDDEN;
  };
}

/** Chances of the words by their scores: softmax, in float64. */
export function chances(scores: Float32Array): Float64Array {
  let best = FORBIDDEN;
  for (const score of scores) if (score > best) best = score;
  const out = new Float64Array(scores.length);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) {
    const value = Math.exp(scores[i]! - best);
    out[i] = value;
    sum += value;
  }
  for (let i = 0; i < out.length; i++) out[i]! /= sum;
  return out;
}

/** log softmax of one row, in float32. */
export function logChances(logits: Float32Array): Float32Array {
  let best = Number.NEGATIVE_INFINITY;
  for (const value of logits) if (value > best) best = value;
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - best);
  const shift = best + Math.log(sum);
  return logits.map((value) => value - shift);
}

/**
 * Only the best words whose chances together reach `share`. @throws ConfigError outside 0 to 1
 * @see Holtzman et al., "The curious case of neural text degeneration", 2020
 */
export function topP(share: number): Processor {
  if (!(share >= 0 && share <= 1)) {
    throw new ConfigError(`generate: top-p must lie between 0 and 1, got ${share}.`, { share });
  }
  return (scores) => {
    const p = chances(scores);
    // Words that are forbidden already take no part: they would only be sorted.
    const words: number[] = [];
    for (let i = 0; i < p.length; i++) if (p[i]! > 0) words.push(i);
    words.sort((a, b) => p[a]! - p[b]! || a - b);
    let below = 0;
    for (const word of words.slice(0, -1)) {
      below += p[word]!;
      if (below > 1 - share) break;
      scores[word] = FORBIDDEN;
    }
  };
}

/** Only words with at least this part of the best word's chance. @throws ConfigError outside 0 to 1 */
export function minP(part: number): Processor {
  if (!(part >= 0 && part <= 1)) {
    throw new ConfigError(`generate: min-p must lie between 0 and 1, got ${part}.`, { part });
  }
  return (scores) => {
    const p = chances(scores);
    let best = 0;
    for (const value of p) if (value > best) best = value;
    for (let i = 0; i < p.length; i++) if (p[i]! < part * best) scores[i] = FORBIDDEN;
  };
}

/**
 * Words that were read or written already are made less likely by this factor. @throws ConfigError unless above 0
 * @see Keskar et al., "CTRL", 2019
 */
export function repetitionPenalty(penalty: number): Processor {
  if (!(penalty > 0)) {
    throw new ConfigError(`generate: the repetition penalty must be above 0, got ${penalty}.`, {
      penalty,
    });
  }
  const factor = fround(penalty);
  return (scores, { ids }) => {
    for (const word of new Set(ids)) {
      const score = scores[word];
      if (score !== undefined) scores[word] = score < 0 ? score * factor : score / factor;
    }
  };
}

/** No run of `size` words comes twice. @throws ConfigError below 1 */
export function noRepeatNgram(size: number): Processor {
  if (!Number.isInteger(size) || size < 1) {
    throw new ConfigError(`generate: runs of words must be 1 long at least, got ${size}.`, {
      size,
    });
  }
  return (scores, { ids }) => {
    const start = ids.length + 1 - size;
    for (let from = 0; from < start; from++) {
      let i = 0;
      while (i < size - 1 && ids[from + i] === ids[start + i]) i++;
      if (i === size - 1) scores[ids[from + size - 1]!] = FORBIDDEN;
    }
  };
}

/** These runs of words are never completed; those that only end the text stay allowed. */
export function badWords(
  runs: readonly (readonly number[])[],
  eosTokens: readonly number[],
): Processor {
  const kept = runs.filter((run) => !(run.length === 1 && eosTokens.includes(run[0]!)));
  return (scores, { ids }) => {
    for (const run of kept) {
      const before = ids.length - (run.length - 1);
      if (before >= 0 && run.slice(0, -1).every((word, i) => ids[before + i] === word)) {
        scores[run.at(-1)!] = FORBIDDEN;
      }
    }
  };
}

/** These words never come. */
export function suppressTokens(words: readonly number[]): Processor {
  return (scores) => forbid(scores, words);
}

/** These words do not come first: not as the first word written, or after a forced one as the second. */
export function suppressAtBegin(words: readonly number[], forcedBos: boolean): Processor {
  return (scores, { ids, promptLength }) => {
    const begin = promptLength > 1 || !forcedBos ? promptLength : promptLength + 1;
    if (ids.length === begin) forbid(scores, words);
  };
}

/** The text does not end before so many words are written. */
export function minNewTokens(count: number, eosTokens: readonly number[]): Processor {
  return (scores, { ids, promptLength }) => {
    if (ids.length - promptLength < count) forbid(scores, eosTokens);
  };
}

/** The first word after the start token. */
export function forcedBos(word: number): Processor {
  return (scores, { ids }) => {
    if (ids.length === 1) force(scores, [word]);
  };
}

/** The last word that fits. */
export function forcedEos(words: readonly number[], maxNewTokens: number): Processor {
  return (scores, { ids, promptLength }) => {
    if (ids.length - promptLength === maxNewTokens - 1) force(scores, words);
  };
}

/** Chances of the words that are left sum to 1 again: log softmax, in place. */
export function renormalize(): Processor {
  return (scores) => scores.set(logChances(scores));
}
