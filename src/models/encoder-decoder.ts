/** What encoder-decoders share: reading the decoder's part of a batch, attention to the encoder's tokens. */
import type { Tensor } from '../graph/index.js';
import { type CachePass, type Context, type Parameter, paddingBias } from '../nn/index.js';
import { concat, full, matmul, slice, transpose } from '../ops/index.js';
import type { BatchTensors } from './network.js';
import { batchTensor, TEXT_INPUTS, TextModel } from './text-model.js';

/** What a decoder's layers attend to. */
export interface Sources {
  /** What the encoder gave, [batch, source tokens, width]; not read while a cache is stepped through. */
  readonly encoded: Tensor;
  /** Hides padded source tokens, [batch, 1, 1, source tokens]. */
  readonly crossBias: Tensor | null;
  /** Added to the scores of the decoder's own tokens. */
  readonly selfBias: Tensor | null;
  /** Keys and values of earlier tokens; an encoder has none, for it reads all of its tokens at once. */
  readonly cache: CachePass | null;
}

/** Where nothing is known but the tokens themselves. */
export function bareSources(x: Tensor, selfBias: Tensor | null = null): Sources {
  return { encoded: x, crossBias: null, selfBias, cache: null };
}

/** Keys and values [batch, tokens, channels]. */
export interface KeysValues {
  readonly key: Tensor;
  readonly value: Tensor;
}

/** Keys and values of the decoder's own tokens, with those of earlier passes. */
export function ownTokens(made: KeysValues, heads: number, cache: CachePass | null): KeysValues {
  return cache?.append(made.key, made.value, heads) ?? made;
}

/** Keys and values of the encoder's tokens: made once, however many tokens follow. */
export function sourceTokens(
  make: () => KeysValues,
  heads: number,
  cache: CachePass | null,
): KeysValues {
  return cache?.fixed(make, heads) ?? make();
}

/** Hides padded source tokens. */
export function sourceBias(batch: BatchTensors): Tensor | null {
  const mask = batch[TEXT_INPUTS.mask];
  return mask ? paddingBias(mask) : null;
}

/** An encoder and a decoder; the trunk is the encoder, the head is the decoder and what follows. */
export abstract class EncoderDecoder extends TextModel {
  /** Ids to what the decoder attends to, [batch, source tokens, width]. */
  abstract encode(batch: BatchTensors, context: Context): Tensor;

  /** Hidden states of the decoder's tokens, [batch, target tokens, width]. */
  abstract decode(encoded: Tensor, ids: Tensor, batch: BatchTensors, context: Context): Tensor;

  override throughTrunk(batch: BatchTensors, context: Context): Tensor {
    return this.encode(batch, context);
  }

  /** The hidden states for the decoder's tokens of the batch. */
  decoded(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    return this.decode(encoded, batchTensor(batch, TEXT_INPUTS.decoderIds), batch, context);
  }
}

/** Logits of words: a product with a table [vocabulary, width]. */
export function wordLogits(hidden: Tensor, table: Parameter): Tensor {
  return matmul(hidden, transpose(table.tensor));
}

/**
 * The ids [batch, tokens] after a start token, the last one dropped: what BART's decoder reads of a text that
 * is classified.
 */
export function shiftedIds(ids: Tensor, start: number): Tensor {
  const [batch, tokens] = ids.shape as [number, number];
  const first = full(ids.dtype, [batch, 1], start);
  if (tokens === 1) return first;
  return concat([first, slice(ids, { starts: [0], ends: [tokens - 1], axes: [1] })], 1);
}
