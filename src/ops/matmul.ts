/** Matrix products. The set is closed under differentiation. */
import { ShapeError } from '../errors.js';
import { defineOp, formatType, sizeOf, type Tensor } from '../graph/index.js';
import { broadcastShapes, requireSameDType } from './check.js';
import { reshape, sumTo, transpose, transposeOf } from './layout.js';

/**
 * Whether the gradient of a weight is made faster as its transpose and then turned: of 768 to 3072 channels 60 against 66 ms at
 * 2048 rows, 30 against 33 at 1024, but of 384 to 1536 channels 3.4 against 3.2 at 448 (ONNX Runtime 1.30, two threads).
 */
const isTall = ({ shape }: Tensor, rows: number) =>
  rows >= 1024 && shape.at(-2)! >= 2 * shape.at(-1)!;

/**
 * a @ b over the last two axes, batch axes broadcast. da = dy @ b^T, db = a^T @ dy; where b = w^T, a layer's weight or
 * the keys of attention, db = (dy^T @ a)^T, so that dw is a product alone.
 */
export const matmulOp = defineOp<undefined>({
  name: 'matmul',
  infer: ([a, b]) => {
    const dtype = requireSameDType('matmul', [a!, b!]);
    const k = a!.shape.at(-1);
    if (a!.shape.length < 2 || b!.shape.length < 2 || k !== b!.shape.at(-2)) {
      throw new ShapeError(
        `matmul: ${formatType(a!)} and ${formatType(b!)} do not fit: the last axis of the first must equal the second-last of the second. Transpose one of them, or check the layer sizes.`,
        { op: 'matmul', a: a!.shape, b: b!.shape },
      );
    }
    const batch = broadcastShapes('matmul', a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    return { dtype, shape: [...batch, a!.shape.at(-2)!, b!.shape.at(-1)!] };
  },
  grad: ({ inputs: [a, b], dy, needs }) => {
    const ofB = () => {
      const w = transposeOf(b!);
      return w && !isTall(w, sizeOf(dy.shape.slice(0, -1)))
        ? transpose(sumTo(matmul(transpose(dy), a!), w.shape))
        : sumTo(matmul(transpose(a!), dy), b!.shape);
    };
    return [needs[0] ? sumTo(matmul(dy, transpose(b!)), a!.shape) : null, needs[1] ? ofB() : null];
  },
  onnx: (emit, { inputs: [a, b] }) => {
    const w = b!.rank > 2 && emit.target === 'cpu' && b!.dtype === 'float32' && transposeOf(b!);
    // ONNX Runtime does this to matrices by itself, but joins two transposes in a row first.
    if (w) {
      const attrs = { transB: { int: 1 } };
      return emit.one('FusedMatMul', [emit.name(a!), emit.name(w)], attrs, 'com.microsoft');
    }
    return emit.one('MatMul', [emit.name(a!), emit.name(b!)]);
  },
});

/**
 * Matrix product over the last two axes; leading axes broadcast. One-dimensional operands are
 * treated as numpy does (a row on the left, a column on the right, and the axis is dropped).
 * @param a [..., m, k]
 * @param b [..., k, n]
 * @returns [..., m, n]
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.rank === 1 && b.rank >= 1) {
    const y = matmul(reshape(a, [1, a.size]), b);
    return reshape(y, b.rank === 1 ? [] : [...y.shape.slice(0, -2), y.shape.at(-1)!]);
  }
  if (b.rank === 1 && a.rank >= 2) {
    const y = matmul(a, reshape(b, [b.size, 1]));
    return reshape(y, y.shape.slice(0, -1));
  }
  // [..., m, k] @ [k, n] as one product of two matrices: its weight gradient is then one product
  // too, instead of one a sample and a sum.
  if (b.rank === 2 && a.rank > 2 && a.shape.at(-1) === b.shape[0]) {
    const rows = sizeOf(a.shape.slice(0, -1));
    const y = matmulOp.one([reshape(a, [rows, a.shape.at(-1)!]), b], undefined);
    return reshape(y, [...a.shape.slice(0, -1), b.shape[1]!]);
  }
  return matmulOp.one([a, b], undefined);
}
