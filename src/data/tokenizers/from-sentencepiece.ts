/** tokenizer.json for repositories that hold only a SentencePiece model. */
import { ConfigError } from '../../errors.js';
import { countField, flagField, type JsonObject, tokenizerFault } from './fields.js';
import { addedToken, namedToken, templateProcessing } from './from-vocabulary-files.js';
import type { SentencePieceModel } from './sentencepiece.js';
import {
  addedOf,
  around,
  bpe,
  type Entry,
  entriesOf,
  idsOf,
  unigram,
  unknownOf,
} from './sentencepiece-parts.js';

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
