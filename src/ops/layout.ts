/**
 * Cast, reshape, transpose, expand and sum: the operations that every gradient needs to move
 * values into shape. The set is closed: their gradients are made of each other.
 */
import { DTypeError, ShapeError } from '../errors.js';
import {
  constantOf,
  type DType,
  defineOp,
  filled,
  formatType,
  isFloat,
  isInt,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
} from '../graph/index.js';
import { broadcastShapes, normalizeAxes, reducedShape } from './check.js';
import { areColumns, emitColumnSums } from './column-sums.js';
import { foldCast, foldExpand, foldReduce, foldTranspose } from './fold.js';
import { onnxDType } from './onnx-dtype.js';

/** Converts the element type. dy/dx = cast back, for float to float; none otherwise. */
export const castOp = defineOp<{ to: DType }>({
  name: 'cast',
  infer: ([x], { to }) => ({ dtype: to, shape: x!.shape }),
  grad: ({ inputs: [x], dy, attrs }) => [
    isFloat(x!.dtype) && isFloat(attrs.to) ? cast(dy, x!.dtype) : null,
  ],
  onnx: (emit, { inputs: [x], attrs }) =>
    emit.one('Cast', [emit.name(x!)], { to: { int: onnxDType(attrs.to) } }),
  fold: ([x], { to }) => foldCast(x!, to),
  elementwise: true,
});

/**
 * `x` with elements of type `to`: floats are truncated towards zero on the way to integers, and
 * anything but 0 is true.
 */
export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : castOp.one([x], { to });
}

/** Same values in another shape. dx = reshape(dy, shape of x). */
export const reshapeOp = defineOp<{ shape: Shape }>({
  name: 'reshape',
  infer: ([x], { shape }) => {
    if (sizeOf(shape) !== sizeOf(x!.shape)) {
      throw new ShapeError(
        `reshape: ${formatType(x!)} has ${sizeOf(x!.shape)} elements but shape [${shape.join(',')}] needs ${sizeOf(shape)}.`,
        { op: 'reshape', from: x!.shape, to: shape },
      );
    }
    return { dtype: x!.dtype, shape };
  },
  grad: ({ inputs: [x], dy }) => [reshape(dy, x!.shape)],
  onnx: (emit, { inputs: [x], attrs }) =>
    emit.one('Reshape', [emit.name(x!), emit.ints(attrs.shape)], { allowzero: { int: 1 } }),
  fold: ([x], { shape }) => [{ ...x!, shape }],
  simplify: ([x], { shape }): Tensor | null =>
    x!.node.op === (reshapeOp as unknown) ? reshape(x!.node.inputs[0]!, shape) : null,
  view: true,
});

/**
 * `x` in another shape; one axis may be -1 and is worked out from the rest.
 * @throws ShapeError when the number of elements does not fit
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const unknown = shape.indexOf(-1);
  let full = shape;
  if (unknown >= 0) {
    const rest = shape.reduce((n, d, i) => (i === unknown ? n : n * d), 1);
    full = shape.with(unknown, rest === 0 ? 0 : x.size / rest);
  }
  return sameShape(x.shape, full) ? x : reshapeOp.one([x], { shape: [...full] });
}

/** Inserts axes of length 1, at positions counted in the result. */
export function unsqueeze(x: Tensor, axes: number | readonly number[]): Tensor {
  const count = typeof axes === 'number' ? 1 : axes.length;
  const at = new Set(normalizeAxes('unsqueeze', axes, x.rank + count));
  let next = 0;
  const shape = Array.from({ length: x.rank + count }, (_, i) =>
    at.has(i) ? 1 : x.shape[next++]!,
  );
  return reshape(x, shape);
}

/**
 * Removes axes of length 1; all of them when `axes` is not given.
 * @throws ShapeError when a named axis is not of length 1
 */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  const at =
    axes === undefined
      ? new Set([...x.shape.keys()].filter((i) => x.shape[i] === 1))
      : new Set(normalizeAxes('squeeze', axes, x.rank));
  for (const i of at) {
    if (x.shape[i] !== 1) {
      throw new ShapeError(
        `squeeze: axis ${i} of ${formatType(x)} has length ${x.shape[i]}; only axes of length 1 can be removed.`,
        { op: 'squeeze', axis: i, shape: x.shape },
      );
    }
  }
  return reshape(
    x,
    x.shape.filter((_, i) => !at.has(i)),
  );
}

