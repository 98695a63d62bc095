/** Evaluation on the host of operations that only move elements, for folding constant arithmetic. */
import { dtypeInfo, type HostTensor, type Shape, sizeOf } from '../graph/index.js';

/** Row-major strides of `shape`, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Calls `visit` with every index of `shape` in row-major order; the array is reused. */
function forEachIndex(shape: Shape, visit: (index: readonly number[], offset: number) => void) {
  const size = sizeOf(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let offset = 0; offset < size; offset++) {
    visit(index, offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = index[axis]! + 1;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/**
 * A host tensor of `shape` whose elements are picked from `x`.
 * @param from offset in `x` of the element at an index of the result; -1 leaves it zero
 */
export function pick(
  x: HostTensor,
  shape: Shape,
  from: (index: readonly number[]) => number,
): HostTensor {
  const data = new (dtypeInfo(x.dtype).array)(sizeOf(shape)) as Float32Array;
  const source = x.data as Float32Array;
  forEachIndex(shape, (index, offset) => {
    const at = from(index);
    if (at >= 0) data[offset] = source[at]!;
  });
  return { dtype: x.dtype, shape, data };
}

/** Offset of the element with these coordinates in a tensor of `shape`; -1 when it lies outside. */
export function offsetIn(shape: Shape, coordinate: (axis: number) => number): number {
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const at = coordinate(axis);
    if (at < 0 || at >= shape[axis]!) return -1;
    offset = offset * shape[axis]! + at;
  }
  return offset;
}
