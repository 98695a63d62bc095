/** Patterns of a tokenizer's file: where they match. */
import * as library from '@huggingface/tokenizers';
import { WeightsError } from '../../errors.js';

// The library's declarations name their files without endings, which this module system cannot follow.
const { SplitPreTokenizer } = library as unknown as {
  readonly SplitPreTokenizer: new (config: {
    readonly type: 'Split';
    readonly pattern: { readonly Regex: string };
    readonly behavior: 'Isolated';
    readonly invert: false;
  }) => { readonly pattern: RegExp };
};

/**
 * Longer patterns are refused. The longest in use (o200k's) has some 300 characters. A short
 * pattern can still backtrack for ever on a hostile text: JavaScript cannot limit that, so a
 * tokenizer.json of unknown origin with regular expressions is as trusted as a program.
 */
export const MAX_PATTERN_LENGTH = 4096;

/** Finds all matches in a text, in order: empty ones too, unless the one before ends there. */
export type Matcher = (text: string) => [start: number, end: number][];

function matcherOf(pattern: RegExp): Matcher {
  return (text) => {
    const found: [number, number][] = [];
    let last = -1;
    for (const match of text.matchAll(pattern)) {
      const end = match.index + match[0].length;
      if (end === match.index && end === last) continue;
      found.push([match.index, end]);
      last = end;
    }
    return found;
  };
}

/** Matches of a string. */
export function literalMatcher(literal: string): Matcher {
  return (text) => {
    const found: [number, number][] = [];
    if (literal === '') return found;
    for (let at = text.indexOf(literal); at >= 0; at = text.indexOf(literal, at + literal.length)) {
      found.push([at, at + literal.length]);
    }
    return found;
  };
}

/**
 * A matcher for `{ "Regex": ... }` or `{ "String": ... }`. Regular expressions are Oniguruma's,
 * translated by @huggingface/tokenizers: possessive quantifiers and atomic groups become ordinary
 * ones, `\G` does not work.
 * @param field where the pattern stands in the file, for messages
 * @throws WeightsError when the pattern is too long or cannot be translated
 */
export function readPattern(pattern: unknown, field: string): Matcher {
  const { Regex, String: literal } = (pattern ?? {}) as { Regex?: unknown; String?: unknown };
  const source = Regex ?? literal;
  if (typeof source !== 'string') {
    throw new WeightsError(
      `${field} of the tokenizer is no pattern: expected { "Regex": "..." } or { "String": "..." }.`,
      { field },
      { code: 'tokenizer' },
    );
  }
  if (source.length > MAX_PATTERN_LENGTH) {
    throw new WeightsError(
      `${field} of the tokenizer has ${source.length} characters; at most ${MAX_PATTERN_LENGTH} are accepted.`,
      { field, length: source.length },
      { code: 'tokenizer' },
    );
  }
  if (Regex === undefined) return literalMatcher(source);
  try {
    const compiled = new SplitPreTokenizer({
      type: 'Split',
      pattern: { Regex: source },
      behavior: 'Isolated',
      invert: false,
    }).pattern;
    return matcherOf(compiled);
  } catch (cause) {
    throw new WeightsError(
      `${field} of the tokenizer, /${source}/, cannot be used here: ${(cause as Error).message}.`,
      { field, pattern: source },
      { code: 'tokenizer', cause },
    );
  }
}