/** Flattens the axes from `start` to the last into one. */
export function flatten(x: Tensor, start = 1): Tensor {
  return reshape(x, [...x.shape.slice(0, start), sizeOf(x.shape.slice(start))]);
}

/** Permutes axes. dx = transpose(dy, inverse permutation). */
export const transposeOp = defineOp<{ perm: readonly number[] }>({
  name: 'transpose',
  infer: ([x], { perm }) => {
    const rank = x!.shape.length;
    if (perm.length !== rank || new Set(perm).size !== rank || perm.some((p) => !(p in x!.shape))) {
      throw new ShapeError(
        `transpose: [${perm.join(',')}] is not a permutation of the ${rank} axes of ${formatType(x!)}.`,
        { op: 'transpose', perm, shape: x!.shape },
      );
    }
    return { dtype: x!.dtype, shape: perm.map((p) => x!.shape[p]!) };
  },
  grad: ({ dy, attrs }) => [transpose(dy, inversePermutation(attrs.perm))],
  onnx: (emit, { inputs: [x], attrs }) =>
    emit.one('Transpose', [emit.name(x!)], { perm: { ints: attrs.perm } }),
  fold: ([x], { perm }, [type]) => foldTranspose(x!, perm, type!),
  simplify: ([x], { perm }): Tensor | null => {
    // Where only axes of length 1 change places, no element does.
    const long = perm.filter((axis) => x!.shape[axis] !== 1);
    if (long.every((axis, i) => i === 0 || axis > long[i - 1]!)) {
      const before = x!.node.op === (reshapeOp as unknown) ? x!.node.inputs[0]! : x!;
      return reshape(
        before,
        perm.map((axis) => x!.shape[axis]!),
      );
    }
    if (x!.node.op !== (transposeOp as unknown)) return null;
    const inner = (x!.node.attrs as { perm: readonly number[] }).perm;
    const both = perm.map((p) => inner[p]!);
    const cancel = both.every((p, axis) => p === axis);
    // Where the last two axes of something moved change places, a product that reads it takes them in either order,
    // and what was moved serves others too: keys and values of attention, forward and backward.
    return swapsLastTwo(perm) && !cancel ? null : transpose(x!.node.inputs[0]!, both);
  },
});

/** The matrices that `x` is the transposes of; null when it is none. */
export function transposeOf(x: Tensor): Tensor | null {
  if (x.node.op !== (transposeOp as unknown)) return null;
  const { perm } = x.node.attrs as { perm: readonly number[] };
  return swapsLastTwo(perm) ? x.node.inputs[0]! : null;
}

function swapsLastTwo(perm: readonly number[]): boolean {
  const { length } = perm;
  return (
    perm.at(-1) === length - 2 &&
    perm.at(-2) === length - 1 &&
    perm.slice(0, -2).every((p, axis) => p === axis)
  );
}

function inversePermutation(perm: readonly number[]): number[] {
  const inverse = new Array<number>(perm.length);
  for (const [i, p] of perm.entries()) inverse[p] = i;
  return inverse;
}

/**
 * `x` with its axes in the order `perm`; by default the last two are swapped.
 * @param perm axis of `x` for each axis of the result
 */
export function transpose(x: Tensor, perm?: readonly number[]): Tensor {
  let order = perm?.map((p) => (p < 0 ? p + x.rank : p));
  if (!order) {
    order = [...x.shape.keys()];
    if (x.rank >= 2) order.splice(-2, 2, x.rank - 1, x.rank - 2);
  }
  if (order.length === x.rank && order.every((p, i) => p === i)) return x;
  return transposeOp.one([x], { perm: order });
}

/** Repeats axes of length 1. dx = sum of dy over the repeated axes. */
export const expandOp = defineOp<{ shape: Shape }>({
  name: 'expand',
  infer: ([x], { shape }) => {
    const result = broadcastShapes('expand', x!.shape, shape);
    if (!sameShape(result, shape)) {
      throw new ShapeError(
        `expand: ${formatType(x!)} cannot become [${shape.join(',')}]; only axes of length 1 can be repeated.`,
        { op: 'expand', from: x!.shape, to: shape },
      );
    }
    return { dtype: x!.dtype, shape };
  },
  grad: ({ inputs: [x], dy }) => [sumTo(dy, x!.shape)],
  onnx: (emit, { inputs: [x], attrs }) =>
    emit.one('Expand', [emit.name(x!), emit.ints(attrs.shape)]),
  fold: ([x], { shape }) => foldExpand(x!, shape),
});

