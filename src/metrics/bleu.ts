/** BLEU (Papineni et al. 2002) by sacreBLEU's definition (Post 2018), with its signature. */
import { ConfigError } from '../errors.js';
import { type BleuTokenizer, bleuWords } from './bleu-tokenizers.js';
import { checkSegments, referenceCount, TEXT_METRICS_VERSION } from './segments.js';
import { countGrams, overlap, total, trimEnd } from './words.js';

/** Longest n-gram. */
const ORDER = 4;

/**
 * What an n-gram order without a match counts as (Chen and Cherry 2014): halves of one match, 1/2,
 * 1/4, ... (`exp`), a small number (`floor`), k more matches and n-grams for orders above one
 * (`add-k`), nothing (`none`: BLEU is then 0).
 */
export type BleuSmoothing = 'exp' | 'floor' | 'add-k' | 'none';

/** Options of {@link bleu}; the defaults are sacreBLEU's. */
export interface BleuOptions {
  /** `13a` by default. */
  readonly tokenizer?: BleuTokenizer;
  /** `exp` by default. */
  readonly smoothing?: BleuSmoothing;
  /** The number of `floor` (0.1 by default) or of `add-k` (1 by default). */
  readonly smoothingValue?: number;
  /** True: upper and lower case count as the same. */
  readonly lowercase?: boolean;
  /** True: orders that the text is too short for do not count. For single sentences. */
  readonly effectiveOrder?: boolean;
}

/** A BLEU score and what it is made of. */
export interface BleuScore {
  /** 0 to 100. */
  readonly score: number;
  /** Of 1- to 4-grams, 0 to 100, smoothed. */
  readonly precisions: readonly number[];
  readonly brevityPenalty: number;
  /** Words of the texts. */
  readonly length: number;
  /** Words of the references nearest in length. */
  readonly referenceLength: number;
  /** How it was computed, in sacreBLEU's words. */
  readonly signature: string;
}

const DEFAULT_VALUE = { exp: undefined, none: undefined, floor: 0.1, 'add-k': 1 } as const;

interface Counts {
  length: number;
  referenceLength: number;
  readonly correct: number[];
  readonly total: number[];
}

/** The length nearest to `length`; of two the shorter. */
function closest(length: number, lengths: readonly number[]): number {
  return lengths.reduce((best, l) => {
    const [a, b] = [Math.abs(l - length), Math.abs(best - length)];
    return a < b || (a === b && l < best) ? l : best;
  });
}

/** Adds the counts of a text to those of the corpus. */
function addSegment(
  counts: Counts,
  hypothesis: string,
  references: readonly string[],
  { tokenizer = '13a', lowercase = false }: BleuOptions,
): void {
  const words = (text: string) =>
    bleuWords(trimEnd(lowercase ? text.toLowerCase() : text), tokenizer);
  const own = words(hypothesis);
  const others = references.map(words);
  counts.length += own.length;
  counts.referenceLength += closest(
    own.length,
    others.map((w) => w.length),
  );
  for (let n = 1; n <= ORDER; n++) {
    const grams = countGrams(own, n);
    const best = new Map<string, number>();
    for (const other of others) {
      for (const [gram, count] of countGrams(other, n)) {
        best.set(gram, Math.max(best.get(gram) ?? 0, count));
      }
    }
    counts.correct[n - 1]! += overlap(grams, best);
    counts.total[n - 1]! += total(grams);
  }
}

function scoreOf(counts: Counts, options: BleuOptions): Omit<BleuScore, 'signature'> {
  const { smoothing = 'exp', effectiveOrder = false } = options;
  const value = options.smoothingValue ?? DEFAULT_VALUE[smoothing] ?? 0;
  const { length, referenceLength } = counts;
  const brevityPenalty =
    length >= referenceLength ? 1 : length > 0 ? Math.exp(1 - referenceLength / length) : 0;
  const precisions = new Array<number>(ORDER).fill(0);
  const made = { precisions, brevityPenalty, length, referenceLength };
  if (counts.correct.every((n) => n === 0)) return { score: 0, ...made };
  let halves = 1;
  let orders = ORDER;
  for (let n = 0; n < ORDER; n++) {
    const more = smoothing === 'add-k' && n > 0 ? value : 0;
    const [correct, all] = [counts.correct[n]! + more, counts.total[n]! + more];
    if (all === 0) break;
    if (effectiveOrder) orders = n + 1;
    if (correct > 0) precisions[n] = (100 * correct) / all;
    else if (smoothing === 'exp') {
      halves *= 2;
      precisions[n] = 100 / (halves * all);
    } else if (smoothing === 'floor') precisions[n] = (100 * value) / all;
  }
  const used = precisions.slice(0, orders);
  const mean = used.reduce((sum, p) => sum + Math.log(p), 0) / orders;
  return { score: brevityPenalty * Math.exp(mean), ...made };
}

function signature(
  references: readonly (readonly string[])[],
  { tokenizer = '13a', smoothing = 'exp', smoothingValue, ...options }: BleuOptions,
): string {
  const value = smoothingValue ?? DEFAULT_VALUE[smoothing];
  const shown = DEFAULT_VALUE[smoothing] === undefined ? '' : `[${value!.toFixed(2)}]`;
  return [
    `nrefs:${referenceCount(references)}`,
    `case:${options.lowercase ? 'lc' : 'mixed'}`,
    `eff:${options.effectiveOrder ? 'yes' : 'no'}`,
    `tok:${tokenizer}`,
    `smooth:${smoothing}${shown}`,
    `version:${TEXT_METRICS_VERSION}`,
  ].join('|');
}

/**
 * BLEU of a corpus: counts are summed over the texts before they are divided.
 * @param hypotheses one text a segment
 * @param references all references of each segment
 * @throws ConfigError for no texts, texts without references, unknown names
 * @example
 * bleu(['the cat sat'], [['the cat sat down', 'a cat sat']]).score;
 */
export function bleu(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  options: BleuOptions = {},
): BleuScore {
  checkSegments(hypotheses, references);
  const { smoothing = 'exp' } = options;
  if (!Object.hasOwn(DEFAULT_VALUE, smoothing)) {
    throw new ConfigError(
      `BLEU has no smoothing "${smoothing}"; it has ${Object.keys(DEFAULT_VALUE).join(', ')}.`,
      { smoothing },
    );
  }
  const zeros = () => new Array<number>(ORDER).fill(0);
  const counts: Counts = { length: 0, referenceLength: 0, correct: zeros(), total: zeros() };
  for (const [i, hypothesis] of hypotheses.entries()) {
    addSegment(counts, hypothesis, references[i]!, options);
  }
  return { ...scoreOf(counts, options), signature: signature(references, options) };
}

/**
 * BLEU of one text; orders that it is too short for do not count unless told so.
 * @throws ConfigError as {@link bleu}
 */
export function sentenceBleu(
  hypothesis: string,
  references: readonly string[],
  options: BleuOptions = {},
): BleuScore {
  return bleu([hypothesis], [references], { effectiveOrder: true, ...options });
}
