/**
 * Words that were split already, for byte-level tokenizers: these know where a word begins by the space before
 * it, and without one would join it to the word before. `add_prefix_space` of Hugging Face's tokenizers.
 */
import { prependAligned } from './aligned-text.js';
import type { JsonObject } from './fields.js';
import type { PreTokenizer } from './pre-tokenizers.js';

const isByteLevel = (part: unknown): part is JsonObject =>
  (part as JsonObject | null | undefined)?.type === 'ByteLevel';

/** Whether a pre-tokenizer counts on a space before each word, and puts none there by itself. */
export function countsOnSpaces(preTokenizer: unknown): boolean {
  const { pretokenizers } = (preTokenizer ?? {}) as JsonObject;
  return [preTokenizer, ...(Array.isArray(pretokenizers) ? pretokenizers : [])].some(
    (part) => isByteLevel(part) && part.add_prefix_space === false,
  );
}

/** The same with a space before every text that does not begin with one. */
export function spaced(preTokenizer: PreTokenizer): PreTokenizer {
  return (a) => preTokenizer(a.text.startsWith(' ') ? a : prependAligned(a, ' '));
}

/**
 * A tokenizer.json that puts the space there, for those who are given words without {@link spaced}. Where other
 * parts come before the bytes (Llama 3, Qwen2) there is no such field: words must be given with their spaces.
 */
export function puttingSpaces(tokenizer: JsonObject): JsonObject {
  const { pre_tokenizer: first, post_processor: last } = tokenizer;
  if (!isByteLevel(first)) return tokenizer;
  const trims = isByteLevel(last) || (last as JsonObject | null)?.type === 'RobertaProcessing';
  return {
    ...tokenizer,
    pre_tokenizer: { ...first, add_prefix_space: true },
    ...(trims && { post_processor: { ...(last as JsonObject), add_prefix_space: true } }),
  };
}
