/** A tokenizer from whatever files a repository holds. */
import { ConfigError } from '../../errors.js';
import { createTokenizer } from './create-tokenizer.js';
import { countField, type JsonObject, objectField, tokenizerFault } from './fields.js';
import { fromSentencePiece } from './from-sentencepiece.js';
import { addedToken, fromVocabAndMerges, fromVocabText } from './from-vocabulary-files.js';
import { cuttingPieces, fromMarian, isMarian, type MarianParts } from './marian.js';
import { readSentencePiece } from './sentencepiece.js';
import type { Tokenizer } from './tokenizer.js';

/** Files by name; null where there is none. A `CheckpointFolder` is one. */
export interface TokenizerSource {
  json(file: string): Promise<JsonObject | null>;
  text(file: string): Promise<string | null>;
  bytes(file: string): Promise<Uint8Array | null>;
}

type Side = 'source' | 'target';

/** Choices that the files leave open. */
export interface LoadTokenizerOptions {
  /**
   * Which language of a Marian model; default `source`, whose `target` is the other. A tokenizer.json serves
   * one only, so where Marian's own files are there, they are read.
   */
  readonly side?: Side;
}

const SENTENCEPIECE = ['spiece.model', 'sentencepiece.bpe.model', 'tokenizer.model'];

/** tokenizer.json is larger than other JSON files may be, so it comes as text. */
async function tokenizerJson(source: TokenizerSource): Promise<JsonObject | null> {
  const text = await source.text('tokenizer.json');
  if (text === null) return null;
  try {
    return objectField(JSON.parse(text), 'tokenizer.json');
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw tokenizerFault('tokenizer.json', `is no JSON: ${cause.message}.`);
  }
}

/** Tokens that tokenizer_config.json or added_tokens.json add to a vocabulary file. */
function withAdded(tokenizer: JsonObject, config: JsonObject, older: JsonObject): JsonObject {
  const byId = new Map<number, JsonObject>();
  for (const entry of (tokenizer.added_tokens ?? []) as JsonObject[]) {
    byId.set(entry.id as number, entry);
  }
  for (const [token, given] of Object.entries(older)) {
    const id = countField(given, `added_tokens.json['${token}']`);
    if (!byId.has(id)) byId.set(id, { ...addedToken(id, token), special: false, normalized: true });
  }
  const field = 'tokenizer_config.json: added_tokens_decoder';
  const decoder = objectField(config.added_tokens_decoder ?? {}, field);
  for (const [key, entry] of Object.entries(decoder)) {
    const id = countField(Number(key), `${field} key ${key}`);
    byId.set(id, { ...objectField(entry, `${field}[${key}]`), id });
  }
  return {
    ...tokenizer,
    added_tokens: [...byId.values()].sort((a, b) => (a.id as number) - (b.id as number)),
  };
}

/** From the files of slow tokenizers; null when there are none. */
async function fromOlderFiles(
  source: TokenizerSource,
  config: JsonObject,
): Promise<JsonObject | null> {
  const named = config.tokenizer_class ?? (await source.json('config.json'))?.model_type;
  const kind = typeof named === 'string' ? named : '';
  for (const file of SENTENCEPIECE) {
    const bytes = await source.bytes(file);
    if (bytes) return fromSentencePiece(readSentencePiece(bytes, file), { config, kind, file });
  }
  const vocabText = await source.text('vocab.txt');
  if (vocabText !== null) return fromVocabText(vocabText, config);
  const merges = await source.text('merges.txt');
  const vocabulary = merges === null ? null : await source.json('vocab.json');
  return merges === null || !vocabulary
    ? null
    : fromVocabAndMerges(vocabulary, merges, config, kind);
}

