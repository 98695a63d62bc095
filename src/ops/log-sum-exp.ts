/**
 * ln sum exp(x) and what is made of it, as ONNX nodes. ONNX Runtime 1.30 on WebGPU has no kernel for
 * LogSoftmax, and its ReduceLogSumExp overflows above 88, so there both are made of other nodes.
 */
import { type DType, filled, type OnnxEmitter } from '../graph/index.js';

/** The largest finite number of each floating-point type. */
const LARGEST: Partial<Record<DType, number>> = {
  float16: 65504,
  float32: 3.4028234663852886e38,
  float64: Number.MAX_VALUE,
};

/** The most negative finite number of a floating-point type. */
export function lowestFinite(dtype: DType): number {
  return -(LARGEST[dtype] ?? LARGEST.float32!);
}

/** x minus its maximum, and the logarithm of the sum of the exponentials of that. */
function shifted(emit: OnnxEmitter, x: string, dtype: DType, axes: readonly number[]) {
  const keepdims = { keepdims: { int: 1 } };
  const top = emit.one('ReduceMax', [x, emit.ints(axes)], keepdims);
  // A row of -infinity has no finite maximum; x - (-infinity) would be NaN.
  const limits = [-1, 1].map((s) => emit.constant(filled(dtype, [], -s * lowestFinite(dtype))));
  const max = emit.one('Clip', [top, ...limits]);
  const rest = emit.one('Sub', [x, max]);
  const total = emit.one('ReduceSum', [emit.one('Exp', [rest]), emit.ints(axes)], keepdims);
  return { rest, top, log: emit.one('Log', [total]) };
}

/** Nodes for ln sum exp(x) over `axes`, which are kept with length 1. */
export function emitLogSumExp(
  emit: OnnxEmitter,
  x: string,
  dtype: DType,
  axes: readonly number[],
): string {
  if (emit.target !== 'webgpu') {
    return emit.one('ReduceLogSumExp', [x, emit.ints(axes)], { keepdims: { int: 1 } });
  }
  const { top, log } = shifted(emit, x, dtype, axes);
  return emit.one('Add', [log, top]);
}

/** Nodes for x - ln sum exp(x) along `axis`. */
export function emitLogSoftmax(emit: OnnxEmitter, x: string, dtype: DType, axis: number): string {
  if (emit.target !== 'webgpu') return emit.one('LogSoftmax', [x], { axis: { int: axis } });
  const { rest, log } = shifted(emit, x, dtype, [axis]);
  return emit.one('Sub', [rest, log]);
}
