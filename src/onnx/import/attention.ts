/** Attention and rotary positions, which became operators of their own in opset 23. */
import { type DType, isFloat, scalar, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';
import { iota } from './shape.js';

/** [batch, length, heads x size] as [batch, heads, length, size]. */
function intoHeads(node: OnnxNode, x: Tensor, heads: number): Tensor {
  const [batch, length, width] = x.shape as [number, number, number];
  if (heads < 1 || width % heads !== 0)
    node.fail(`cannot cut ${width} features into ${heads} heads.`);
  return ops.transpose(ops.reshape(x, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** Keys or values repeated so that there is one for each head of the queries. */
function repeated(node: OnnxNode, x: Tensor, heads: number): Tensor {
  const [batch, own, length, size] = x.shape as [number, number, number, number];
  if (own === heads) return x;
  if (heads % own !== 0) node.fail(`${heads} heads of queries cannot share ${own} of keys.`);
  const many = ops.expand(ops.unsqueeze(x, 2), [batch, own, heads / own, length, size]);
  return ops.reshape(many, [batch, heads, length, size]);
}

/** The lowest number of each floating-point type. */
const LOWEST: Readonly<Partial<Record<DType, number>>> = {
  float16: -65504,
  float32: -3.4028234663852886e38,
  float64: -Number.MAX_VALUE,
};

/**
 * softmax(scale Q K^T + mask) V. What goes beyond that (caches, capped scores, scores as a result)
 * is left to ONNX Runtime.
 */
const attention: Rule = (node) => {
  const [q, k, v, mask] = [node.tensor(0), node.tensor(1), node.tensor(2), node.optional(3)];
  const flat = q.rank === 3;
  const length = k.shape.at(-2);
  const plain =
    isFloat(q.dtype) &&
    (flat || q.rank === 4) &&
    ![4, 5, 6].some((i) => node.has(i)) &&
    ![1, 2, 3].some((i) => node.wants(i)) &&
    node.float('softcap', 0) === 0 &&
    !node.hasAttribute('left_window_size') &&
    !node.hasAttribute('right_window_size') &&
    (!mask || (mask.shape.at(-1) === length && (mask.dtype === 'bool' || mask.dtype === q.dtype)));
  if (!plain) return node.host.opaque(node);
  const heads = flat ? node.int('q_num_heads') : q.shape[1]!;
  const split = (t: Tensor, count: number) => (flat ? intoHeads(node, t, count) : t);
  const queries = split(q, heads);
  const others = flat ? node.int('kv_num_heads') : k.shape[1]!;
  const keys = repeated(node, split(k, others), heads);
  const values = repeated(node, split(v, others), heads);
  const scale = node.float('scale', 1 / Math.sqrt(queries.shape[3]!));
  let scores = ops.mul(ops.matmul(queries, ops.transpose(keys)), scale);
  if (mask && mask.dtype !== 'bool') scores = ops.add(scores, mask);
  let visible = mask?.dtype === 'bool' ? mask : null;
  if (node.flag('is_causal')) {
    const [rows, columns] = scores.shape.slice(-2) as [number, number];
    const past = ops.lessEqual(iota(node, columns, [1, columns]), iota(node, rows, [rows, 1]));
    visible = visible ? ops.logicalAnd(visible, past) : past;
  }
  // Not -Infinity: a row that sees nothing would be NaN, and so would every gradient through it.
  if (visible) scores = ops.where(visible, scores, scalar(LOWEST[q.dtype] ?? 0, q.dtype));
  let weights = ops.softmax(scores, -1);
  if (mask && visible) weights = ops.where(visible, weights, scalar(0, q.dtype));
  const mixed = ops.matmul(weights, values);
  if (!flat) return mixed;
  const [batch, , rows, size] = mixed.shape as [number, number, number, number];
  return ops.reshape(ops.transpose(mixed, [0, 2, 1, 3]), [batch, rows, heads * size]);
};

/** Pairs of features turned by an angle that grows with the position. */
const rotary: Rule = (node) => {
  const x = node.tensor(0);
  const flat = x.rank === 3;
  const heads = flat ? node.int('num_heads') : x.shape[1]!;
  const t = flat ? intoHeads(node, x, heads) : x;
  const [batch, , length, size] = t.shape as [number, number, number, number];
  const turned = node.int('rotary_embedding_dim', 0) || size;
  const half = turned / 2;
  const ids = node.optional(3);
  const angles = [node.tensor(1), node.tensor(2)].map((cache) => {
    const rows = ids ? ops.gather(cache, ids) : cache;
    if (rows.size !== batch * length * half) {
      node.fail(`its angles [${rows.shape.join(',')}] do not fit ${turned} features to turn.`);
    }
    return ops.reshape(rows, [batch, 1, length, half]);
  });
  const [cos, sin] = angles as [Tensor, Tensor];
  const [part, rest] = turned === size ? [t] : ops.split(t, [turned, size - turned], 3);
  const interleaved = node.flag('interleaved');
  const pairs = interleaved
    ? ops.unstack(ops.reshape(part!, [...part!.shape.slice(0, 3), half, 2]), 4)
    : ops.split(part!, [half, half], 3);
  const [a, b] = pairs as [Tensor, Tensor];
  const real = ops.sub(ops.mul(cos, a), ops.mul(sin, b));
  const imaginary = ops.add(ops.mul(sin, a), ops.mul(cos, b));
  const joined = interleaved
    ? ops.reshape(ops.stack([real, imaginary], 4), part!.shape)
    : ops.concat([real, imaginary], 3);
  const y = rest ? ops.concat([joined, rest], 3) : joined;
  return flat ? ops.reshape(ops.transpose(y, [0, 2, 1, 3]), x.shape) : y;
};

/** Rules of attention. */
export const attentionRules: Rules = { Attention: attention, RotaryEmbedding: rotary };
