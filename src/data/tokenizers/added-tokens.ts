/** Tokens that are found in a text before the model sees it. */
import { type AlignedText, alignedText, sliceAligned } from './aligned-text.js';
import { countField, flagField, listField, objectField, textField } from './fields.js';
import type { Normalizer } from './normalizers.js';
import { PrefixTrie } from './prefix-trie.js';

/** An entry of `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Only where no letter or digit touches it. */
  readonly single_word: boolean;
  /** White space on this side belongs to the token. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Looked for in the normalized text, in normalized form. */
  readonly normalized: boolean;
  readonly special: boolean;
}

/** @throws WeightsError naming the field that is wrong */
export function readAddedTokens(value: unknown, field: string): AddedToken[] {
  if (value === undefined || value === null) return [];
  return listField(value, field).map((entry, i) => {
    const name = `${field}[${i}]`;
    const config = objectField(entry, name);
    const flag = (key: string, fallback: boolean) =>
      flagField(config[key], `${name}.${key}`, fallback);
    const special = flag('special', false);
    return {
      id: countField(config.id, `${name}.id`),
      content: textField(config.content, `${name}.content`),
      single_word: flag('single_word', false),
      lstrip: flag('lstrip', false),
      rstrip: flag('rstrip', false),
      normalized: flag('normalized', !special),
      special,
    };
  });
}

/** A stretch of text; `token` is the id when it is an added token, else null. */
export interface AddedPart {
  readonly part: AlignedText;
  readonly token: number | null;
}

const WORD_START = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const WORD_END = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const SPACE = /\p{White_Space}/u;

type Finder = (a: AlignedText) => AddedPart[];

/** Finds the longest token at the leftmost place, then goes on behind it. */
function finder(entries: readonly (readonly [pattern: string, token: AddedToken])[]): Finder {
  const trie = new PrefixTrie();
  const first = new Set<number>();
  const tokens: AddedToken[] = [];
  for (const [pattern, token] of entries) {
    if (pattern === '') continue;
    trie.add(pattern, tokens.length);
    tokens.push(token);
    first.add(pattern.charCodeAt(0));
  }
  const longestAt = (text: string, start: number): { end: number; token: AddedToken } | null => {
    let found: { end: number; token: AddedToken } | null = null;
    let node = 0;
    for (let i = start; i < text.length; ) {
      node = trie.child(node, text.charCodeAt(i++));
      if (node < 0) break;
      const value = trie.valueAt(node);
      if (value >= 0) found = { end: i, token: tokens[value]! };
    }
    return found;
  };
  return (a) => {
    const { text } = a;
    const out: AddedPart[] = [];
    let done = 0;
    if (tokens.length === 0) {
      return text === '' ? [] : [{ part: sliceAligned(a, 0, text.length), token: null }];
    }
    for (let i = 0; i < text.length; ) {
      const found = first.has(text.charCodeAt(i)) ? longestAt(text, i) : null;
      if (!found) {
        i++;
        continue;
      }
      let start = i;
      let { end } = found;
      const { token } = found;
      i = end;
      if (token.single_word) {
        const touches =
          WORD_END.test(text.slice(Math.max(0, start - 2), start)) ||
          WORD_START.test(text.slice(end, end + 2));
        if (touches) continue;
      }
      if (token.lstrip) while (start > done && SPACE.test(text[start - 1]!)) start--;
      if (token.rstrip) while (end < text.length && SPACE.test(text[end]!)) end++;
      start = Math.max(start, done);
      if (done < start) out.push({ part: sliceAligned(a, done, start), token: null });
      out.push({ part: sliceAligned(a, start, end), token: token.id });
      done = end;
    }
    if (done < text.length) out.push({ part: sliceAligned(a, done, text.length), token: null });
    return out;
  };
}

/** How added tokens are found, and how they are written when ids become text again. */
export interface AddedVocabulary {
  /**
   * Cuts a text at added tokens and normalizes the rest: tokens that are not normalized first, then,
   * in the normalized rest, the others.
   */
  split(a: AlignedText): AddedPart[];
  /** What the reference writes for an id: the normalized form of a normalized token. */
  readonly written: ReadonlyMap<number, string>;
}

/** Tokens with the normalizer that the text between them passes. */
export function addedVocabulary(
  tokens: readonly AddedToken[],
  normalizer: Normalizer | null,
): AddedVocabulary {
  const form = (token: AddedToken) =>
    token.normalized && normalizer ? normalizer(alignedText(token.content)).text : token.content;
  const verbatim = finder(tokens.filter((t) => !t.normalized).map((t) => [t.content, t]));
  const normalized = finder(tokens.filter((t) => t.normalized).map((t) => [form(t), t]));
  return {
    written: new Map(tokens.map((t) => [t.id, form(t)])),
    split: (a) =>
      verbatim(a).flatMap((found) =>
        found.token === null
          ? normalized(normalizer ? normalizer(found.part) : found.part)
          : [found],
      ),
  };
}
