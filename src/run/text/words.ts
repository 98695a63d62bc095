/** Words of a text that nobody has taken apart, as sets of tagged words have them. */

/** A word, and where it stands in its text, in UTF-16 units. */
export interface PlacedWord {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Brackets and quotes before a word; brackets, quotes and signs after it. */
const BEFORE = /^[\p{Ps}\p{Pi}"'`]/u;
const AFTER = /(?:[\p{Pe}\p{Pf}"'`,;:!?…]|\.+)$/u;
/** `Ann's` is `Ann` and `'s`. */
const POSSESSIVE = /(?<=[\p{L}\p{N}])['’]s$/u;

/**
 * Takes a text apart at spaces, and marks from the words that they stand at: CoNLL's and most other tagged sets have
 * `Berlin .` for `Berlin.`. Abbreviations with a point within (`U.N.`) keep their last one.
 */
export function wordsIn(text: string): PlacedWord[] {
  const words: PlacedWord[] = [];
  for (const { 0: chunk, index } of text.matchAll(/\S+/gu)) {
    const after: PlacedWord[] = [];
    const word = (from: number, to: number): PlacedWord => ({
      text: chunk.slice(from, to),
      start: index + from,
      end: index + to,
    });
    let [from, to] = [0, chunk.length];
    const cut = (pattern: RegExp) => pattern.exec(chunk.slice(from, to))?.[0] ?? '';
    for (let mark = cut(BEFORE); mark && mark.length < to - from; mark = cut(BEFORE)) {
      words.push(word(from, from + mark.length));
      from += mark.length;
    }
    for (let mark = cut(AFTER); mark && mark.length < to - from; mark = cut(AFTER)) {
      if (mark === '.' && chunk.slice(from, to - 1).includes('.')) break;
      after.unshift(word(to - mark.length, to));
      to -= mark.length;
    }
    const owner = cut(POSSESSIVE);
    if (owner) {
      after.unshift(word(to - owner.length, to));
      to -= owner.length;
    }
    words.push(word(from, to), ...after);
  }
  return words;
}

/** Words that were given, in the text that they make with a space between them. */
export function placedWords(words: readonly string[]): PlacedWord[] {
  let end = -1;
  return words.map((text) => {
    const start = end + 1;
    end = start + text.length;
    return { text, start, end };
  });
}
