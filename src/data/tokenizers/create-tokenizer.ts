/** A tokenizer from the content of a tokenizer.json. */
import { ConfigError } from '../../errors.js';
import { type AddedToken, addedVocabulary, readAddedTokens } from './added-tokens.js';
import { alignedText } from './aligned-text.js';
import { readBpe } from './bpe.js';
import { type CuttingParts, textTokens, wordTokens } from './cut-texts.js';
import { cleanUpSpaces, readDecoder } from './decoders.js';
import { byType, type JsonObject, objectField } from './fields.js';
import { isMarian, type MarianParts } from './marian.js';
import type { TokenModel } from './model.js';
import { readNormalizer } from './normalizers.js';
import { addedCount, readPostProcessor } from './post-processor.js';
import { readPreTokenizer } from './pre-tokenizers.js';
import { specialTokens, specialTokensMap } from './special-tokens.js';
import type { EncodeOptions, Encoding, Span, Tokenizer } from './tokenizer.js';
import { type TextTokens, trimRanges } from './trim-ranges.js';
import { truncatedLengths } from './truncate.js';
import { readUnigram } from './unigram.js';
import { readWordLevel, readWordPiece } from './word-piece.js';
import { countsOnSpaces, puttingSpaces, spaced } from './word-spaces.js';

/** The files of a tokenizer, parsed. */
export interface TokenizerFiles {
  /** tokenizer.json. */
  readonly tokenizer: JsonObject;
  /** tokenizer_config.json; `{}` when there is none. */
  readonly config?: JsonObject;
  /** special_tokens_map.json. */
  readonly specialTokensMap?: JsonObject;
  /** Of a Marian whose own files are there. */
  readonly marian?: MarianParts;
  /** {@link Tokenizer.target} */
  readonly target?: Tokenizer;
}

/** transformers writes 1e30 where a model has no limit. */
const MAX_SENSIBLE_LENGTH = 1e9;

/** Files of before 2021 name no type. */
function readModel(value: unknown, pieces?: ReadonlySet<string>): TokenModel {
  const config = objectField(value, 'model');
  const guessed = Array.isArray(config.vocab)
    ? 'Unigram'
    : config.merges !== undefined
      ? 'BPE'
      : config.continuing_subword_prefix !== undefined
        ? 'WordPiece'
        : undefined;
  return byType(config.type == null ? { ...config, type: guessed } : config, 'model', {
    WordPiece: readWordPiece,
    WordLevel: readWordLevel,
    BPE: readBpe,
    Unigram: (unigram, field) => readUnigram(unigram, field, pieces),
  });
}

const optional = <T>(value: unknown, field: string, read: (c: JsonObject, f: string) => T) =>
  value === undefined || value === null ? null : read(objectField(value, field), field);

