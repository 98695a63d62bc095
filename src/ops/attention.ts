/** Attention over heads in one operation, for programs that are only evaluated. */
import { DTypeError, ShapeError } from '../errors.js';
import {
  defineOp,
  formatType,
  type Node,
  type OnnxEmitter,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { add, mul, sub } from './arithmetic.js';
import { broadcastShapes, requireFloat, requireSameDType } from './check.js';
import { reshape, sum, sumTo, transpose } from './layout.js';
import { matmul } from './matmul.js';
import { softmax } from './softmax.js';

/** How {@link fusedAttention} works. */
export interface FusedAttentionAttrs {
  readonly heads: number;
  /** Factor of the scores. */
  readonly scale: number;
}

function infer([q, k, v, bias]: readonly TensorType[], { heads }: FusedAttentionAttrs): TensorType {
  const dtype = requireSameDType('fusedAttention', [q!, k!, v!]);
  requireFloat('fusedAttention', q!);
  const [batch, queries, width] = q!.shape;
  const [, keys, channels] = v!.shape;
  const fits =
    [q!, k!, v!].every(({ shape }) => shape.length === 3 && shape[0] === batch) &&
    k!.shape[1] === keys &&
    k!.shape[2] === width &&
    width! % heads === 0 &&
    channels! % heads === 0;
  if (!fits) {
    throw new ShapeError(
      `fusedAttention: queries ${formatType(q!)}, keys ${formatType(k!)} and values ${formatType(v!)} do not fit ${heads} heads: expected [batch, queries, width], [batch, keys, width], [batch, keys, channels], both widths multiples of the heads.`,
      { op: 'fusedAttention', q: q!.shape, k: k!.shape, v: v!.shape, heads },
    );
  }
  if (bias) {
    if (bias.dtype !== dtype) {
      throw new DTypeError(`fusedAttention: the bias is ${bias.dtype}, the queries are ${dtype}.`, {
        op: 'fusedAttention',
        dtype: bias.dtype,
      });
    }
    const scores = [batch!, heads, queries!, keys!];
    const both = broadcastShapes('fusedAttention', bias.shape, scores);
    if (both.length !== 4 || both.some((d, i) => d !== scores[i])) {
      throw new ShapeError(
        `fusedAttention: the bias ${formatType(bias)} does not broadcast to scores [${scores}].`,
        { op: 'fusedAttention', bias: bias.shape, scores },
      );
    }
  }
  return { dtype, shape: [batch!, queries!, channels!] };
}

/** [batch, tokens, heads * size] to [batch, heads, tokens, size]. */
function byHead(x: Tensor, heads: number): Tensor {
  const [batch, tokens, width] = x.shape as [number, number, number];
  return transpose(reshape(x, [batch, tokens, heads, width / heads]), [0, 2, 1, 3]);
}

/** The inverse of {@link byHead}. */
function joined(x: Tensor): Tensor {
  const [batch, heads, tokens, size] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [batch, tokens, heads * size]);
}

type AttentionNode = Node<FusedAttentionAttrs>;

/** One node of ONNX Runtime's; its bias broadcasts over batch and heads only. */
function emitFused(emit: OnnxEmitter, { inputs, attrs: { heads, scale } }: AttentionNode): string {
  const [q, k, v, bias] = inputs;
  let added: string[] = [];
  if (bias) {
    const [batch, head] = [...Array<number>(4 - bias.rank).fill(1), ...bias.shape];
    const shape = [batch!, head!, q!.shape[1]!, k!.shape[1]!];
    added = ['', '', emit.one('Expand', [emit.name(bias), emit.ints(shape)])];
  }
  return emit.one(
    'MultiHeadAttention',
    [q!, k!, v!].map((t) => emit.name(t)).concat(added),
    { num_heads: { int: heads }, scale: { float: scale } },
    'com.microsoft',
  );
}

