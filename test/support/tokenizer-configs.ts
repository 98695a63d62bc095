/** Many tokenizer.json files that together use every part of the pipeline, and texts that try them. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import fc from 'fast-check';
import {
  createTokenizer,
  fromSentencePiece,
  readSentencePiece,
  trainBpe,
  trainWordPiece,
} from '../../src/data/tokenizers/index.js';

type Json = Readonly<Record<string, unknown>>;

/** Where the golden files of tokenizers lie. */
export const goldenFolder = resolve(import.meta.dirname, '../golden/tokenizers');

/** A golden file of tokenizers, parsed. */
export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(resolve(goldenFolder, name), 'utf8')) as T;
}

/** A model file of SentencePiece. */
export function goldenModel(name: 'unigram' | 'bpe'): Uint8Array {
  return readFileSync(resolve(goldenFolder, `${name}.model`));
}

/** Tokenizers by name. */
export function tokenizerConfigs(): Record<string, Json> {
  const texts = goldenJson<string[]>('corpus.json');
  const wordPiece = trainWordPiece(texts, { vocabularySize: 1200 });
  const bpe = trainBpe(texts, { vocabularySize: 1200 });
  const pieces = (name: 'unigram' | 'bpe', kind = '') =>
    fromSentencePiece(readSentencePiece(goldenModel(name), name), { kind });
  const unigram = pieces('unigram');
  const plain = { ...unigram, normalizer: null, pre_tokenizer: null };
  const normalized = (normalizer: Json): Json => ({ ...plain, normalizer });
  const sequence = (...normalizers: Json[]) => normalized({ type: 'Sequence', normalizers });
  const split = (pre_tokenizer: Json): Json => ({ ...plain, pre_tokenizer });
  const adding = (base: Json, tokens: readonly Json[]): Json => {
    const size = createTokenizer({ tokenizer: base }).vocabularySize;
    const flags = { single_word: false, lstrip: false, rstrip: false };
    const added = tokens.map((t, i) => ({
      id: size + i,
      ...flags,
      normalized: false,
      special: false,
      ...t,
    }));
    return { ...base, added_tokens: [...(base.added_tokens as Json[]), ...added] };
  };
  const roberta = (add_prefix_space: boolean): Json => ({
    ...bpe,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space, use_regex: true, trim_offsets: true },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['<|endoftext|>', 0],
      cls: ['<|endoftext|>', 0],
      trim_offsets: true,
      add_prefix_space,
    },
  });
  const metaspace = (prepend_scheme: string, cut: boolean): Json => ({
    ...unigram,
    pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme, split: cut },
  });
  const behaviors = [
    'Removed',
    'Isolated',
    'MergedWithPrevious',
    'MergedWithNext',
    'Contiguous',
  ].flatMap((behavior): [string, Json][] => [
    [`Punctuation ${behavior}`, split({ type: 'Punctuation', behavior })],
    [
      `Split ${behavior}`,
      split({ type: 'Split', pattern: { Regex: '\\s+|\\d' }, behavior, invert: false }),
    ],
    [
      `Split inverted ${behavior}`,
      split({ type: 'Split', pattern: { Regex: '[a-z]+' }, behavior, invert: true }),
    ],
    [
      `Split text ${behavior}`,
      split({ type: 'Split', pattern: { String: ' ' }, behavior, invert: false }),
    ],
  ]);
  const types = (list: readonly string[], make: (part: Json) => Json) =>
    Object.fromEntries(list.map((type) => [type, make({ type })]));
  const bert = wordPiece.normalizer as Json;
  return {
    wordPiece,
    'wordPiece cased': { ...wordPiece, normalizer: { ...bert, lowercase: false } },
    'wordPiece with accents': { ...wordPiece, normalizer: { ...bert, strip_accents: false } },
    'byte-level BPE': bpe,
    roberta: roberta(true),
    'roberta without prefix': roberta(false),
    'BPE with byte fallback': pieces('bpe'),
    llama: pieces('bpe', 'llama'),
    unigram,
    t5: pieces('unigram', 't5'),
    'xlm-roberta': pieces('unigram', 'xlm-roberta'),
    'added to wordPiece': adding(wordPiece, [
      { content: '[X]', lstrip: true },
      { content: 'Foo bar', normalized: true },
      { content: 'oing', single_word: true, rstrip: true },
      { content: '\u00c9', normalized: true },
    ]),
    'added to BPE': adding(bpe, [
      { content: '<x>', lstrip: true, rstrip: true },
      { content: ' fab ', normalized: true },
      { content: 'fab', single_word: true },
    ]),
    'added to BPE with byte fallback': adding(pieces('bpe'), [
      { content: '<x>', lstrip: true, special: true },
      { content: 'fab', normalized: true },
    ]),
    'Metaspace first': metaspace('first', true),
    'Metaspace never': metaspace('never', false),
    'Metaspace first, added': adding(metaspace('first', true), [{ content: '<x>' }]),
    ...types(
      ['NFC', 'NFD', 'NFKC', 'NFKD', 'Lowercase', 'StripAccents', 'Nmt', 'ByteLevel'],
      normalized,
    ),
    'NFD, NFC': sequence({ type: 'NFD' }, { type: 'NFC' }),
    'NFD, StripAccents, Lowercase': sequence(
      { type: 'NFD' },
      { type: 'StripAccents' },
      { type: 'Lowercase' },
    ),
    Strip: normalized({ type: 'Strip', strip_left: true, strip_right: true }),
    'Strip right': normalized({ type: 'Strip', strip_left: false, strip_right: true }),
    Replace: normalized({ type: 'Replace', pattern: { Regex: ' {2,}|a+' }, content: 'xy' }),
    'Replace, Prepend': sequence(
      { type: 'Replace', pattern: { String: 'e' }, content: '' },
      { type: 'Replace', pattern: { Regex: '\\s' }, content: '__' },
      { type: 'Prepend', prepend: '>>' },
    ),
    ...types(['Whitespace', 'WhitespaceSplit', 'BertPreTokenizer'], split),
    ...Object.fromEntries(behaviors),
    'Digits alone': split({ type: 'Digits', individual_digits: true }),
    Digits: split({ type: 'Digits', individual_digits: false }),
    FixedLength: split({ type: 'FixedLength', length: 3 }),
    CharDelimiterSplit: split({ type: 'CharDelimiterSplit', delimiter: 'e' }),
    'ByteLevel without pattern': {
      ...bpe,
      pre_tokenizer: {
        type: 'ByteLevel',
        add_prefix_space: true,
        use_regex: false,
        trim_offsets: true,
      },
    },
  };
}

