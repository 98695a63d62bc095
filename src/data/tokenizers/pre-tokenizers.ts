/** Pre-tokenizers of a tokenizer.json: text to the pieces that the model may not join. */
import {
  type AlignedText,
  mapAligned,
  prependAligned,
  replaceAligned,
  sliceAligned,
  unitsAt,
} from './aligned-text.js';
import { byteLevelAligned } from './byte-alphabet.js';
import {
  byType,
  countField,
  flagField,
  type JsonObject,
  listField,
  objectField,
  shown,
  textField,
  tokenizerFault,
} from './fields.js';
import { literalMatcher, readPattern } from './pattern.js';
import { charMatches, SPLIT_BEHAVIORS, type SplitBehavior, splitAligned } from './split.js';

/** Cuts a text into pieces; none is empty. */
export type PreTokenizer = (a: AlignedText) => AlignedText[];

const SPACE = /\p{White_Space}/u;
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/u;
const NUMERIC = /\p{N}/u;
// Rust's \w and \s; JavaScript's are others.
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;
const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** 0: inside a word, 1: white space, 2: punctuation, 3: outside ASCII. */
const ASCII_KIND = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code);
  return SPACE.test(char) ? 1 : PUNCTUATION.test(char) ? 2 : 0;
});

/** White space out, every punctuation character alone; in one walk, as nearly all text passes here. */
function bertPieces(a: AlignedText): AlignedText[] {
  const { text } = a;
  const out: AlignedText[] = [];
  let start = 0;
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i);
    let kind: number;
    let next = i + 1;
    if (code < 128) kind = ASCII_KIND[code]!;
    else {
      next = i + unitsAt(text, i);
      const char = text.slice(i, next);
      kind = SPACE.test(char) ? 1 : PUNCTUATION.test(char) ? 2 : 0;
    }
    if (kind !== 0) {
      if (start < i) out.push(sliceAligned(a, start, i));
      if (kind === 2) out.push(sliceAligned(a, i, next));
      start = next;
    }
    i = next;
  }
  if (start < text.length) out.push(sliceAligned(a, start, text.length));
  return out;
}

function behaviorField(value: unknown, field: string, fallback?: SplitBehavior): SplitBehavior {
  const behavior = value === undefined ? fallback : value;
  const known = SPLIT_BEHAVIORS.find((b) => b === behavior);
  if (known) return known;
  throw tokenizerFault(field, `is ${shown(value)}; expected one of ${SPLIT_BEHAVIORS.join(', ')}.`);
}

function* regexMatches(text: string, pattern: RegExp): Generator<[number, number]> {
  for (const match of text.matchAll(pattern)) yield [match.index, match.index + match[0].length];
}

function byteLevel(config: JsonObject, field: string): PreTokenizer {
  const addPrefixSpace = flagField(config.add_prefix_space, `${field}.add_prefix_space`, true);
  const useRegex = flagField(config.use_regex, `${field}.use_regex`, true);
  return (a) => {
    const spaced = addPrefixSpace && !a.text.startsWith(' ') ? prependAligned(a, ' ') : a;
    const parts = useRegex
      ? splitAligned(spaced, regexMatches(spaced.text, GPT2), 'Isolated')
      : [spaced];
    return parts.map(byteLevelAligned);
  };
}

function metaspace(config: JsonObject, field: string): PreTokenizer {
  const replacement = textField(config.replacement, `${field}.replacement`, '\u2581');
  let scheme = textField(config.prepend_scheme, `${field}.prepend_scheme`, 'always');
  // Older files say it this way.
  if (config.add_prefix_space === false) scheme = 'never';
  if (!['always', 'first', 'never'].includes(scheme)) {
    throw tokenizerFault(
      `${field}.prepend_scheme`,
      `is ${shown(scheme)}; expected always, first or never.`,
    );
  }
  const split = flagField(config.split, `${field}.split`, true);
  const spaces = literalMatcher(' ');
  const marks = literalMatcher(replacement);
  return (a) => {
    let marked =
      replacement.length === 1
        ? mapAligned(a, a.text.replaceAll(' ', replacement))
        : replaceAligned(a, spaces(a.text), replacement);
    const wanted = scheme === 'always' || (scheme === 'first' && marked.origin === 0);
    if (wanted && !marked.text.startsWith(replacement))
      marked = prependAligned(marked, replacement);
    return split ? splitAligned(marked, marks(marked.text), 'MergedWithNext') : [marked];
  };
}

const KNOWN: Readonly<Record<string, (config: JsonObject, field: string) => PreTokenizer>> = {
  Sequence(config, field) {
    const parts = listField(config.pretokenizers, `${field}.pretokenizers`).map((part, i) => {
      const name = `${field}.pretokenizers[${i}]`;
      return readPreTokenizer(objectField(part, name), name);
    });
    return (a) => parts.reduce((pieces, part) => pieces.flatMap(part), [a]);
  },
  BertPreTokenizer: () => bertPieces,
  ByteLevel: byteLevel,
  Metaspace: metaspace,
  Whitespace: () => (a) => splitAligned(a, regexMatches(a.text, WORDS), 'Removed', true),
  WhitespaceSplit: () => (a) =>
    splitAligned(
      a,
      charMatches(a.text, (c) => SPACE.test(c)),
      'Removed',
    ),
  CharDelimiterSplit(config, field) {
    const matches = literalMatcher(textField(config.delimiter, `${field}.delimiter`));
    return (a) => splitAligned(a, matches(a.text), 'Removed');
  },
  Split(config, field) {
    const matches = readPattern(config.pattern, `${field}.pattern`);
    const behavior = behaviorField(config.behavior, `${field}.behavior`);
    const invert = flagField(config.invert, `${field}.invert`, false);
    return (a) => splitAligned(a, matches(a.text), behavior, invert);
  },
  Punctuation(config, field) {
    const behavior = behaviorField(config.behavior, `${field}.behavior`, 'Isolated');
    return (a) =>
      splitAligned(
        a,
        charMatches(a.text, (c) => PUNCTUATION.test(c)),
        behavior,
      );
  },
  Digits(config, field) {
    const single = flagField(config.individual_digits, `${field}.individual_digits`, false);
    return (a) =>
      splitAligned(
        a,
        charMatches(a.text, (c) => NUMERIC.test(c)),
        single ? 'Isolated' : 'Contiguous',
      );
  },
  FixedLength(config, field) {
    const length = Math.max(1, countField(config.length, `${field}.length`, 5));
    return (a) => {
      const out: AlignedText[] = [];
      for (let i = 0; i < a.text.length; ) {
        let end = i;
        for (let n = 0; n < length && end < a.text.length; n++) end += unitsAt(a.text, end);
        out.push(sliceAligned(a, i, end));
        i = end;
      }
      return out;
    };
  },
};

/** @throws WeightsError naming the field that is wrong or unknown */
export function readPreTokenizer(config: JsonObject, field: string): PreTokenizer {
  return byType(config, field, KNOWN);
}
