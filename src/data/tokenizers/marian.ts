/** Marian's tokenizers: a SentencePiece model for each language over ids that both share. */
import { ConfigError } from '../../errors.js';
import { countField, type JsonObject, tokenizerFault } from './fields.js';
import { addedToken, namedToken, templateProcessing } from './from-vocabulary-files.js';
import { PIECE, type SentencePieceModel } from './sentencepiece.js';
import { type Entry, idsOf, unigram } from './sentencepiece-parts.js';

/** What a Marian tokenizer has beyond its tokenizer.json. */
export interface MarianParts {
  /**
   * Pieces of its SentencePiece model: texts are cut into these. The vocabulary has those of the other
   * language too, which are found only where they spell a whole stretch that is unknown to this one.
   */
  readonly pieces: ReadonlySet<string>;
  /** What Python's MarianTokenizer reads in the place of tokenizer.json, by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly binaryFiles: ReadonlyMap<string, Uint8Array>;
}

/** Whether a tokenizer_config.json is of a Marian. */
export function isMarian({ tokenizer_class: kind }: JsonObject): boolean {
  return typeof kind === 'string' && kind.startsWith('Marian');
}

/**
 * The language that a text is to be translated to, `>>fra<<` at its beginning; '' where there is none. One
 * token, whatever the SentencePiece model would make of it (MarianTokenizer.remove_language_code).
 */
export function languageCode(text: string): string {
  if (!text.startsWith('>>')) return '';
  const end = text.indexOf('<<');
  return end < 0 ? '' : text.slice(0, end + 2);
}

/** The pieces that a text can be cut into: control pieces are never found in one. */
export function cuttingPieces({ pieces }: SentencePieceModel): ReadonlySet<string> {
  const cutting = new Set([PIECE.normal, PIECE.userDefined, PIECE.byte]);
  return new Set(pieces.filter((p) => cutting.has(p.type)).map((p) => p.piece));
}

/**
 * tokenizer.json of one side of a Marian: one SentencePiece model cuts, but ids are those of vocab.json, which
 * source and target share. It can only come near to what MarianTokenizer gives, for a Unigram has no
 * entries that are not to be found: {@link MarianParts} make up for that.
 * @param vocabulary vocab.json
 * @throws ConfigError for a model that is no Unigram; WeightsError when vocab.json lacks `</s>` or `<unk>`
 */
export function fromMarian(
  model: SentencePieceModel,
  vocabulary: JsonObject,
  config: JsonObject = {},
): JsonObject {
  if (model.modelType !== 1) {
    throw new ConfigError(
      'The SentencePiece model of this Marian is no Unigram, and only Unigram can be used.',
      { modelType: model.modelType },
    );
  }
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
