/** Parts of a tokenizer.json that come from a SentencePiece model. */
import { ConfigError } from '../../errors.js';
import { alignedText } from './aligned-text.js';
import { type JsonObject, tokenizerFault } from './fields.js';
import { addedToken, templateProcessing } from './from-vocabulary-files.js';
import { encodeBase64, precompiledNormalizer } from './precompiled.js';
import { PIECE, type SentencePieceModel } from './sentencepiece.js';

/** A token and its log probability. */
export type Entry = readonly [token: string, score: number];

const shell = { version: '1.0', truncation: null, padding: null } as const;
const MARK = '\u2581';

const sequence = (key: string, parts: readonly JsonObject[]) => ({
  type: 'Sequence',
  [key]: parts,
});
const replace = (pattern: JsonObject, content: string) => ({ type: 'Replace', pattern, content });
const metaspace = (prepend_scheme: 'always' | 'never', split = true) => ({
  type: 'Metaspace',
  replacement: MARK,
  prepend_scheme,
  split,
});

/** @throws ConfigError for a model that puts its marks elsewhere than before words */
function checkMarks({ escapeWhitespaces, treatWhitespaceAsSuffix }: SentencePieceModel): void {
  if (escapeWhitespaces && !treatWhitespaceAsSuffix) return;
  const [field, value] = escapeWhitespaces
    ? ['treat_whitespace_as_suffix', true]
    : ['escape_whitespaces', false];
  throw new ConfigError(
    `The SentencePiece model has ${field} = ${value}, which is not known here. Train it with the default, or save its tokenizer once as tokenizer.json.`,
    { field, value },
  );
}

/** Normalizers that do what SentencePiece does before it cuts. */
function normalizers(model: SentencePieceModel): JsonObject[] {
  const { charsMap, removeExtraWhitespaces } = model;
  checkMarks(model);
  const list: JsonObject[] = [];
  if (charsMap) {
    list.push({ type: 'Precompiled', precompiled_charsmap: encodeBase64(charsMap) });
  }
  if (removeExtraWhitespaces) {
    // At the end marks go as spaces do. A run begins where none is before it: ` +\z` alone takes
    // quadratic time on long runs within a text.
    const end = `(?<![ ${MARK}])[ ${MARK}]+\\z`;
    for (const [pattern, content] of [
      [' {2,}', ' '],
      [end, ''],
      ['\\A ', ''],
    ] as const) {
      list.push(replace({ Regex: pattern }, content));
    }
  }
  return list;
}

