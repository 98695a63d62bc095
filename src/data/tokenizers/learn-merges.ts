/** Byte-pair encoding, learned: the most frequent pair becomes a token, again and again. */
import { Heap } from './heap.js';

/** What {@link learnMerges} starts from and where it stops. */
export interface LearnMergesOptions {
  readonly vocabularySize: number;
  readonly specialTokens: readonly string[];
  /** Characters that get tokens whether they occur or not. */
  readonly alphabet?: Iterable<string>;
  /** Marks tokens inside words, as `##` does. */
  readonly prefix?: string;
  /** Pairs that occur less often are not merged. */
  readonly minFrequency: number;
}

/** A learned vocabulary; the id of a token is its place. */
export interface LearnedMerges {
  readonly tokens: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
}

interface Candidate {
  count: number;
  readonly left: number;
  readonly right: number;
  /** Words that hold the pair; later occurrences come as a candidate of their own. */
  readonly words: ReadonlySet<number>;
}

const byCodePoint = (a: string, b: string) => a.codePointAt(0)! - b.codePointAt(0)!;

/**
 * Learns merges from words and their counts, as the `BpeTrainer` of Hugging Face's tokenizers: ties go
 * to the pair with the lower ids. Ids are special tokens, characters by code point, characters inside
 * words by code point (the reference numbers those by the order of a hash table), merges.
 * @see Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units"
 */
export function learnMerges(
  counts: ReadonlyMap<string, number>,
  { vocabularySize, specialTokens, alphabet = [], prefix = '', minFrequency }: LearnMergesOptions,
): LearnedMerges {
  const tokens: string[] = [];
  const ids = new Map<string, number>();
  const idOf = (token: string): number => {
    let id = ids.get(token);
    if (id === undefined) {
      id = tokens.length;
      tokens.push(token);
      ids.set(token, id);
    }
    return id;
  };
  for (const token of specialTokens) idOf(token);
  const chars = new Set(alphabet);
  const inner = new Set<string>();
  for (const word of counts.keys()) {
    let first = true;
    for (const char of word) {
      chars.add(char);
      if (!first) inner.add(char);
      first = false;
    }
  }
  for (const char of [...chars].sort(byCodePoint)) idOf(char);
  if (prefix !== '') for (const char of [...inner].sort(byCodePoint)) idOf(prefix + char);

  const words: number[][] = [];
  const weights: number[] = [];
  for (const [word, count] of counts) {
    words.push(Array.from(word, (char, i) => idOf(i > 0 ? prefix + char : char)));
    weights.push(count);
  }

  // Ids stay below vocabularySize, so this is one to one.
  const size = Math.max(vocabularySize, tokens.length) + 1;
  const pairCounts = new Map<number, number>();
  let found = new Map<number, Set<number>>();
  const note = (left: number, right: number, word: number, change: number): void => {
    const key = left * size + right;
    pairCounts.set(key, (pairCounts.get(key) ?? 0) + change * weights[word]!);
    if (change < 0) return;
    const where = found.get(key);
    if (where) where.add(word);
    else found.set(key, new Set([word]));
  };
  words.forEach((word, w) => {
    for (let i = 0; i + 1 < word.length; i++) note(word[i]!, word[i + 1]!, w, 1);
  });
  const queue = new Heap<Candidate>((a, b) =>
    a.count !== b.count
      ? a.count > b.count
      : a.left !== b.left
        ? a.left < b.left
        : a.right < b.right,
  );
  const enqueue = (): void => {
    for (const [key, where] of found) {
      const count = pairCounts.get(key)!;
      if (count <= 0) continue;
      queue.push({ count, left: Math.floor(key / size), right: key % size, words: where });
    }
    found = new Map();
  };
  enqueue();

  const merges = new Map<number, readonly [string, string]>();
  while (tokens.length < vocabularySize) {
    const top = queue.pop();
    if (!top) break;
    const key = top.left * size + top.right;
    const count = pairCounts.get(key)!;
    if (top.count !== count) {
      top.count = count;
      queue.push(top);
      continue;
    }
    if (count < Math.max(1, minFrequency)) break;
    const [left, right] = [tokens[top.left]!, tokens[top.right]!];
    const merged = idOf(
      left + (prefix !== '' && right.startsWith(prefix) ? right.slice(prefix.length) : right),
    );
    // A pair that comes again counts where it came last.
    merges.delete(key);
    merges.set(key, [left, right]);
    for (const w of top.words) {
      words[w] = mergeIn(words[w]!, top.left, top.right, merged, (a, b, change) =>
        note(a, b, w, change),
      );
    }
    enqueue();
  }
  return { tokens, merges: [...merges.values()] };
}

/** The word with every `left right` replaced, from left to right, telling which pairs come and go. */
function mergeIn(
  word: readonly number[],
  left: number,
  right: number,
  merged: number,
  note: (left: number, right: number, change: 1 | -1) => void,
): number[] {
  const out: number[] = [];
  for (let i = 0; i < word.length; ) {
    if (word[i] !== left || word[i + 1] !== right) {
      out.push(word[i++]!);
      continue;
    }
    const before = out.at(-1);
    if (before !== undefined) {
      note(before, left, -1);
      note(before, merged, 1);
    }
    const after = word[i + 2];
    if (after !== undefined) {
      note(right, after, -1);
      note(merged, after, 1);
    }
    out.push(merged);
    i += 2;
  }
  return out;
}
