/** Picking whole slices by index, its dual (adding slices up by index), and embeddings. */
import { ShapeError } from '../errors.js';
import {
  type DType,
  defineOp,
  formatType,
  hostTensor,
  type OnnxEmitter,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
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

/** The same for the slots of a {@link compactSum}, of which there are as many as updates. */
const MAX_ONE_HOT_SLOTS = 1024;

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
    const lead = outer === 1 ? [] : [outer];
    const shaped = (t: Tensor, shape: Shape) =>
      sameShape(t.shape, shape)
        ? emit.name(t)
        : emit.one('Reshape', [emit.name(t), emit.ints(shape)]);
    const updated: Updates = {
      indices: shaped(indices!, [count]),
      indexDType: indices!.dtype,
      values: shaped(updates!, [...lead, count, inner]),
      dtype: updates!.dtype,
      lead,
      count,
      inner,
    };
    const oneHot = size <= MAX_ONE_HOT_ROWS && updates!.dtype === 'float32';
    const form = oneHot ? oneHotSum : size > count ? compactSum : scatterSum;
    const summed = form(emit, updated, size);
    // Fetched from a program, a reshaped result would be copied: a table's gradient is large.
    if (sameShape(y!.shape, [...lead, size, inner])) return summed;
    return emit.one('Reshape', [summed, emit.ints(y!.shape)]);
  },
});

/** Updates [...lead, count, inner], with one leading axis or none, and the indices [count]. */
interface Updates {
  readonly lead: Shape;
  readonly count: number;
  readonly inner: number;
  readonly dtype: DType;
  readonly indices: string;
  readonly indexDType: DType;
  readonly values: string;
}

/** onehot(indices)^T [size, count] @ updates [..., count, inner]. */
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
function scatterSum(emit: OnnxEmitter, updates: Updates, size: number) {
  const { indices, values, dtype, lead, count, inner } = updates;
  const zeros = emit.one('ConstantOfShape', [emit.ints([...lead, size, inner])], {
    value: { tensor: hostTensor(dtype, [1], [0]) },
  });
  const column = emit.one('Reshape', [indices, emit.ints([count, 1])]);
  const full = emit.one('Expand', [column, emit.ints([...lead, count, inner])]);
  return emit.one('ScatterElements', [zeros, full, values], {
    axis: { int: lead.length },
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
  const { count } = updates;
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
  const form = count <= MAX_ONE_HOT_SLOTS && updates.dtype === 'float32' ? oneHotSum : scatterSum;
  const slotted: Updates = { ...updates, indices: slotOfUpdate, indexDType: 'int64' };
  const sums = form(emit, slotted, count + 1);
  return emit.one('Gather', [sums, slotOfRow], { axis: { int: updates.lead.length } });
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
