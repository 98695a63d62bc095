/** What a rename rule does to values: parts, transposed axes and axes of length 1, both ways. */
import { WeightsError } from '../errors.js';
import {
  dtypeInfo,
  formatType,
  type HostTensor,
  type Shape,
  sizeOf,
  type TensorType,
} from '../graph/index.js';
import type { RenameRule } from './rename.js';

function inverse(permutation: readonly number[]): number[] {
  const out = new Array<number>(permutation.length);
  for (const [to, from] of permutation.entries()) out[from] = to;
  return out;
}

/** The tensor with its axes in another order; axis i of the result is axis `order[i]` of `tensor`. */
function transposed(tensor: HostTensor, order: readonly number[]): HostTensor {
  const { dtype, shape, data } = tensor;
  if (order.length !== shape.length) {
    throw new WeightsError(
      `A tensor of ${order.length} axes was expected, got ${formatType(tensor)}.`,
    );
  }
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const outShape = order.map((axis) => shape[axis]!);
  const out = new (dtypeInfo(dtype).array)(data.length);
  const counter = outShape.map(() => 0);
  let from = 0;
  for (let i = 0; i < out.length; i++) {
    out[i] = data[from]!;
    for (let axis = order.length - 1; axis >= 0; axis--) {
      const step = strides[order[axis]!]!;
      counter[axis]!++;
      from += step;
      if (counter[axis]! < outShape[axis]!) break;
      from -= step * outShape[axis]!;
      counter[axis] = 0;
    }
  }
  return { dtype, shape: outShape, data: out };
}

/** [out, in * height * width] as [out, in, height, width]. */
function withKernel(shape: Shape, [height, width]: readonly [number, number]): Shape {
  return [shape[0]!, shape[1]! / (height * width), height, width];
}

/** The shape with so many axes of length 1 behind it. */
function withOnes(shape: Shape, ones: number): Shape {
  return [...shape, ...new Array<number>(ones).fill(1)];
}

/** The shape that their tensor must have for ours to have theirs. */
export function shapeOfTheirs(
  { kernel, ones = 0, transpose }: RenameRule,
  ours: readonly Shape[],
): Shape {
  const rows = ours.reduce((n, shape) => n + (shape[0] ?? 1), 0);
  const [first = []] = ours;
  let shape: Shape = ours.length > 1 ? [rows, ...first.slice(1)] : first;
  if (kernel) shape = withKernel(shape, kernel);
  shape = withOnes(shape, ones);
  return transpose ? inverse(transpose).map((axis) => shape[axis]!) : shape;
}

/**
 * Takes their tensor to ours.
 * @param types of our tensors; their first axes say where theirs is cut
 */
export function valuesToOurs(
  rule: RenameRule,
  tensor: HostTensor,
  types: readonly TensorType[],
): HostTensor[] {
  const { dtype, data } = rule.transpose ? transposed(tensor, rule.transpose) : tensor;
  let at = 0;
  return types.map(({ shape }) => {
    const part = data.subarray(at, at + sizeOf(shape));
    at += sizeOf(shape);
    return { dtype, shape, data: types.length > 1 ? part.slice() : part };
  });
}

/** Takes our tensors to theirs, the inverse of {@link valuesToOurs}. */
export function valuesToTheirs(
  { kernel, ones = 0, transpose }: RenameRule,
  ours: readonly HostTensor[],
): HostTensor {
  const [first] = ours;
  if (!first) throw new WeightsError('There is nothing to be put together.');
  let whole: HostTensor = first;
  if (ours.length > 1) {
    const rows = ours.reduce((n, { shape }) => n + (shape[0] ?? 1), 0);
    const data = new (dtypeInfo(first.dtype).array)(ours.reduce((n, t) => n + t.data.length, 0));
    let at = 0;
    for (const part of ours) {
      // Both are of one type; TypeScript cannot see that across the union of arrays.
      (data as Float32Array).set(part.data as Float32Array, at);
      at += part.data.length;
    }
    whole = { dtype: first.dtype, shape: [rows, ...first.shape.slice(1)], data };
  }
  if (kernel) whole = { ...whole, shape: withKernel(whole.shape, kernel) };
  whole = { ...whole, shape: withOnes(whole.shape, ones) };
  return transpose ? transposed(whole, inverse(transpose)) : whole;
}
