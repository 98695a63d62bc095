/** Substrings that repeat: where the training of a Unigram vocabulary starts. */
import { unitsAt } from './aligned-text.js';

/** A candidate and its weight. */
export interface SeedPiece {
  readonly piece: string;
  readonly weight: number;
}

/** No word holds it: Hugging Face and SentencePiece take the same character as boundary. */
const BOUNDARY = 0;

/** Order of two suffixes, up to the end of their words. */
function compareSuffixes(text: Uint16Array, a: number, b: number): number {
  for (let i = 0; ; i++) {
    const [x, y] = [text[a + i]!, text[b + i]!];
    if (x !== y) return x - y;
    if (x === BOUNDARY) return a - b;
  }
}

/** Number of units that two suffixes begin with alike, words' ends not counted, whole characters only. */
function common(text: Uint16Array, a: number, b: number): number {
  let n = 0;
  while (text[a + n] === text[b + n] && text[a + n] !== BOUNDARY) n++;
  const last = n > 0 ? text[a + n - 1]! : 0;
  return last >= 0xd800 && last <= 0xdbff ? n - 1 : n;
}

const lengthOf = (piece: string): number => [...piece].length;

/**
 * Substrings of two and more characters that occur at least twice in the (distinct) words and do not
 * always go on with the same character, found in a suffix array; by weight, which is length times
 * number of occurrences.
 * @param maxLength in characters
 */
export function repeatedSubstrings(words: Iterable<string>, maxLength: number): SeedPiece[] {
  const joined = `${[...words].join('\0')}\0`;
  const text = Uint16Array.from({ length: joined.length }, (_, i) => joined.charCodeAt(i));
  const starts: number[] = [];
  for (let i = 0; i < joined.length; ) {
    const next = i + unitsAt(joined, i);
    if (text[i] !== BOUNDARY) starts.push(i);
    i = next;
  }
  starts.sort((a, b) => compareSuffixes(text, a, b));
  const found: SeedPiece[] = [];
  // Intervals of suffixes that share a beginning, innermost on top.
  const open: { length: number; from: number }[] = [];
  for (let i = 1; i <= starts.length; i++) {
    const shared = i < starts.length ? common(text, starts[i - 1]!, starts[i]!) : 0;
    let from = i - 1;
    while (open.length > 0 && open.at(-1)!.length > shared) {
      const { length, from: first } = open.pop()!;
      const piece = joined.slice(starts[first]!, starts[first]! + length);
      const characters = lengthOf(piece);
      if (characters >= 2 && characters <= maxLength) {
        found.push({ piece, weight: characters * (i - first) });
      }
      from = first;
    }
    if (shared > 0 && (open.at(-1)?.length ?? 0) < shared) open.push({ length: shared, from });
  }
  return found.sort((a, b) => b.weight - a.weight || (a.piece < b.piece ? 1 : -1));
}
