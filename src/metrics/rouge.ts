/** ROUGE (Lin 2004) as Google's `rouge_score` computes it. */
import { ConfigError } from '../errors.js';
import { porterStem } from './porter-stemmer.js';
import { checkSegments } from './segments.js';
import { countGrams, overlap, total } from './words.js';

/** N-grams; longest common subsequence of the whole, or of its lines (`rougeLsum`). */
export type RougeType = `rouge${1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9}` | 'rougeL' | 'rougeLsum';

/** What ROUGE says of a text, 0 to 1. */
export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Options of {@link rouge}. */
export interface RougeOptions {
  /** True: English words are compared by their stems. */
  readonly stemmer?: boolean;
}

/** Runs of a to z and 0 to 9 in lower case: ROUGE knows English only. */
function rougeWords(text: string, stemmer: boolean): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stemmer ? words.map((w) => (w.length > 3 ? porterStem(w) : w)) : [...words];
}

function scoreOf(shared: number, ofText: number, ofReference: number): RougeScore {
  const precision = shared / Math.max(ofText, 1);
  const recall = shared / Math.max(ofReference, 1);
  const sum = precision + recall;
  return { precision, recall, f1: sum > 0 ? (2 * precision * recall) / sum : 0 };
}

/** Length of the longest common subsequence, with two rows of the table. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let before = new Int32Array(b.length + 1);
  let row = new Int32Array(b.length + 1);
  for (const word of a) {
    for (let j = 1; j <= b.length; j++) {
      row[j] = word === b[j - 1] ? before[j - 1]! + 1 : Math.max(before[j]!, row[j - 1]!);
    }
    [before, row] = [row, before];
  }
  return before[b.length]!;
}

/**
 * Positions in `a` of a longest common subsequence: of several the one that the reference code
 * takes.
 */
function commonPositions(a: readonly string[], b: readonly string[]): number[] {
  const width = b.length + 1;
  const table = new Int32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j < width; j++) {
      const at = i * width + j;
      table[at] =
        a[i - 1] === b[j - 1]
          ? table[at - width - 1]! + 1
          : Math.max(table[at - width]!, table[at - 1]!);
    }
  }
  const found: number[] = [];
  for (let [i, j] = [a.length, b.length]; i > 0 && j > 0; ) {
    const at = i * width + j;
    if (a[i - 1] === b[j - 1]) {
      found.push(i - 1);
      i--;
      j--;
    } else if (table[at - 1]! > table[at - width]!) j--;
    else i--;
  }
  return found;
}

/**
 * Union of what each line of the reference has in common with the lines of the text; no word counts
 * twice.
 */
function summaryScore(reference: string[][], hypothesis: string[][]): RougeScore {
  const [mine, theirs] = [hypothesis.flat(), reference.flat()];
  const left = [countGrams(mine, 1), countGrams(theirs, 1)];
  let hits = 0;
  for (const line of reference) {
    const positions = new Set(hypothesis.flatMap((other) => commonPositions(line, other)));
    for (const position of [...positions].sort((x, y) => x - y)) {
      const word = line[position]!;
      if (left.some((counts) => (counts.get(word) ?? 0) === 0)) continue;
      hits++;
      for (const counts of left) counts.set(word, counts.get(word)! - 1);
    }
  }
  return scoreOf(hits, mine.length, theirs.length);
}

function against(
  hypothesis: string,
  reference: string,
  type: RougeType,
  stemmer: boolean,
): RougeScore {
  const words = (text: string) => rougeWords(text, stemmer);
  if (type === 'rougeLsum') {
    const lines = (text: string) => text.split('\n').map(words);
    return summaryScore(lines(reference), lines(hypothesis));
  }
  const [mine, theirs] = [words(hypothesis), words(reference)];
  if (type === 'rougeL') return scoreOf(commonLength(theirs, mine), mine.length, theirs.length);
  const n = Number(/^rouge([1-9])$/.exec(type)?.[1]);
  if (!n) {
    throw new ConfigError(`There is no ${type}; there are rouge1 to rouge9, rougeL, rougeLsum.`, {
      type,
    });
  }
  const [a, b] = [countGrams(mine, n), countGrams(theirs, n)];
  return scoreOf(overlap(a, b), total(a), total(b));
}

/**
 * ROUGE of one text; of several references the one with the best F1 counts.
 * @throws ConfigError for no reference or an unknown type
 * @example
 * sentenceRouge('the cat sat', ['a cat sat down'], 'rougeL').f1;
 */
export function sentenceRouge(
  hypothesis: string,
  references: readonly string[],
  type: RougeType,
  { stemmer = false }: RougeOptions = {},
): RougeScore {
  checkSegments([hypothesis], [references]);
  const scores = references.map((reference) => against(hypothesis, reference, type, stemmer));
  return scores.reduce((best, score) => (score.f1 > best.f1 ? score : best));
}

/**
 * ROUGE of many texts: the mean of each figure over the texts.
 * @param references all references of each text
 * @throws ConfigError for no texts, texts without references, an unknown type
 */
export function rouge(
  hypotheses: readonly string[],
  references: readonly (readonly string[])[],
  type: RougeType,
  options: RougeOptions = {},
): RougeScore {
  checkSegments(hypotheses, references);
  const scores = hypotheses.map((text, i) => sentenceRouge(text, references[i]!, type, options));
  const mean = (name: keyof RougeScore) =>
    scores.reduce((sum, score) => sum + score[name], 0) / scores.length;
  return { precision: mean('precision'), recall: mean('recall'), f1: mean('f1') };
}
