/** Scaled dot-product attention with several heads, and the masks that it reads. */
import { ConfigError, ShapeError } from '../errors.js';
import { constantOf, hostTensor, type Tensor, withScope } from '../graph/index.js';
import {
  add,
  cast,
  cumsum,
  dropout,
  fusedAttention,
  greaterEqual,
  matmul,
  mul,
  reshape,
  slice,
  softmax,
  sub,
  transpose,
} from '../ops/index.js';
import type { Context } from './module.js';

/**
 * What is added to the scores of keys that must not be seen: after the softmax nothing is left of
 * them, and a row in which no key may be seen stays finite (such rows are padding, and weigh nothing).
 */
export const MASKED = -1e9;

/** Queries, keys and values before they are split into heads. */
export interface AttentionInputs {
  /** [batch, queries, heads * headSize] */
  readonly query: Tensor;
  /** [batch, keys, keyHeads * headSize] */
  readonly key: Tensor;
  /** [batch, keys, keyHeads * valueSize] */
  readonly value: Tensor;
}

/** How {@link attend} works. */
export interface AttentionOptions {
  readonly heads: number;
  /** Heads of keys and values, each shared by `heads / keyHeads` queries; as many as `heads` by default. */
  readonly keyHeads?: number;
  /** Added to the scores: broadcasts to [batch, heads, queries, keys]. Masks and relative positions. */
  readonly bias?: Tensor | null;
  /** Factor of the scores; headSize ** -0.5 by default. */
  readonly scale?: number;
  /** Chance that a weight is dropped while training. */
  readonly dropout?: number;
}

/**
 * Queries from which one node for all of attention is no slower than its parts. Time of the parts by that of the
 * node, ONNX Runtime 1.30, one thread, 12 heads of 64, with a mask: 0.89 at 64 tokens, 0.98 to 1.05 at 128, 1.04
 * at 192, 1.06 at 256, 1.07 at 512; without one 1.23 at 128, 1.20 at 256.
 *
 * Where queries share heads of keys, the parts stay: the node reads a head of keys for each head of queries, and to
 * copy the shared ones eats the gain. Time of the parts by that of copies and node: 0.74 to 1.10, 0.97 in the middle
 * (medians of 30 runs on a busy machine; 8 heads on 2, 9 on 3, 32 on 8, of 64 channels, with a mask, 256 and 512 tokens).
 */
const FUSED_QUERIES = 128;

/** [batch, tokens, heads * size] to [batch, tokens, heads, size]. */
export function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  if (width % heads !== 0) {
    throw new ShapeError(`attention: ${width} channels do not fall into ${heads} heads.`, {
      width,
      heads,
    });
  }
  return reshape(x, [batch, tokens, heads, width / heads]);
}

/**
 * softmax(scale Q K^T + bias) V, head by head: [batch, queries, heads * valueSize].
 * Source: Vaswani et al., "Attention is all you need", 2017; shared heads: Ainslie et al., "GQA", 2023.
 * @throws ShapeError when the channels do not fall into heads
 */
export function attend(
  { query, key, value }: AttentionInputs,
  { heads, keyHeads = heads, bias = null, scale, dropout: rate = 0 }: AttentionOptions,
  context: Context,
): Tensor {
  return withScope('attention', () => {
    const headSize = query.shape[2]! / heads;
    if (!context.training && keyHeads === heads && query.shape[1]! >= FUSED_QUERIES) {
      const attrs = { heads, scale: scale ?? headSize ** -0.5 };
      return fusedAttention({ query, key, value, bias }, attrs);
    }
    // Scaling the queries, which are smaller than the scores, gives the same product.
    const scaled = scale === 1 ? query : mul(query, scale ?? headSize ** -0.5);
    const q = transpose(splitHeads(scaled, heads), [0, 2, 1, 3]);
    const k = transpose(splitHeads(key, keyHeads), [0, 2, 1, 3]);
    const v = transpose(splitHeads(value, keyHeads), [0, 2, 1, 3]);
    const [batch, , queries] = q.shape as [number, number, number, number];
    const [, , keys, size] = v.shape as [number, number, number, number];
    // The queries that share a head of keys lie side by side: its keys are multiplied with all of them at
    // once, and copied for none.
    const shared = (queries * heads) / keyHeads;
    const grouped = reshape(q, [batch, keyHeads, shared, headSize]);
    const product = reshape(matmul(grouped, transpose(k)), [batch, heads, queries, keys]);
    let weights = softmax(bias ? add(product, bias) : product);
    if (context.training && rate > 0) weights = dropout(weights, rate, context.randomKey());
    const mixed = matmul(reshape(weights, [batch, keyHeads, shared, keys]), v);
    const y = transpose(reshape(mixed, [batch, heads, queries, size]), [0, 2, 1, 3]);
    return reshape(y, [batch, queries, heads * size]);
  });
}

