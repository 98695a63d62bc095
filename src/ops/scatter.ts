/** Element-wise and n-dimensional indexing: gather-elements, gather-ND and the scatters. */
import { ShapeError } from '../errors.js';
import {
  constant,
  defineOp,
  formatType,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { add, div, mul, sub } from './arithmetic.js';
import { normalizeAxis, requireDType, requireSameDType } from './check.js';
import { INDEX_DTYPES, indexAdd } from './gather.js';
import { stridesOf } from './host.js';
import { reshape, sum, zerosLike } from './layout.js';

function checkElementIndices(op: string, x: TensorType, indices: TensorType, axis: number) {
  requireDType(`${op} (indices)`, indices, INDEX_DTYPES);
  const fits =
    indices.shape.length === x.shape.length &&
    indices.shape.every((d, a) => a === axis || d <= x.shape[a]!);
  if (!fits) {
    throw new ShapeError(
      `${op}: indices ${formatType(indices)} do not fit ${formatType(x)}: they must have as many axes, and be no longer on any but axis ${axis}.`,
      { op, axis, x: x.shape, indices: indices.shape },
    );
  }
}

/** y[i, j] = x[indices[i, j], j] for axis 0, and likewise. dx = dy added at the same places. */
export const gatherElementsOp = defineOp<{ axis: number }>({
  name: 'gatherElements',
  infer: ([x, indices], { axis }) => {
    checkElementIndices('gatherElements', x!, indices!, axis);
    return { dtype: x!.dtype, shape: indices!.shape };
  },
  grad: ({ inputs: [x, indices], attrs: { axis }, dy }) => [
    scatterAdd(zerosLike(x!), indices!, dy, axis),
    null,
  ],
  onnx: (emit, { inputs: [x, indices], attrs: { axis } }) =>
    emit.one('GatherElements', [emit.name(x!), emit.name(indices!)], { axis: { int: axis } }),
});

/**
 * One element of `x` for each index, picked along `axis`; the other coordinates are the index's own.
 * @param indices int64 or int32; negative ones count from the end
 */
export function gatherElements(x: Tensor, indices: Tensor, axis = 0): Tensor {
  return gatherElementsOp.one([x, indices], {
    axis: normalizeAxis('gatherElements', axis, x.rank),
  });
}

interface ScatterAttrs {
  readonly axis: number;
  readonly reduction: 'none' | 'add';
}

/**
 * x with updates written, or added, at y[indices[i, j], j] for axis 0, and likewise.
 * dupdates = gatherElements(dy, indices); dx = dy, with zeros where x was overwritten.
 */
export const scatterElementsOp = defineOp<ScatterAttrs>({
  name: 'scatterElements',
  infer: ([x, indices, updates], { axis }) => {
    checkElementIndices('scatterElements', x!, indices!, axis);
    requireSameDType('scatterElements', [x!, updates!]);
    if (!sameShape(indices!.shape, updates!.shape)) {
      throw new ShapeError(
        `scatterElements: updates ${formatType(updates!)} must have the shape of indices ${formatType(indices!)}.`,
        { op: 'scatterElements', indices: indices!.shape, updates: updates!.shape },
      );
    }
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ inputs: [, indices, updates], attrs: { axis, reduction }, dy, needs }) => [
    !needs[0] || reduction === 'add'
      ? dy
      : scatterElements(dy, indices!, zerosLike(updates!), axis),
    null,
    needs[2] ? gatherElements(dy, indices!, axis) : null,
  ],
  onnx: (emit, { inputs, attrs: { axis, reduction } }) =>
    emit.one(
      'ScatterElements',
      inputs.map((t) => emit.name(t)),
      { axis: { int: axis }, reduction: { string: reduction } },
    ),
});

/** `x` with each of `updates` added at the place that its index gives along `axis`; repeats add up. */
export function scatterAdd(x: Tensor, indices: Tensor, updates: Tensor, axis = 0): Tensor {
  const at = normalizeAxis('scatterAdd', axis, x.rank);
  return scatterElementsOp.one([x, indices, updates], { axis: at, reduction: 'add' });
}

/**
 * `x` with the element at the place that each index gives along `axis` replaced by its update. No
 * place may be given twice: which update stays is then undefined.
 */
export function scatterElements(x: Tensor, indices: Tensor, updates: Tensor, axis = 0): Tensor {
  const at = normalizeAxis('scatterElements', axis, x.rank);
  return scatterElementsOp.one([x, indices, updates], { axis: at, reduction: 'none' });
}

function checkTuples(op: string, x: TensorType, indices: TensorType, batchDims: number): number {
  requireDType(`${op} (indices)`, indices, ['int64']);
  const depth = indices.shape.at(-1);
  const batches = sameShape(x.shape.slice(0, batchDims), indices.shape.slice(0, batchDims));
  if (
    depth === undefined ||
    depth + batchDims > x.shape.length ||
    indices.shape.length <= batchDims ||
    !batches
  ) {
    throw new ShapeError(
      `${op}: indices ${formatType(indices)} do not fit ${formatType(x)} with ${batchDims} batch axes: the batch axes must agree, and the last axis of indices holds one coordinate for each axis indexed.`,
      { op, x: x.shape, indices: indices.shape, batchDims },
    );
  }
  return depth;
}

