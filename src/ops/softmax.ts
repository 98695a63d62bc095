/** Softmax and its logarithm. */
import { defineOp, type Shape, sizeOf, type Tensor } from '../graph/index.js';
import { mul, neg, sub } from './arithmetic.js';
import { rowAffine } from './channel-affine.js';
import { normalizeAxis, requireFloat } from './check.js';
import { reshape, sum } from './layout.js';
import { emitLogSoftmax } from './log-sum-exp.js';
import { exp } from './unary.js';

/** `residual - p * rowSums`, where the sums are over `axis`. */
function subtractProjection(residual: Tensor, p: Tensor, sums: Tensor, axis: number): Tensor {
  if (axis !== p.rank - 1 || p.size === 0) return sub(residual, mul(p, sums));
  const rows: Shape = [sizeOf(p.shape.slice(0, -1)), p.shape[axis]!];
  const scale = reshape(neg(sums), [rows[0]!, 1]);
  return reshape(
    rowAffine(reshape(p, rows), { scale, residual: reshape(residual, rows) }),
    p.shape,
  );
}

/** y = exp(x) / sum exp(x). dx = y dy - y sum(y dy). */
export const softmaxOp = defineOp<{ axis: number }>({
  name: 'softmax',
  infer: ([x]) => {
    requireFloat('softmax', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ outputs: [y], attrs: { axis }, dy }) => {
    const product = mul(y!, dy);
    return [subtractProjection(product, y!, sum(product, { axes: axis, keepDims: true }), axis)];
  },
  onnx: (emit, { inputs: [x], attrs: { axis } }) =>
    emit.one('Softmax', [emit.name(x!)], { axis: { int: axis } }),
});

/** Probabilities along `axis`: positive, summing to 1. The largest element is subtracted first. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return softmaxOp.one([x], { axis: normalizeAxis('softmax', axis, x.rank) });
}

/** y = x - log(sum exp(x)). dx = dy - exp(y) sum(dy). */
export const logSoftmaxOp = defineOp<{ axis: number }>({
  name: 'logSoftmax',
  infer: ([x]) => {
    requireFloat('logSoftmax', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ outputs: [y], attrs: { axis }, dy }) => [
    subtractProjection(dy, exp(y!), sum(dy, { axes: axis, keepDims: true }), axis),
  ],
  onnx: (emit, { inputs: [x], attrs: { axis } }) =>
    emitLogSoftmax(emit, emit.name(x!), x!.dtype, axis),
});

/** Logarithm of {@link softmax}, without the loss of digits that taking it afterwards has. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return logSoftmaxOp.one([x], { axis: normalizeAxis('logSoftmax', axis, x.rank) });
}