/**
 * Hides padded keys: a mask [batch, keys] of 1 and 0 to a bias [batch, 1, 1, keys].
 * @param mask any number type; 1 where a key may be seen
 */
export function paddingBias(mask: Tensor): Tensor {
  const [batch, keys] = mask.shape as [number, number];
  const hidden = mul(sub(1, cast(mask, 'float32')), MASKED);
  return reshape(hidden, [batch, 1, 1, keys]);
}

/** Hides what comes after each query: a constant bias [1, 1, tokens, tokens]. */
export function causalBias(tokens: number): Tensor {
  const data = new Float32Array(tokens * tokens);
  for (let q = 0; q < tokens; q++) data.fill(MASKED, q * tokens + q + 1, (q + 1) * tokens);
  return constantOf(hostTensor('float32', [1, 1, tokens, tokens], data));
}

/**
 * The bias of a decoder's self-attention over `tokens` new tokens: padding, and what comes later.
 * With a cache that is being stepped through there is one new token, which sees all earlier ones.
 */
export function decoderBias(mask: Tensor | null, tokens: number, context: Context): Tensor | null {
  const padding = mask && paddingBias(mask);
  if (context.cache?.stepping || tokens === 1) return padding;
  const later = causalBias(tokens);
  return padding ? add(padding, later) : later;
}

/** Hides what stands `window` places or more before each query: a constant bias [1, 1, tokens, tokens]. */
function bandBias(tokens: number, window: number): Tensor {
  const data = new Float32Array(tokens * tokens);
  for (let q = window; q < tokens; q++) {
    data.fill(MASKED, q * tokens, q * tokens + q - window + 1);
  }
  return constantOf(hostTensor('float32', [1, 1, tokens, tokens], data));
}

/**
 * What a decoder with a sliding window adds to {@link decoderBias}: each token sees the last `window` tokens, itself
 * among them. Tokens are counted by the mask, so that it makes no difference where padding lies, or which slots of a
 * cache a text took.
 * @param mask 1 for a token, of the new ones or of a cache's slots while it is stepped through
 * @param tokens new ones
 * @throws ConfigError when a cache is stepped through without a mask, which says what it holds
 */
export function windowBias(
  mask: Tensor | null,
  tokens: number,
  window: number,
  context: Context,
): Tensor {
  const stepping = context.cache?.stepping ?? false;
  if (!mask) {
    if (!stepping) return bandBias(tokens, window);
    throw new ConfigError(
      'windowBias: a cache is stepped through without a mask; give the mask of its slots.',
      { window },
    );
  }
  const [batch, keys] = mask.shape as [number, number];
  // Counted in the graph: a model for every length is made from traces of short texts, in which a constant would not
  // show that there is a window.
  const counted = cumsum(cast(mask, 'int32'), 1);
  // The one new token comes after all that are seen.
  const last = { starts: [keys - 1], ends: [keys], axes: [1] };
  const asking = stepping ? slice(counted, last) : counted;
  const behind = sub(
    reshape(asking, [batch, 1, stepping ? 1 : keys, 1]),
    reshape(counted, [batch, 1, 1, keys]),
  );
  return mul(cast(greaterEqual(behind, window), 'float32'), MASKED);
}
