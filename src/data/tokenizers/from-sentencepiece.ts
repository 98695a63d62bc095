/** tokenizer.json for repositories that hold only a SentencePiece model. */
import { ConfigError } from '../../errors.js';
import { countField, flagField, type JsonObject, tokenizerFault } from './fields.js';
import { addedToken, namedToken, templateProcessing } from './from-vocabulary-files.js';
import { encodeBase64 } from './precompiled.js';
import { PIECE, type SentencePieceModel } from './sentencepiece.js';

type Entry = readonly [token: string, score: number];

const shell = { version: '1.0', truncation: null, padding: null } as const;
const MARK = '\u2581';

const sequence = (key: string, parts: readonly JsonObject[]) => ({
  type: 'Sequence',
  [key]: parts,
});
const replace = (pattern: JsonObject, content: string) => ({ type: 'Replace', pattern, content });
const metaspace = { type: 'Metaspace', replacement: MARK, prepend_scheme: 'always', split: true };

/** Normalizers that do what SentencePiece does before it cuts. */
function normalizers({ charsMap, removeExtraWhitespaces }: SentencePieceModel): JsonObject[] {
  const list: JsonObject[] = [];
  if (charsMap) {
    list.push({ type: 'Precompiled', precompiled_charsmap: encodeBase64(charsMap) });
  }
  if (removeExtraWhitespaces) {
    list.push(replace({ Regex: '\\A +| +\\z' }, ''), replace({ Regex: ' {2,}' }, ' '));
  }
  return list;
}

