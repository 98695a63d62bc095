/** chrF and chrF++ (Popović 2015, 2017) by sacreBLEU's definition. */
import { checkSegments, referenceCount, TEXT_METRICS_VERSION } from './segments.js';
import { countGrams, overlap, total, wordsOf } from './words.js';

/** Options of {@link chrf}; the defaults are sacreBLEU's. */
export interface ChrfOptions {
  /** Longest n-gram of characters, 6 by default. */
  readonly charOrder?: number;
  /** Longest n-gram of words: 0 by default; 2 makes it chrF++. */
  readonly wordOrder?: number;
  /** How much more recall counts than precision, 2 by default. */
  readonly beta?: number;
  readonly lowercase?: boolean;
  /** True: white space counts as characters. */
  readonly whitespace?: boolean;
}

/** A chrF score, 0 to 100, with its signature. */
export interface ChrfScore {
  readonly score: number;
  readonly signature: string;
}

const PUNCTUATION = new Set('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~');

/** Words with the punctuation at their end, or else at their beginning, cut off. */
function wordsAndMarks(text: string): string[] {
  return wordsOf(text).flatMap((word) => {
    const chars = [...word];
    if (chars.length === 1) return [word];
    const [first, last] = [chars[0]!, chars.at(-1)!];
    if (PUNCTUATION.has(last)) return [chars.slice(0, -1).join(''), last];
    return PUNCTUATION.has(first) ? [first, chars.slice(1).join('')] : [word];
  });
}

/** How often each n-gram of characters occurs. */
function charGrams(chars: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= chars.length; i++) {
    const gram = chars.slice(i, i + n).join('');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

type Grams = readonly ReadonlyMap<string, number>[];

const lengths = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

function gramsOf(text: string, options: Required<ChrfOptions>): Grams {
  const cased = options.lowercase ? text.toLowerCase() : text;
  const chars = [...(options.whitespace ? cased : wordsOf(cased).join(''))];
  const words = options.wordOrder > 0 ? wordsAndMarks(cased) : [];
  return [
    ...lengths(options.charOrder).map((n) => charGrams(chars, n)),
    ...lengths(options.wordOrder).map((n) => countGrams(words, n)),
  ];
}

/**
 * For each order: n-grams of the text (those that a reference could match), of the reference,
 * shared.
 */
type Counts = readonly (readonly [number, number, number])[];

function countsOf(own: Grams, other: Grams): Counts {
  return own.map((grams, n) => {
    const reference = other[n]!;
    return [reference.size > 0 ? total(grams) : 0, total(reference), overlap(grams, reference)];
  });
}

/** F of the mean precision and recall over the orders that both sides have. */
function fScore(counts: Counts, beta: number): number {
  const used = counts.filter(([own, other]) => own > 0 && other > 0);
  if (used.length === 0) return 0;
  const precision = used.reduce((sum, [own, , shared]) => sum + shared / own, 0) / used.length;
  const recall = used.reduce((sum, [, other, shared]) => sum + shared / other, 0) / used.length;
  if (precision + recall === 0) return 0;
  const factor = beta ** 2;
  return (100 * (1 + factor) * precision * recall) / (factor * precision + recall);
}

/** The counts against the reference with the best score. */
function bestCounts(
  hypothesis: string,
  references: readonly string[],
  options: Required<ChrfOptions>,
): Counts {
  const own = gramsOf(hypothesis, options);
  let best: { readonly counts: Counts; readonly score: number } | undefined;
  for (const reference of references) {
    const counts = countsOf(own, gramsOf(reference, options));
    const score = fScore(counts, options.beta);
    if (!best || score > best.score) best = { counts, score };
  }
  return best!.counts;
}

/**
 * chrF of a corpus: counts against each text's best reference are summed before they are divided.
 * @param hypotheses one text a segment
 * @param references all references of each segment
 * @throws ConfigError for no texts or texts without references
 * @example
 * chrf(texts, references, { wordOrder: 2 }).score; // chrF++
 */
export function chrf(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  options: ChrfOptions = {},
): ChrfScore {
  checkSegments(hypotheses, references);
  const full: Required<ChrfOptions> = {
    charOrder: options.charOrder ?? 6,
    wordOrder: options.wordOrder ?? 0,
    beta: options.beta ?? 2,
    lowercase: options.lowercase ?? false,
    whitespace: options.whitespace ?? false,
  };
  const sums = lengths(full.charOrder + full.wordOrder).map((): [number, number, number] => [
    0, 0, 0,
  ]);
  for (const [i, hypothesis] of hypotheses.entries()) {
    for (const [n, counts] of bestCounts(hypothesis, references[i]!, full).entries()) {
      for (const k of [0, 1, 2] as const) sums[n]![k] += counts[k];
    }
  }
  const signature = [
    `nrefs:${referenceCount(references)}`,
    `case:${full.lowercase ? 'lc' : 'mixed'}`,
    'eff:yes',
    `nc:${full.charOrder}`,
    `nw:${full.wordOrder}`,
    `space:${full.whitespace ? 'yes' : 'no'}`,
    `version:${TEXT_METRICS_VERSION}`,
  ].join('|');
  return { score: fScore(sums, full.beta), signature };
}