/** `x` broadcast to `shape`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : expandOp.one([x], { shape: [...shape] });
}

/** Sum over axes. dx = dy repeated over the summed axes. */
export const reduceSumOp = defineOp<{ axes: readonly number[]; keepDims: boolean }>({
  name: 'reduceSum',
  infer: ([x], { axes, keepDims }) => {
    if (x!.dtype === 'bool') {
      throw new DTypeError(
        `sum: expected numbers, got ${formatType(x!)}. Cast it with cast(x, 'int64') to count.`,
        { op: 'reduceSum', dtype: 'bool' },
      );
    }
    return { dtype: x!.dtype, shape: reducedShape(x!.shape, axes, keepDims) };
  },
  grad: ({ inputs: [x], dy, attrs }) => [
    expand(reshape(dy, reducedShape(x!.shape, attrs.axes, true)), x!.shape),
  ],
  onnx: (emit, { inputs: [x], attrs: { axes, keepDims } }) => {
    const to = (name: string, dtype: DType) =>
      emit.one('Cast', [name], { to: { int: onnxDType(dtype) } });
    const wide = SUM_IN[x!.dtype];
    const name = emit.name(x!);
    if (emit.target === 'cpu' && x!.dtype === 'float32' && areColumns(axes, x!.shape)) {
      return emitColumnSums(emit, x!, axes.length, keepDims);
    }
    const y = emit.one('ReduceSum', [wide ? to(name, wide) : name, emit.ints(axes)], {
      keepdims: { int: keepDims ? 1 : 0 },
    });
    return wide ? to(y, x!.dtype) : y;
  },
  fold: foldReduce({ float: (a, b) => a + b, int: (a, b) => a + b }, 0),
});

/** Types without a ReduceSum on the CPU; their sums wrap alike in a wider type. */
const SUM_IN: Partial<Record<DType, DType>> = {
  int8: 'int32',
  uint8: 'int32',
  int16: 'int32',
  uint16: 'int32',
  uint32: 'int64',
  uint64: 'int64',
};

/** Options of every reduction. */
export interface ReduceOptions {
  /** Axes to reduce, negative ones from the end; all of them by default. */
  readonly axes?: number | readonly number[];
  /** Keep reduced axes with length 1. Defaults to false. */
  readonly keepDims?: boolean;
}

/** Sum of the elements over `axes`. */
export function sum(x: Tensor, { axes, keepDims = false }: ReduceOptions = {}): Tensor {
  const list = normalizeAxes('sum', axes, x.rank);
  if (list.every((a) => x.shape[a] === 1)) return reshape(x, reducedShape(x.shape, list, keepDims));
  return reduceSumOp.one([x], { axes: list, keepDims });
}

/** Undoes broadcasting: sums `x` down to `shape`, which must broadcast to the shape of `x`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const offset = x.rank - shape.length;
  const axes = [...x.shape.keys()].filter(
    (i) => i < offset || (shape[i - offset] === 1 && x.shape[i] !== 1),
  );
  return reshape(sum(x, { axes, keepDims: true }), shape);
}

/** A constant tensor of zeros. */
export function zeros(dtype: DType, shape: Shape): Tensor {
  return full(dtype, shape, 0);
}

/** A constant tensor with every element `value`; stored as one element. */
export function full(dtype: DType, shape: Shape, value: number): Tensor {
  const v = isInt(dtype) || dtype === 'bool' ? Math.trunc(value) : value;
  return expand(constantOf(filled(dtype, shape.length ? shape.map(() => 1) : [], v)), shape);
}

/** Zeros of the type of `x`. */
export function zerosLike(x: Tensor): Tensor {
  return zeros(x.dtype, x.shape);
}

/** Ones of the type of `x`. */
export function onesLike(x: Tensor): Tensor {
  return full(x.dtype, x.shape, 1);
}
