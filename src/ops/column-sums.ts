/** Sums over the first axes of a tensor, on the CPU. */
import {
  hostTensor,
  type OnnxEmitter,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
} from '../graph/index.js';
import { reducedShape } from './check.js';

/** Whether `axes` are the first ones of `shape`, with something to add up, and others follow. */
export function areColumns(axes: readonly number[], shape: Shape): boolean {
  const rows = sizeOf(shape.slice(0, axes.length));
  const columns = sizeOf(shape.slice(axes.length));
  return axes.every((axis) => axis < axes.length) && rows > 1 && columns > 1;
}

/**
 * Sums over the first `count` axes as a product with a row of ones. ONNX Runtime 1.30 on two threads takes 0.11 ms for it at
 * 2048 x 768 and 1.4 ms at 100352 x 64, for ReduceSum 0.18 and 5.8.
 * @param x float32
 */
export function emitColumnSums(
  emit: OnnxEmitter,
  x: Tensor,
  count: number,
  keepDims: boolean,
): string {
  const axes = Array.from({ length: count }, (_, axis) => axis);
  const rows = sizeOf(x.shape.slice(0, count));
  const columns = sizeOf(x.shape.slice(count));
  const seen = (name: string, from: Shape, to: Shape) =>
    sameShape(from, to) ? name : emit.one('Reshape', [name, emit.ints(to)]);
  const ones = emit.one('ConstantOfShape', [emit.ints([1, rows])], {
    value: { tensor: hostTensor('float32', [1], [1]) },
  });
  const sums = emit.one('MatMul', [ones, seen(emit.name(x), x.shape, [rows, columns])]);
  return seen(sums, [1, columns], reducedShape(x.shape, axes, keepDims));
}