// The reference's tables are those of Unicode 8 and 9, so no younger characters.
const MANY = [
  ...'abc the Foo bar THE \u00c9 <x> [X] e\u0301\u0323\u0307 \u00c5\u212b \uac01\u1100\u1161\u11a8',
  ...'\u3000\u00a0\u2003\t\n\r\u0000\u200b\u200d\ufeff\u00ad\ufffd',
  ...'\u{1f600}\u{1f44d}\u{1f3fd}\u{1f468}\u65e5\u672c\u8a9e\u6771\u4eac\u03a3\u03c2\u03c3\u0130\u0131\u00df',
  ...'\ufb01\u2163\u2460\u00bd\u2122a\u0308\u00f6\u0344\u0345\u0334\u1e9b\u0915\u094d\u0937\u093f\u0e01\u0e33',
  ...'\u05e9\u05dc\u0645\u0631\u0951\u3099\u304b\u309a1234567890.,;!?\'"()-_\u2014\u2026\u00ab\u00bb$\u20ac\u00a3',
  ...'+<>=|^~`@#%&*/\\{}\u2581',
];
const RANGES: readonly (readonly [number, number])[] = [
  [0x20, 0x24f],
  [0x391, 0x3c9],
  [0x400, 0x45f],
  [0x4e00, 0x4e80],
  [0x3041, 0x3096],
  [0x1f300, 0x1f320],
];

/** Texts of words, marks, spaces and characters that normalizers change. */
export const hardText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...MANY) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(' ', 'oing', 'ing', ' and', '<x>', '[X]', 'Foo bar', 'fab'),
      },
      {
        weight: 2,
        arbitrary: fc
          .constantFrom(...RANGES)
          .chain(([from, to]) => fc.integer({ min: from, max: to }))
          .map((code) => String.fromCodePoint(code)),
      },
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(''));
