/** Training a byte-level BPE tokenizer, as GPT-2's. */
import { BYTE_CHARS } from './byte-alphabet.js';
import { checkVocabularySize, countPieces, firstIds } from './count-pieces.js';
import type { JsonObject } from './fields.js';
import { learnMerges } from './learn-merges.js';

/** What a byte-level BPE is trained for. */
export interface TrainBpeOptions {
  /** Entries, special tokens and the 256 bytes among them. */
  readonly vocabularySize: number;
  /** They get the first ids; default `<|endoftext|>`. */
  readonly specialTokens?: readonly string[];
  /** Pairs that occur less often are not merged; default 2, as in GPT-2's and RoBERTa's recipes. */
  readonly minFrequency?: number;
}

/**
 * The tokenizer.json of a byte-level BPE that fits `texts`. The same texts give the same tokenizer.
 * Every text can be spelled: no unknown token.
 * @throws ConfigError for a vocabulary smaller than special tokens and bytes; DataError without text
 * @example
 * const tokenizer = createTokenizer({ tokenizer: trainBpe(texts, { vocabularySize: 8000 }) });
 */
export function trainBpe(
  texts: Iterable<string>,
  { vocabularySize, specialTokens = ['<|endoftext|>'], minFrequency = 2 }: TrainBpeOptions,
): JsonObject {
  checkVocabularySize(vocabularySize - BYTE_CHARS.length, specialTokens);
  const byteLevel = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  const counts = countPieces(texts, { normalizer: null, pre_tokenizer: byteLevel });
  const { tokens, merges } = learnMerges(counts, {
    vocabularySize,
    specialTokens,
    alphabet: BYTE_CHARS,
    minFrequency,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: firstIds(specialTokens),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor: { ...byteLevel, add_prefix_space: true, trim_offsets: false },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}
