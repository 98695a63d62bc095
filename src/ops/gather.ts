/** Picking whole slices by index, its dual (adding slices up by index), and embeddings. */
import { ShapeError } from '../errors.js';
import {
  type DType,
  defineOp,
  formatType,
  hostTensor,
  type OnnxEmitter,
  type Shape,
  sizeOf,
  type Tensor,
  type TensorType,
  toNumbers,
} from '../graph/index.js';
import { normalizeAxis, requireDType } from './check.js';
import { offsetIn, pick } from './host.js';

/** Element types that indices may have. */
export const INDEX_DTYPES: readonly DType[] = ['int64', 'int32'];

function gatheredShape(x: Shape, indices: Shape, axis: number): number[] {
  return [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
}

/** y[.., i, ..] = x[.., indices[i], ..] along `axis`. dx = dy added up by index. */
export const gatherOp = defineOp<{ axis: number }>({
  name: 'gather',
  infer: ([x, indices], { axis }) => {
    requireDType('gather (indices)', indices!, INDEX_DTYPES);
    return { dtype: x!.dtype, shape: gatheredShape(x!.shape, indices!.shape, axis) };
  },
  grad: ({ inputs: [x, indices], attrs: { axis }, dy }) => [
    indexAdd(indices!, dy, x!.shape[axis]!, axis),
    null,
  ],
  onnx: (emit, { inputs: [x, indices], attrs: { axis } }) =>
    emit.one('Gather', [emit.name(x!), emit.name(indices!)], { axis: { int: axis } }),
  fold: ([x, indices], { axis }, [type]) => {
    const length = x!.shape[axis]!;
    const rank = indices!.shape.length;
    const wanted = toNumbers(indices!).map((v) => (v < 0 ? v + length : v));
    // A bad index is left in the graph, where ONNX Runtime reports it.
    if (wanted.some((v) => v < 0 || v >= length)) return null;
    return [
      pick(x!, type!.shape, (index) => {
        const at = wanted[offsetIn(indices!.shape, (a) => index[axis + a]!)]!;
        return offsetIn(x!.shape, (a) =>
          a < axis ? index[a]! : a === axis ? at : index[a + rank - 1]!,
        );
      }),
    ];
  },
});

/**
 * Slices of `x` picked along `axis`: the axis is replaced by the axes of `indices`.
 * @param indices int64 or int32; negative ones count from the end. An index out of range is
 *   reported when the program runs.
 */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  return gatherOp.one([x, indices], { axis: normalizeAxis('gather', axis, x.rank) });
}

interface IndexAddAttrs {
  readonly axis: number;
  readonly size: number;
}

/**
 * Up to this many rows the sum is a product with a one-hot matrix, which runs on all threads; its
 * cost grows with the rows, and from about 1000 of them ScatterElements costs less.
 */
const MAX_ONE_HOT_ROWS = 512;

/**
 * y[.., j, ..] = sum of updates[.., i, ..] over all i with indices[i] = j; zero where there is
 * none. dupdates = gather(dy, indices).
 */
export const indexAddOp = defineOp<IndexAddAttrs>({
  name: 'indexAdd',
  infer: ([indices, updates], { axis, size }) => {
    requireDType('indexAdd (indices)', indices!, INDEX_DTYPES);
    const { shape } = updates!;
    const picked = shape.slice(axis, axis + indices!.shape.length);
    if (picked.join() !== indices!.shape.join()) {
      throw new ShapeError(
        `indexAdd: updates ${formatType(updates!)} must have the axes of indices ${formatType(indices!)} at position ${axis}.`,
        { op: 'indexAdd', axis, indices: indices!.shape, updates: shape },
      );
    }
    const after = shape.slice(axis + indices!.shape.length);
    return { dtype: updates!.dtype, shape: [...shape.slice(0, axis), size, ...after] };
  },
  grad: ({ inputs: [indices], attrs: { axis }, dy }) => [null, gather(dy, indices!, axis)],
  onnx: (emit, { inputs: [indices, updates], outputs: [y], attrs: { axis, size } }) => {
    const count = sizeOf(indices!.shape);
    const outer = sizeOf(y!.shape.slice(0, axis));
    const inner = sizeOf(y!.shape.slice(axis + 1));
    const updated: Updates = {
      indices: emit.one('Reshape', [emit.name(indices!), emit.ints([count])]),
      indexDType: indices!.dtype,
      values: emit.one('Reshape', [emit.name(updates!), emit.ints([outer, count, inner])]),
      dtype: updates!.dtype,
      shape: [outer, count, inner],
    };
    const oneHot = size <= MAX_ONE_HOT_ROWS && updates!.dtype === 'float32';
    const form = oneHot ? oneHotSum : size > count ? compactSum : scatterSum;
    return emit.one('Reshape', [form(emit, updated, size), emit.ints(y!.shape)]);
  },
});