/** Marks are spaces, and bytes characters. @param stripped the space that was put first goes */
function spelled(stripped: boolean): JsonObject {
  return sequence('decoders', [
    replace({ String: MARK }, ' '),
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    ...(stripped ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
  ]);
}

/** Whether a word with the mark before it is cut as it is within a text: no piece spans two of them. */
function cutsByWord(entries: readonly Entry[]): boolean {
  return (
    entries.some(([token]) => token === MARK) &&
    !entries.some(([token]) => token.lastIndexOf(MARK) > 0)
  );
}

/** White space of texts, and the mark itself. */
const SPACES = `\t\n\f\r\u00a0\u1680\u2000\u2003\u2009\u2028\u2029\u202f\u205f\u3000${MARK}`;

/** Whether spaces are the only white space that a normalization leaves, as that of nmt_nfkc does. */
function leavesSpaces({ charsMap, removeExtraWhitespaces }: SentencePieceModel): boolean {
  if (!charsMap || !removeExtraWhitespaces) return false;
  const { text } = precompiledNormalizer(charsMap, 'normalizer_spec')(alignedText(SPACES));
  return /^ *$/.test(text);
}

/**
 * How a text becomes the words that a Unigram cuts, each with the mark in the place of the space before it, and
 * a text again. As a rule the space is left out of the ranges of tokens, not where every space may count.
 */
function words(model: SentencePieceModel, entries: readonly Entry[]) {
  const { addDummyPrefix, removeExtraWhitespaces } = model;
  const before = normalizers(model);
  if (addDummyPrefix && leavesSpaces(model) && cutsByWord(entries)) {
    return {
      normalizer: sequence('normalizers', before),
      pre_tokenizer: sequence('pretokenizers', [{ type: 'WhitespaceSplit' }, metaspace('always')]),
      decoder: metaspace('always'),
    };
  }
  before.push(replace({ String: ' ' }, MARK));
  if (addDummyPrefix) before.push({ type: 'Prepend', prepend: MARK });
  return {
    normalizer: sequence('normalizers', before),
    pre_tokenizer: metaspace('never', cutsByWord(entries)),
    decoder: spelled(addDummyPrefix || removeExtraWhitespaces),
  };
}

/** A Unigram over `entries`. */
export function unigram(
  model: SentencePieceModel,
  entries: readonly Entry[],
  unknown: number,
): JsonObject {
  return {
    ...shell,
    ...words(model, entries),
    post_processor: null,
    model: {
      type: 'Unigram',
      unk_id: unknown,
      vocab: entries,
      byte_fallback: model.byteFallback,
    },
  };
}

/**
 * Merges of a BPE: every way to join two pieces to a third, the best-scored result first.
 * SentencePiece itself has no list of merges, only scores.
 */
function mergesOf({ pieces }: SentencePieceModel): [string, string][] {
  const normal = new Map<string, { score: number; id: number }>();
  pieces.forEach(({ piece, score, type }, id) => {
    if (type === PIECE.normal) normal.set(piece, { score, id });
  });
  const merges: { left: string; right: string; score: number; id: number }[] = [];
  for (const [piece, { score, id }] of normal) {
    for (let cut = 1; cut < piece.length; cut++) {
      const left = piece.slice(0, cut);
      const right = piece.slice(cut);
      if (normal.has(left) && normal.has(right)) merges.push({ left, right, score, id });
    }
  }
  return merges
    .sort((a, b) => b.score - a.score || a.id - b.id)
    .map(({ left, right }) => [left, right]);
}

/** Every character that means something in a pattern, made to mean itself. */
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

/** SentencePiece leaves user-defined pieces whole wherever they stand. */
function wholePieces({ pieces }: SentencePieceModel): JsonObject | null {
  const whole = pieces.filter((p) => p.type === PIECE.userDefined).map((p) => p.piece);
  if (whole.length === 0) return null;
  whole.sort((a, b) => b.length - a.length);
  return {
    type: 'Split',
    pattern: { Regex: whole.map(escaped).join('|') },
    behavior: 'Isolated',
    invert: false,
  };
}

/** A BPE with the ids of the file. */
export function bpe(model: SentencePieceModel, unknown: number): JsonObject {
  const whole = wholePieces(model);
  const before = normalizers(model);
  if (model.addDummyPrefix) before.push({ type: 'Prepend', prepend: MARK });
  before.push(replace({ String: ' ' }, MARK));
  return {
    ...shell,
    normalizer: sequence('normalizers', before),
    pre_tokenizer: whole,
    post_processor: null,
    decoder: spelled(model.addDummyPrefix),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: model.pieces[unknown]!.piece,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: model.byteFallback,
      ignore_merges: whole !== null,
      vocab: Object.fromEntries(model.pieces.map(({ piece }, id) => [piece, id])),
      merges: mergesOf(model),
    },
  };
}

/** Id of the unknown piece. @throws WeightsError when there is none */
export function unknownOf({ pieces }: SentencePieceModel, file: string): number {
  const id = pieces.findIndex((p) => p.type === PIECE.unknown);
  if (id < 0) throw tokenizerFault(file, 'has no unknown piece, which every model needs.');
  return id;
}

/** Control pieces (and a Unigram's user-defined ones), as tokens found before the model runs. */
export function addedOf({ pieces, modelType }: SentencePieceModel): JsonObject[] {
  return pieces.flatMap(({ piece, type }, id) => {
    const found =
      type === PIECE.control ||
      type === PIECE.unknown ||
      (type === PIECE.userDefined && modelType === 1);
    if (!found) return [];
    return [{ ...addedToken(id, piece), special: type !== PIECE.userDefined }];
  });
}

/** Template with `before` and `after` around each text; those that have no id are left out. */
export function around(
  ids: ReadonlyMap<string, number>,
  before: readonly string[],
  after: readonly string[],
  between: readonly string[] = [],
): JsonObject {
  const known = (list: readonly string[]) => list.filter((token) => ids.has(token));
  const [b, a, m] = [known(before), known(after), known(between)];
  return templateProcessing(
    [...b, ['A', 0], ...a],
    [...b, ['A', 0], ...a, ...m, ['B', 0], ...a],
    Object.fromEntries([...b, ...a, ...m].map((token) => [token, ids.get(token)!])),
  );
}

/** Ids by token. */
export const idsOf = (entries: readonly Entry[]): Map<string, number> =>
  new Map(entries.map(([token], id) => [token, id]));

/** The pieces with their scores, in the order of the file. */
export function entriesOf({ pieces }: SentencePieceModel): Entry[] {
  return pieces.map(({ piece, score }) => [piece, score]);
}