/** Says what is missing. */
function missing(spm: Uint8Array | null, side: Side): ConfigError {
  return new ConfigError(
    spm
      ? `'${side}.spm' needs vocab.json, which gives the ids, beside it.`
      : `There is no tokenizer: expected tokenizer.json, vocab.txt, vocab.json with merges.txt, vocab.json with source.spm and target.spm, or one of ${SENTENCEPIECE.join(', ')}.`,
    {},
    'tokenizer-missing',
  );
}

/** tokenizer_config.json and special_tokens_map.json; `{}` where there is none. */
interface Configs {
  readonly config: JsonObject;
  readonly specialTokensMap: JsonObject;
}

/** Marian's own files; null where they are not all there. */
async function marianParts(
  source: TokenizerSource,
  config: JsonObject,
): Promise<Omit<MarianParts, 'pieces'> | null> {
  const names = ['vocab.json', ...(config.separate_vocabs === true ? ['target_vocab.json'] : [])];
  const files = new Map<string, string>();
  for (const name of names) {
    const vocabulary = await source.json(name);
    if (!vocabulary) return null;
    files.set(name, JSON.stringify(vocabulary));
  }
  const binaryFiles = new Map<string, Uint8Array>();
  for (const name of ['source.spm', 'target.spm']) {
    const bytes = await source.bytes(name);
    if (bytes) binaryFiles.set(name, bytes);
  }
  return { files, binaryFiles };
}

/** A Marian's tokenizer, from SentencePiece's models; null where there is none for that side. */
async function marianTokenizer(
  source: TokenizerSource,
  { config, specialTokensMap }: Configs,
  asked: Side,
): Promise<Tokenizer | null> {
  const parts = await marianParts(source, config);
  if (!parts?.binaryFiles.has(`${asked}.spm`)) return null;
  const older = (await source.json('added_tokens.json')) ?? {};
  const make = (side: Side, target?: Tokenizer): Tokenizer => {
    const file = `${side}.spm`;
    const model = readSentencePiece(parts.binaryFiles.get(file)!, file);
    const own = side === 'target' ? parts.files.get('target_vocab.json') : undefined;
    const vocabulary = JSON.parse(own ?? parts.files.get('vocab.json')!) as JsonObject;
    const made = fromMarian(model, vocabulary, { ...specialTokensMap, ...config });
    return createTokenizer({
      tokenizer: withAdded(made, config, older),
      config,
      specialTokensMap,
      marian: { ...parts, pieces: cuttingPieces(model) },
      ...(target && { target }),
    });
  };
  if (asked === 'target' || !parts.binaryFiles.has('target.spm')) return make(asked);
  return make('source', make('target'));
}

/**
 * The tokenizer of a checkpoint: tokenizer.json, else SentencePiece's model (with Marian's or
 * fairseq's numbering where the model's kind asks for it), vocab.txt, or vocab.json and merges.txt.
 * @throws ConfigError when none of them is there; WeightsError when one is damaged, with its field
 * @example
 * const tokenizer = await loadTokenizer(openCheckpointFolder('bases/bert-base-uncased'));
 * tokenizer.encode('A fine film.', { maxLength: 128 }).ids;
 */
export async function loadTokenizer(
  source: TokenizerSource,
  { side = 'source' }: LoadTokenizerOptions = {},
): Promise<Tokenizer> {
  const config = (await source.json('tokenizer_config.json')) ?? {};
  const specialTokensMap = (await source.json('special_tokens_map.json')) ?? {};
  let tokenizer = await tokenizerJson(source);
  if (!tokenizer || config.tokenizer_class === undefined || isMarian(config)) {
    const marian = await marianTokenizer(source, { config, specialTokensMap }, side);
    if (marian) return marian;
  }
  if (!tokenizer) {
    const older = await fromOlderFiles(source, { ...specialTokensMap, ...config });
    if (!older) throw missing(await source.bytes(`${side}.spm`), side);
    tokenizer = withAdded(older, config, (await source.json('added_tokens.json')) ?? {});
  }
  return createTokenizer({ tokenizer, config, specialTokensMap });
}
