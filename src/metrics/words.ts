/** Words of a text as Python's `split` finds them: what the referees of text metrics count with. */

/**
 * White space of Python's `str.split`: JavaScript's `\s` has the byte order mark, and lacks U+001C
 * to U+001F and U+0085.
 */
const SPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';

const SPACES = new RegExp(SPACE, 'gu');
const END = new RegExp(`${SPACE}$`, 'u');

/** Pieces between white space; none for a blank text. */
export function wordsOf(text: string): string[] {
  return text.split(SPACES).filter((w) => w !== '');
}

/** The text without white space at its end. */
export function trimEnd(text: string): string {
  return text.replace(END, '');
}

/** How often each n-gram of `items` occurs, joined by spaces, which no item holds. */
export function countGrams(items: readonly string[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i + n <= items.length; i++) {
    const gram = items.slice(i, i + n).join(' ');
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
}

/** Sum of counts. */
export function total(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const n of counts.values()) sum += n;
  return sum;
}

/** What two counts share: the smaller one of each. */
export function overlap(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let shared = 0;
  for (const [gram, n] of a) shared += Math.min(n, b.get(gram) ?? 0);
  return shared;
}