/** The same in operators of the standard. */
function emitPlain(emit: OnnxEmitter, { inputs, attrs }: AttentionNode): string {
  const [q, k, v, bias] = inputs;
  const { heads, scale } = attrs;
  const split = (name: string, { shape }: Tensor, perm: readonly number[]) => {
    const [batch, tokens, width] = shape as [number, number, number];
    const apart = emit.one('Reshape', [name, emit.ints([batch, tokens, heads, width / heads])]);
    return emit.one('Transpose', [apart], { perm: { ints: perm } });
  };
  const scaled = emit.one('Mul', [emit.name(q!), emit.scalar(q!.dtype, scale)]);
  const product = emit.one('MatMul', [
    split(scaled, q!, [0, 2, 1, 3]),
    split(emit.name(k!), k!, [0, 2, 3, 1]),
  ]);
  const scores = bias ? emit.one('Add', [product, emit.name(bias)]) : product;
  const weights = emit.one('Softmax', [scores], { axis: { int: -1 } });
  const mixed = emit.one('MatMul', [weights, split(emit.name(v!), v!, [0, 2, 1, 3])]);
  const together = emit.one('Transpose', [mixed], { perm: { ints: [0, 2, 1, 3] } });
  const y = [q!.shape[0]!, q!.shape[1]!, v!.shape[2]!];
  return emit.one('Reshape', [together, emit.ints(y)]);
}

/**
 * softmax(scale Q K^T + bias) V a head. The gradient computes the weights P anew: with D = dy V^T,
 * dS = P (D - sum(P D)), dQ = scale dS K, dK = scale dS^T Q, dV = P^T dy, dbias = dS.
 */
export const fusedAttentionOp = defineOp<FusedAttentionAttrs>({
  name: 'fusedAttention',
  infer,
  grad: ({ inputs, attrs: { heads, scale }, dy, needs }) => {
    const [q, k, v] = inputs.slice(0, 3).map((t) => byHead(t, heads)) as [Tensor, Tensor, Tensor];
    const bias = inputs[3];
    const product = mul(matmul(q, transpose(k)), scale);
    const p = softmax(bias ? add(product, bias) : product);
    const d = byHead(dy, heads);
    const dp = mul(p, matmul(d, transpose(v)));
    const ds = sub(dp, mul(p, sum(dp, { axes: -1, keepDims: true })));
    return [
      needs[0] ? joined(mul(matmul(ds, k), scale)) : null,
      needs[1] ? joined(mul(matmul(transpose(ds), q), scale)) : null,
      needs[2] ? joined(matmul(transpose(p), d)) : null,
      ...(bias ? [needs[3] ? sumTo(ds, bias.shape) : null] : []),
    ];
  },
  onnx: (emit, node) =>
    emit.target === 'cpu' && node.inputs[0]!.dtype === 'float32'
      ? emitFused(emit, node)
      : emitPlain(emit, node),
});

/** What {@link fusedAttention} reads. */
export interface FusedAttentionInputs {
  /** [batch, queries, heads * size] */
  readonly query: Tensor;
  /** [batch, keys, heads * size] */
  readonly key: Tensor;
  /** [batch, keys, heads * valueSize] */
  readonly value: Tensor;
  /** Broadcasts to [batch, heads, queries, keys]; absent: nothing is added. */
  readonly bias?: Tensor | null;
}

/**
 * softmax(scale Q K^T + bias) V, head by head, in one node where the device has one. Its gradient computes
 * the weights a second time: training is better off with the operations themselves.
 * Source: Vaswani et al., "Attention is all you need", 2017.
 * @returns [batch, queries, heads * valueSize]
 * @throws ShapeError or DTypeError when the inputs do not fit
 */
export function fusedAttention(
  { query, key, value, bias = null }: FusedAttentionInputs,
  attrs: FusedAttentionAttrs,
): Tensor {
  return fusedAttentionOp.one([query, key, value, ...(bias ? [bias] : [])], attrs);
}