/**
 * Coordinates [..., depth] as row numbers [...] of `x` seen as [rows, rest]: the indexed axes (and
 * the batch axes before them) folded into one.
 */
function rowNumbers(x: Shape, indices: Tensor, batchDims: number): Tensor {
  const depth = indices.shape.at(-1)!;
  const dims = x.slice(batchDims, batchDims + depth);
  const list = (values: readonly number[]) => constant(values, 'int64', [values.length]);
  // (i + d) - d trunc((i + d) / d) takes -d..d-1 to 0..d-1.
  const shifted = add(indices, list(dims));
  const wrapped = sub(shifted, mul(div(shifted, list(dims)), list(dims)));
  const rows = sum(mul(wrapped, list(stridesOf(dims))), { axes: -1 });
  if (batchDims === 0) return rows;
  const batch = x.slice(0, batchDims);
  const first = Array.from({ length: sizeOf(batch) }, (_, b) => b * sizeOf(dims));
  const shape = [...batch, ...new Array<number>(rows.rank - batchDims).fill(1)];
  return add(rows, constant(first, 'int64', shape));
}

/** Sums of the slices of `updates` whose coordinates are equal, in a tensor of `shape`. */
function addByTuple(shape: Shape, indices: Tensor, updates: Tensor, batchDims: number): Tensor {
  const indexed = batchDims + indices.shape.at(-1)!;
  const rows = rowNumbers(shape, indices, batchDims);
  const slices = reshape(updates, [rows.size, sizeOf(shape.slice(indexed))]);
  const count = sizeOf(shape.slice(0, indexed));
  return reshape(indexAdd(reshape(rows, [rows.size]), slices, count), shape);
}

/** y[b, i] = x[b, indices[b, i, 0], indices[b, i, 1], ...]. dx = dy added up by coordinates. */
export const gatherNDOp = defineOp<{ batchDims: number }>({
  name: 'gatherND',
  infer: ([x, indices], { batchDims }) => {
    const depth = checkTuples('gatherND', x!, indices!, batchDims);
    const rest = x!.shape.slice(batchDims + depth);
    return { dtype: x!.dtype, shape: [...indices!.shape.slice(0, -1), ...rest] };
  },
  grad: ({ inputs: [x, indices], attrs: { batchDims }, dy }) => [
    addByTuple(x!.shape, indices!, dy, batchDims),
    null,
  ],
  onnx: (emit, { inputs: [x, indices], attrs: { batchDims } }) =>
    emit.one('GatherND', [emit.name(x!), emit.name(indices!)], { batch_dims: { int: batchDims } }),
});

/**
 * Slices of `x` by tuples of coordinates.
 * @param indices int64 [...batch, ..., depth]; the last axis holds the coordinates of `depth` axes
 * @param options.batchDims leading axes that `x` and `indices` share. Defaults to 0.
 */
export function gatherND(
  x: Tensor,
  indices: Tensor,
  { batchDims = 0 }: { readonly batchDims?: number } = {},
): Tensor {
  return gatherNDOp.one([x, indices], { batchDims });
}

/** x with slices replaced by tuples of coordinates. dx = dy with zeros there; dupdates = gatherND(dy). */
export const scatterNDOp = defineOp<undefined>({
  name: 'scatterND',
  infer: ([x, indices, updates]) => {
    checkScatterND(x!, indices!, updates!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ inputs: [, indices, updates], dy, needs }) => [
    needs[0] ? scatterND(dy, indices!, zerosLike(updates!)) : null,
    null,
    needs[2] ? gatherND(dy, indices!) : null,
  ],
  onnx: (emit, { inputs }) =>
    emit.one(
      'ScatterND',
      inputs.map((t) => emit.name(t)),
    ),
  overwrites: 0,
});

function checkScatterND(x: TensorType, indices: TensorType, updates: TensorType) {
  requireSameDType('scatterND', [x, updates]);
  const depth = checkTuples('scatterND', x, indices, 0);
  const want = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
  if (!sameShape(updates.shape, want)) {
    throw new ShapeError(
      `scatterND: updates are ${formatType(updates)}, but indices ${formatType(indices)} into ${formatType(x)} need [${want.join(',')}].`,
      { op: 'scatterND', updates: updates.shape, expected: want },
    );
  }
}

/**
 * `x` with slices replaced by (or, with `reduction: 'add'`, increased by) `updates`.
 * @param indices int64 [..., depth]: coordinates of each slice. Repeats add up; without a
 *   reduction no slice may be given twice.
 */
export function scatterND(
  x: Tensor,
  indices: Tensor,
  updates: Tensor,
  { reduction = 'none' }: { readonly reduction?: 'none' | 'add' } = {},
): Tensor {
  checkScatterND(x, indices, updates);
  if (reduction === 'none') return scatterNDOp.one([x, indices, updates], undefined);
  // Not ONNX's own reduction: ONNX Runtime's loses updates where coordinates repeat.
  return add(x, addByTuple(x.shape, indices, updates, 0));
}

/** `x` with `axis` picked at one index for each position of the other axes, which is dropped. */
export function pickAlong(x: Tensor, indices: Tensor, axis = -1): Tensor {
  const at = normalizeAxis('pickAlong', axis, x.rank);
  const picked = gatherElements(x, reshape(indices, x.shape.with(at, 1)), at);
  return reshape(
    picked,
    x.shape.filter((_, a) => a !== at),
  );
}