/**
 * Makes a tokenizer of what its files hold. Ids, ranges and word ids are those of Hugging Face's
 * `tokenizers` (the Rust library behind transformers), in UTF-16 units instead of code points.
 * @throws WeightsError naming the field that is damaged or asks for what is not known here
 */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const { tokenizer, config = {}, marian, target } = files;
  const model = readModel(tokenizer.model, marian?.pieces);
  const normalizer = optional(tokenizer.normalizer, 'normalizer', readNormalizer);
  const preTokenizer = optional(tokenizer.pre_tokenizer, 'pre_tokenizer', readPreTokenizer);
  const post = readPostProcessor(
    optional(tokenizer.post_processor, 'post_processor', (c) => c),
    'post_processor',
  );
  const decoder = optional(tokenizer.decoder, 'decoder', readDecoder);
  const added = readAddedTokens(tokenizer.added_tokens, 'added_tokens');
  const { split: splitAdded, written } = addedVocabulary(added, normalizer);

  const addedIds = new Map(added.map((t) => [t.content, t.id]));
  const addedTokens = new Map(added.map((t) => [t.id, t]));
  const { vocabulary } = model;
  const idOf = (token: string) => addedIds.get(token) ?? vocabulary.ids.get(token);
  const tokenOf = (id: number) => addedTokens.get(id)?.content ?? vocabulary.tokens[id];
  let vocabularySize = vocabulary.tokens.length;
  for (const { id } of added) vocabularySize = Math.max(vocabularySize, id + 1);
  const special = {
    ...post.marks,
    ...specialTokens([config, files.specialTokensMap ?? {}], idOf),
  };
  const { model_max_length: told } = config;
  const maxLength =
    typeof told === 'number' && told >= 1 && told < MAX_SENSIBLE_LENGTH ? Math.floor(told) : null;

  const parts: CuttingParts = {
    splitAdded,
    preTokenizer,
    model,
    idOf,
    languageCodes: marian !== undefined || isMarian(config),
  };
  const lacksSpaces = preTokenizer !== null && countsOnSpaces(tokenizer.pre_tokenizer);
  const wordParts = lacksSpaces ? { ...parts, preTokenizer: spaced(preTokenizer) } : parts;
  const wordTrim = lacksSpaces && post.trim ? { addPrefixSpace: true } : post.trim;

  const truncated = (
    texts: readonly TextTokens[],
    options: EncodeOptions,
  ): { kept: readonly number[]; lost: number; addSpecial: boolean } => {
    const {
      maxLength: most,
      truncate = 'longest-first',
      addSpecialTokens: addSpecial = true,
    } = options;
    const lengths = texts.map((t) => t.ids.length);
    const total = lengths.reduce((a, b) => a + b, 0);
    if (most === undefined) return { kept: lengths, lost: 0, addSpecial };
    const template = texts.length > 1 ? post.pair : post.single;
    const specials = addSpecial ? addedCount(template) : 0;
    if (!Number.isInteger(most) || most < specials) {
      throw new ConfigError(
        `maxLength is ${most}, but this tokenizer adds ${specials} special tokens; expected a whole number of at least that.`,
        { maxLength: most, specials },
      );
    }
    const kept = truncatedLengths(lengths, most - specials, truncate);
    return { kept, lost: total - kept.reduce((a, b) => a + b, 0), addSpecial };
  };

  const encodeTexts = (
    texts: readonly TextTokens[],
    options: EncodeOptions,
    trim = post.trim,
  ): Encoding => {
    const { kept, lost, addSpecial } = truncated(texts, options);
    if (trim) for (const text of texts) trimRanges(text, tokenOf, trim);
    const ids: number[] = [];
    const typeIds: number[] = [];
    const offsets: (Span | null)[] = [];
    const wordIds: (number | null)[] = [];
    const sequenceIds: (number | null)[] = [];
    for (const part of texts.length > 1 ? post.pair : post.single) {
      if ('text' in part) {
        const text = texts[part.text]!;
        for (let i = 0; i < kept[part.text]!; i++) {
          ids.push(text.ids[i]!);
          typeIds.push(part.typeId);
          offsets.push([text.starts[i]!, text.ends[i]!]);
          wordIds.push(text.wordIds[i]!);
          sequenceIds.push(part.text);
        }
      } else if (addSpecial) {
        for (const id of part.ids) {
          ids.push(id);
          typeIds.push(part.typeId);
          offsets.push(null);
          wordIds.push(null);
          sequenceIds.push(null);
        }
      }
    }
    return { ids, typeIds, offsets, wordIds, sequenceIds, truncated: lost };
  };

  const read = (text: string, { pair, truncate }: EncodeOptions): TextTokens[] => {
    if (pair !== undefined) return [textTokens(text, parts), textTokens(pair, parts)];
    if (truncate === 'second') {
      throw new ConfigError("truncate is 'second', but there is no second text.", { truncate });
    }
    return [textTokens(text, parts)];
  };

  return {
    vocabularySize,
    special,
    maxLength,
    ...(target && { target }),
    encode: (text, options = {}) => encodeTexts(read(text, options), options),
    encodeWords: (words, options = {}) =>
      encodeTexts([wordTokens(words, wordParts)], options, wordTrim),
    ids(text, options = {}) {
      const texts = read(text, options);
      const { kept, addSpecial } = truncated(texts, options);
      const out: number[] = [];
      for (const part of texts.length > 1 ? post.pair : post.single) {
        if ('ids' in part) {
          if (addSpecial) out.push(...part.ids);
          continue;
        }
        const { ids } = texts[part.text]!;
        for (let i = 0; i < kept[part.text]!; i++) out.push(ids[i]!);
      }
      return out;
    },
    decode(ids, { skipSpecialTokens = false } = {}) {
      const tokens: string[] = [];
      for (const id of ids) {
        const token = written.get(id) ?? vocabulary.tokens[id];
        if (token === undefined) continue;
        if (skipSpecialTokens && addedTokens.get(id)?.special) continue;
        tokens.push(token);
      }
      if (tokens.length === 0) return '';
      const text = decoder ? decoder(tokens).join('') : tokens.join(' ');
      return config.clean_up_tokenization_spaces === true ? cleanUpSpaces(text) : text;
    },
    tokenOf,
    idOf,
    files({ words = false } = {}) {
      const names = specialTokensMap(special, tokenOf);
      const saving = words ? puttingSpaces(tokenizer) : tokenizer;
      const saved = {
        ...config,
        ...names,
        tokenizer_class:
          config.tokenizer_class ?? (marian ? 'MarianTokenizer' : 'PreTrainedTokenizerFast'),
        // Python's MarianTokenizer learns of tokens beyond vocab.json here.
        ...(marian && {
          added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [id, token])),
        }),
        ...(words && lacksSpaces && saving !== tokenizer && { add_prefix_space: true }),
      };
      const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
      return new Map([
        ['tokenizer.json', JSON.stringify({ ...saving, truncation: null, padding: null })],
        ['tokenizer_config.json', json(saved)],
        ['special_tokens_map.json', json(names)],
        ...(marian?.files ?? []),
      ]);
    },
    binaryFiles: () => marian?.binaryFiles ?? new Map(),
    withTokens(tokens, { special: isSpecial = false } = {}) {
      const fresh = [...new Set(tokens)].filter((t) => t !== '' && idOf(t) === undefined);
      // A normalizer that puts a mark before a text would put it before the token, which would then be found
      // at the beginning of words alone.
      const keeps = !normalizer || normalizer(alignedText('a')).text === 'a';
      const entries: AddedToken[] = fresh.map((content, i) => ({
        id: vocabularySize + i,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: !isSpecial && keeps,
        special: isSpecial,
      }));
      return createTokenizer({
        ...files,
        tokenizer: { ...tokenizer, added_tokens: [...added, ...entries] },
        ...(target && { target: target.withTokens(tokens, { special: isSpecial }) }),
      });
    },
  };
}
