/** Running sums, positions of extrema, the k largest, and one-hot codes. */
import { ShapeError } from '../errors.js';
import {
  type DType,
  defineOp,
  formatType,
  hostTensor,
  type Op,
  type Tensor,
  zeroGrad,
} from '../graph/index.js';
import { normalizeAxis, reducedShape, requireDType } from './check.js';
import { emitCast, requireNumber } from './compare.js';
import { zerosLike } from './layout.js';
import { scatterAdd } from './scatter.js';

interface CumsumAttrs {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
}

/** Running sum along an axis. dx = the running sum of dy from the other end. */
export const cumsumOp = defineOp<CumsumAttrs>({
  name: 'cumsum',
  infer: ([x]) => {
    requireNumber('cumsum', [x!]);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ dy, attrs: { axis, exclusive, reverse } }) => [
    cumsum(dy, axis, { exclusive, reverse: !reverse }),
  ],
  onnx: (emit, { inputs: [x], attrs: { axis, exclusive, reverse } }) => {
    // Small integers have no kernel; sums wrap alike in a wider type.
    const { dtype } = x!;
    const wide = CUMSUM_IN[dtype];
    const name = emit.name(x!);
    const y = emit.one(
      'CumSum',
      [wide ? emitCast(emit, name, wide) : name, emit.scalar('int64', axis)],
      { exclusive: { int: exclusive ? 1 : 0 }, reverse: { int: reverse ? 1 : 0 } },
    );
    return wide ? emitCast(emit, y, dtype) : y;
  },
});

const CUMSUM_IN: Partial<Record<DType, DType>> = {
  int8: 'int32',
  uint8: 'int32',
  int16: 'int32',
  uint16: 'int32',
  uint32: 'int64',
  uint64: 'int64',
};

/**
 * Running sum along `axis`.
 * @param options.exclusive leave the element itself out, so that the first sum is 0
 * @param options.reverse sum from the end
 */
export function cumsum(
  x: Tensor,
  axis: number,
  {
    exclusive = false,
    reverse = false,
  }: { readonly exclusive?: boolean; readonly reverse?: boolean } = {},
): Tensor {
  return cumsumOp.one([x], { axis: normalizeAxis('cumsum', axis, x.rank), exclusive, reverse });
}

interface PositionAttrs {
  readonly axis: number;
  readonly keepDims: boolean;
  readonly last: boolean;
}

/** Types for which the CPU has no ArgMax, ArgMin and TopK, and one that holds all their values. */
const ORDER_IN: Partial<Record<DType, DType>> = {
  bool: 'uint8',
  int16: 'int32',
  uint16: 'int32',
  uint32: 'int64',
};

function position(name: string, onnx: string): Op<PositionAttrs> {
  return defineOp<PositionAttrs>({
    name,
    infer: ([x], { axis, keepDims }) => {
      if (x!.shape[axis] === 0) {
        throw new ShapeError(
          `${name}: axis ${axis} of ${formatType(x!)} is empty, so no element is the one sought.`,
          { op: name, shape: x!.shape, axis },
        );
      }
      return { dtype: 'int64', shape: reducedShape(x!.shape, [axis], keepDims) };
    },
    grad: zeroGrad('a position is an integer'),
    onnx: (emit, { inputs: [x], attrs: { axis, keepDims, last } }) => {
      const wide = ORDER_IN[x!.dtype];
      const name = emit.name(x!);
      return emit.one(onnx, [wide ? emitCast(emit, name, wide) : name], {
        axis: { int: axis },
        keepdims: { int: keepDims ? 1 : 0 },
        select_last_index: { int: last ? 1 : 0 },
      });
    },
  });
}

/** Position of the largest element along an axis, int64. No gradient. */
export const argmaxOp = position('argmax', 'ArgMax');
/** Position of the smallest element along an axis, int64. No gradient. */
export const argminOp = position('argmin', 'ArgMin');

/** Options of {@link argmax} and {@link argmin}. */
export interface PositionOptions {
  /** Keep the axis with length 1. Defaults to false. */
  readonly keepDims?: boolean;
  /** Among equals the last one instead of the first. Defaults to false. */
  readonly last?: boolean;
}

/** Position of the largest element along `axis`, as int64; the first one among equals. */
export function argmax(
  x: Tensor,
  axis: number,
  { keepDims = false, last = false }: PositionOptions = {},
): Tensor {
  return argmaxOp.one([x], { axis: normalizeAxis('argmax', axis, x.rank), keepDims, last });
}

/** Position of the smallest element along `axis`, as int64; the first one among equals. */
export function argmin(
  x: Tensor,
  axis: number,
  { keepDims = false, last = false }: PositionOptions = {},
): Tensor {
  return argminOp.one([x], { axis: normalizeAxis('argmin', axis, x.rank), keepDims, last });
}

interface TopKAttrs {
  readonly k: number;
  readonly axis: number;
  readonly largest: boolean;
  readonly sorted: boolean;
}