/** A Unigram over `entries`; pieces never cross words. */
function unigram(
  model: SentencePieceModel,
  entries: readonly Entry[],
  unknown: number,
): JsonObject {
  return {
    ...shell,
    normalizer: sequence('normalizers', normalizers(model)),
    pre_tokenizer: sequence('pretokenizers', [{ type: 'WhitespaceSplit' }, metaspace]),
    post_processor: null,
    decoder: metaspace,
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

function bpe(model: SentencePieceModel, unknown: number): JsonObject {
  const whole = wholePieces(model);
  const before = normalizers(model);
  if (model.addDummyPrefix) before.push({ type: 'Prepend', prepend: MARK });
  before.push(replace({ String: ' ' }, MARK));
  const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
  return {
    ...shell,
    normalizer: sequence('normalizers', before),
    pre_tokenizer: whole,
    post_processor: null,
    decoder: sequence('decoders', [
      replace({ String: MARK }, ' '),
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      ...(model.addDummyPrefix ? [strip] : []),
    ]),
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

function unknownOf({ pieces }: SentencePieceModel, file: string): number {
  const id = pieces.findIndex((p) => p.type === PIECE.unknown);
  if (id < 0) throw tokenizerFault(file, 'has no unknown piece, which every model needs.');
  return id;
}

/** Control pieces (and a Unigram's user-defined ones), as tokens found before the model runs. */
function addedOf({ pieces, modelType }: SentencePieceModel): JsonObject[] {
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
function around(
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

const idsOf = (entries: readonly Entry[]): Map<string, number> =>
  new Map(entries.map(([token], id) => [token, id]));

function entriesOf({ pieces }: SentencePieceModel): Entry[] {
  return pieces.map(({ piece, score }) => [piece, score]);
}

/** T5: the pieces, then the sentinels from the last to the first. */
function t5(model: SentencePieceModel, config: JsonObject, file: string): JsonObject {
  const sentinels = countField(config.extra_ids, 'tokenizer_config.json: extra_ids', 100);
  const entries: Entry[] = [
    ...entriesOf(model),
    ...Array.from({ length: sentinels }, (_, i): Entry => [`<extra_id_${sentinels - 1 - i}>`, 0]),
  ];
  const first = model.pieces.length;
  return {
    ...unigram(model, entries, unknownOf(model, file)),
    added_tokens: [
      ...addedOf(model),
      ...entries.slice(first).map(([token], i) => addedToken(first + i, token)),
    ],
    post_processor: around(idsOf(entries), [], [namedToken(config, 'eos_token', '</s>')]),
  };
}

/**
 * XLM-R: fairseq put its own four tokens first and dropped SentencePiece's three, so that every id is
 * one higher; the mask comes last.
 */
function xlmRoberta(model: SentencePieceModel, config: JsonObject): JsonObject {
  const names = (['bos', 'pad', 'eos', 'unk'] as const).map((key) =>
    namedToken(
      config,
      `${key}_token`,
      { bos: '<s>', pad: '<pad>', eos: '</s>', unk: '<unk>' }[key],
    ),
  );
  const mask = namedToken(config, 'mask_token', '<mask>');
  const entries: Entry[] = [
    ...names.map((token): Entry => [token, 0]),
    ...entriesOf(model).slice(3),
    [mask, 0],
  ];
  const eos = names[2]!;
  return {
    ...unigram(model, entries, 3),
    added_tokens: [
      ...names.map((token, id) => addedToken(id, token)),
      addedToken(entries.length - 1, mask, true),
    ],
    post_processor: around(idsOf(entries), [names[0]!], [eos], [eos]),
  };
}

/** Llama and its kin: the ids of the file; `<s>` before each text. */
function llama(model: SentencePieceModel, config: JsonObject, file: string): JsonObject {
  const base =
    model.modelType === 1
      ? unigram(model, entriesOf(model), unknownOf(model, file))
      : bpe(model, unknownOf(model, file));
  const ids = idsOf(entriesOf(model));
  const bos = namedToken(config, 'bos_token', '<s>');
  const eos = namedToken(config, 'eos_token', '</s>');
  const field = (key: string) => `tokenizer_config.json: ${key}`;
  const before = flagField(config.add_bos_token, field('add_bos_token'), true) ? [bos] : [];
  const after = flagField(config.add_eos_token, field('add_eos_token'), false) ? [eos] : [];
  return {
    ...base,
    added_tokens: addedOf(model),
    post_processor: templateProcessing(
      [...before, ['A', 0], ...after],
      [...before, ['A', 0], ...after, ...before, ['B', 1], ...after],
      Object.fromEntries(
        [...before, ...after].map((token) => {
          const id = ids.get(token);
          if (id === undefined) throw tokenizerFault(file, `lacks '${token}'.`);
          return [token, id];
        }),
      ),
    ),
  };
}

const KINDS: readonly (readonly [
  RegExp,
  (model: SentencePieceModel, config: JsonObject, file: string) => JsonObject,
])[] = [
  [/^(?:u?mt5|t5)/i, t5],
  [/^xlm-?_?roberta/i, xlmRoberta],
  [/^(?:code_?)?(?:llama|mistral|mixtral|gemma|phi-?3)/i, llama],
];

/**
 * tokenizer.json of a SentencePiece model.
 * @param kind `tokenizer_class` or `model_type`; '' when neither is known: the ids of the file, no
 * special tokens around texts
 * @throws ConfigError for kinds that renumber the pieces in ways that are not known here
 */
export function fromSentencePiece(
  model: SentencePieceModel,
  {
    config = {},
    kind = '',
    file = 'tokenizer.model',
  }: {
    readonly config?: JsonObject;
    readonly kind?: string;
    readonly file?: string;
  } = {},
): JsonObject {
  if (model.modelType !== 1 && model.modelType !== 2) {
    throw new ConfigError(
      `'${file}' is a SentencePiece model of words or characters; only Unigram and BPE can be used.`,
      { file, modelType: model.modelType },
    );
  }
  const known = KINDS.find(([pattern]) => pattern.test(kind));
  if (known) return known[1](model, config, file);
  if (kind !== '') {
    throw new ConfigError(
      `The tokenizer of a '${kind}' cannot be made from '${file}' alone. Save it once as tokenizer.json: AutoTokenizer.from_pretrained(...).save_pretrained(...) in Python.`,
      { kind, file },
    );
  }
  const unknown = unknownOf(model, file);
  const base =
    model.modelType === 1 ? unigram(model, entriesOf(model), unknown) : bpe(model, unknown);
  return { ...base, added_tokens: addedOf(model) };
}

/**
 * Marian: one SentencePiece model cuts, but ids are those of vocab.json, which source and target
 * share.
 * @param vocabulary vocab.json
 * @throws WeightsError when vocab.json lacks `</s>` or `<unk>`
 */
export function fromMarian(
  model: SentencePieceModel,
  vocabulary: JsonObject,
  config: JsonObject = {},
): JsonObject {
  const scores = new Map(model.pieces.map(({ piece, score }) => [piece, score]));
  let lowest = -1;
  for (const { score } of model.pieces) lowest = Math.min(lowest, score);
  // Pieces of the other language may be found only where nothing of this one fits: a piece has at
  // most 16 characters, so 64 times the lowest score is below every way to spell it.
  const foreign = 64 * lowest;
  const entries: Entry[] = [];
  for (const [token, id] of Object.entries(vocabulary)) {
    entries[countField(id, `vocab.json['${token}']`)] = [token, scores.get(token) ?? foreign];
  }
  for (let id = 0; id < entries.length; id++) {
    if (!entries[id]) throw tokenizerFault('vocab.json', `has no token with id ${id}.`);
  }
  const ids = idsOf(entries);
  const eos = namedToken(config, 'eos_token', '</s>');
  const unknown = namedToken(config, 'unk_token', '<unk>');
  const pad = namedToken(config, 'pad_token', '<pad>');
  for (const token of [eos, unknown]) {
    if (!ids.has(token)) throw tokenizerFault('vocab.json', `lacks '${token}'.`);
  }
  return {
    ...unigram(model, entries, ids.get(unknown)!),
    added_tokens: [...new Set([eos, unknown, pad])]
      .filter((token) => ids.has(token))
      .map((token) => addedToken(ids.get(token)!, token))
      .sort((a, b) => (a.id as number) - (b.id as number)),
    // A pair is one text after the other, with one end (MarianTokenizer).
    post_processor: templateProcessing([['A', 0], eos], [['A', 0], ['B', 0], eos], {
      [eos]: ids.get(eos)!,
    }),
  };
}