/** Updates [outer, count, inner] and the one-dimensional indices of their middle axis. */
interface Updates extends TensorType {
  readonly indices: string;
  readonly indexDType: DType;
  readonly values: string;
}

/** onehot(indices)^T [size, count] @ updates [outer, count, inner]. */
function oneHotSum(emit: OnnxEmitter, { indices, indexDType, values }: Updates, size: number) {
  const offOn = emit.constant(hostTensor('float32', [2], [0, 1]));
  const matrix = emit.one('OneHot', [indices, emit.scalar(indexDType, size), offOn], {
    axis: { int: 0 },
  });
  return emit.one('MatMul', [matrix, values]);
}

/**
 * ScatterElements(add) on zeros. Not ScatterND(add), which takes whole rows and is fast: ONNX
 * Runtime runs it on all threads without a lock and loses updates where an index repeats.
 */
function scatterSum(emit: OnnxEmitter, { indices, values, dtype, shape }: Updates, size: number) {
  const [outer, count, inner] = shape as [number, number, number];
  const zeros = emit.one('ConstantOfShape', [emit.ints([outer, size, inner])], {
    value: { tensor: hostTensor(dtype, [1], [0]) },
  });
  const column = emit.one('Reshape', [indices, emit.ints([1, count, 1])]);
  const full = emit.one('Expand', [column, emit.ints([outer, count, inner])]);
  return emit.one('ScatterElements', [zeros, full, values], {
    axis: { int: 1 },
    reduction: { string: 'add' },
  });
}

/**
 * For a result with more rows than there are updates (a vocabulary): the sums are made in a small
 * tensor with a slot for each update and one slot that stays zero, and the result gathers from it.
 * ScatterElements copies its whole first input, so this reads and writes the large result once
 * instead of three times, and needs no zeros of its size.
 */
function compactSum(emit: OnnxEmitter, updates: Updates, size: number) {
  const [, count] = updates.shape as [number, number, number];
  const slots = hostTensor(
    'int64',
    [count],
    Array.from({ length: count }, (_, i) => i),
  );
  const none = emit.one('ConstantOfShape', [emit.ints([size])], {
    value: { tensor: hostTensor('int64', [1], [count]) },
  });
  // Where an index repeats, one of its slots stands for all: any, as long as it is one.
  const slotOfRow = emit.one('ScatterElements', [none, updates.indices, emit.constant(slots)]);
  const slotOfUpdate = emit.one('Gather', [slotOfRow, updates.indices]);
  const sums = scatterSum(emit, { ...updates, indices: slotOfUpdate }, count + 1);
  return emit.one('Gather', [sums, slotOfRow], { axis: { int: 1 } });
}

/**
 * Adds up slices by index: the dual of {@link gather}.
 * @param indices which slice of the result each slice of `updates` is added to
 * @param updates has the axes of `indices` at position `axis`
 * @param size length of `axis` in the result
 */
export function indexAdd(indices: Tensor, updates: Tensor, size: number, axis = 0): Tensor {
  const at = normalizeAxis('indexAdd', axis, updates.rank - indices.rank + 1);
  return indexAddOp.one([indices, updates], { axis: at, size });
}

/**
 * Rows of an embedding table. The gradient of the table is dense and adds up repeated ids.
 * @param table [vocabulary, dim]
 * @param ids int64 or int32, any shape
 * @returns [...ids, dim]
 */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  if (table.rank !== 2) {
    throw new ShapeError(
      `embedding: the table must be [vocabulary, dim], got ${formatType(table)}.`,
      { op: 'embedding', shape: table.shape },
    );
  }
  requireDType('embedding (ids)', ids, INDEX_DTYPES);
  return gather(table, ids, 0);
}