/** The k largest or smallest elements along an axis and their positions. dx = dy put back there. */
export const topKOp = defineOp<TopKAttrs>({
  name: 'topK',
  infer: ([x], { k, axis }) => {
    requireNumber('topK', [x!]);
    const length = x!.shape[axis]!;
    if (!Number.isInteger(k) || k < 0 || k > length) {
      throw new ShapeError(
        `topK: k is ${k}, but axis ${axis} of ${formatType(x!)} has ${length} elements; use 0 to ${length}.`,
        { op: 'topK', k, axis, shape: x!.shape },
      );
    }
    const shape = x!.shape.with(axis, k);
    return [
      { dtype: x!.dtype, shape },
      { dtype: 'int64', shape },
    ];
  },
  grad: ({ inputs: [x], outputs: [, indices], dys: [dy], attrs: { axis } }) => [
    dy ? scatterAdd(zerosLike(x!), indices!, dy, axis) : null,
  ],
  onnx: (emit, { inputs: [x], attrs: { k, axis, largest, sorted } }) => {
    const { dtype } = x!;
    const wide = ORDER_IN[dtype];
    const name = emit.name(x!);
    const [values, indices] = emit.node(
      'TopK',
      [wide ? emitCast(emit, name, wide) : name, emit.ints([k])],
      {
        axis: { int: axis },
        largest: { int: largest ? 1 : 0 },
        sorted: { int: sorted ? 1 : 0 },
      },
      { outputs: 2 },
    );
    return [wide ? emitCast(emit, values!, dtype) : values!, indices!];
  },
});

/** Options of {@link topK}. */
export interface TopKOptions {
  /** Defaults to the last axis. */
  readonly axis?: number;
  /** The largest elements (default) or the smallest. */
  readonly largest?: boolean;
  /** In order, the foremost first (default); otherwise in any order. */
  readonly sorted?: boolean;
}

/**
 * The `k` largest (or smallest) elements along an axis; among equals the one with the lower
 * position comes first.
 * @returns values and their positions (int64), both with `k` elements along the axis
 * @throws ShapeError when the axis has fewer than `k` elements
 */
export function topK(
  x: Tensor,
  k: number,
  { axis = -1, largest = true, sorted = true }: TopKOptions = {},
): { values: Tensor; indices: Tensor } {
  const at = normalizeAxis('topK', axis, x.rank);
  const [values, indices] = topKOp.apply([x], { k, axis: at, largest, sorted });
  return { values: values!, indices: indices! };
}

interface OneHotAttrs {
  readonly depth: number;
  readonly axis: number;
  readonly dtype: DType;
}

/** Types in which the CPU's OneHot writes; the others are cast from float32, which holds 0 and 1. */
const ONE_HOT_TYPES: readonly DType[] = ['float32', 'float16', 'int64'];

/** A new axis that is 1 at the index and 0 elsewhere. No gradient. */
export const oneHotOp = defineOp<OneHotAttrs>({
  name: 'oneHot',
  infer: ([indices], { depth, axis, dtype }) => {
    requireDType('oneHot', indices!, ['int64', 'int32']);
    if (!Number.isInteger(depth) || depth < 1) {
      throw new ShapeError(`oneHot: depth is ${depth}; it must be a positive integer.`, {
        op: 'oneHot',
        depth,
      });
    }
    return { dtype, shape: indices!.shape.toSpliced(axis, 0, depth) };
  },
  grad: zeroGrad('indices are integers'),
  onnx: (emit, { inputs: [indices], attrs: { depth, axis, dtype } }) => {
    // Only int64 indices go with every one of these types.
    let name = emit.name(indices!);
    if (indices!.dtype !== 'int64') name = emitCast(emit, name, 'int64');
    const made = ONE_HOT_TYPES.includes(dtype) ? dtype : 'float32';
    const values = emit.constant(hostTensor(made, [2], [0, 1]));
    const y = emit.one('OneHot', [name, emit.scalar('int64', depth), values], {
      axis: { int: axis },
    });
    return made === dtype ? y : emitCast(emit, y, dtype);
  },
});

/** Options of {@link oneHot}. */
export interface OneHotOptions {
  /** Element type of the result. Defaults to float32. */
  readonly dtype?: DType;
  /** Where the new axis lies in the result. Defaults to the last. */
  readonly axis?: number;
}

/**
 * One-hot codes of class ids: an index from -depth to -1 counts from the end, as in ONNX, and any
 * other index outside the classes gives a code of zeros.
 * @param indices int64 or int32
 * @param depth number of classes
 */
export function oneHot(
  indices: Tensor,
  depth: number,
  { dtype = 'float32', axis = -1 }: OneHotOptions = {},
): Tensor {
  const at = normalizeAxis('oneHot', axis, indices.rank + 1);
  return oneHotOp.one([indices], { depth, axis: at, dtype });
}
