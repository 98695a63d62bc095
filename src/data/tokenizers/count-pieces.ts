/** What the trainers learn from: how often each piece occurs in the texts. */
import { ConfigError, DataError } from '../../errors.js';
import { alignedText } from './aligned-text.js';
import { type JsonObject, MAX_VOCABULARY } from './fields.js';
import { readNormalizer } from './normalizers.js';
import { readPreTokenizer } from './pre-tokenizers.js';

/**
 * Counts of the pieces that normalizer and pre-tokenizer make of the texts.
 * @throws DataError when there are none
 */
export function countPieces(
  texts: Iterable<string>,
  tokenizer: { readonly normalizer: JsonObject | null; readonly pre_tokenizer: JsonObject },
): Map<string, number> {
  const normalizer = tokenizer.normalizer && readNormalizer(tokenizer.normalizer, 'normalizer');
  const preTokenizer = readPreTokenizer(tokenizer.pre_tokenizer, 'pre_tokenizer');
  const counts = new Map<string, number>();
  for (const text of texts) {
    const a = alignedText(text);
    for (const { text: piece } of preTokenizer(normalizer ? normalizer(a) : a)) {
      if (piece !== '') counts.set(piece, (counts.get(piece) ?? 0) + 1);
    }
  }
  if (counts.size === 0) {
    throw new DataError('There is no text to train a tokenizer on; expected at least one word.');
  }
  return counts;
}

/** @throws ConfigError when the size is no whole number, or leaves no room beside the special tokens */
export function checkVocabularySize(size: number, specialTokens: readonly string[]): void {
  if (Number.isInteger(size) && size > specialTokens.length && size <= MAX_VOCABULARY) return;
  throw new ConfigError(
    `vocabularySize is ${size}; expected a whole number above the ${specialTokens.length} special tokens and at most ${MAX_VOCABULARY}.`,
    { vocabularySize: size, specialTokens },
  );
}

/** Added tokens for special tokens that have the first ids. */
export function firstIds(specialTokens: readonly string[]): JsonObject[] {
  return specialTokens.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
}
