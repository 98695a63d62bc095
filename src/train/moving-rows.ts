/**
 * Tables of which training reads few rows. A word that no training text holds has no gradient, so neither its
 * vector nor moments for it need to be on the device: a table of 30,000 words is half of a small encoder, and a
 * set of sentences holds some thousands of them.
 */
import type { Batch } from '../engine/index.js';
import {
  constantOf,
  type HostTensor,
  hostTensor,
  input,
  inputName,
  substitute,
  type Tensor,
  toposort,
} from '../graph/index.js';
import { gather, gatherOp } from '../ops/index.js';

/** Ids that a tensor of training batches may hold; every other id never comes. */
export interface TrainingIds {
  /** Name of the tensor in a batch. */
  readonly name: string;
  /** Rising. */
  readonly ids: Int32Array;
  /** Any batch: what the step computes of it shows what else reads a table. */
  readonly example: Batch;
}

/** The rows of a table [count, width] that move; the others stay as they are. */
export interface MovingRows {
  /** The placeholder of the whole table. */
  readonly table: Tensor;
  /** The placeholder of the rows that move, [ids, width]. */
  readonly moving: Tensor;
  readonly ids: Int32Array;
}

/** Up to this share of the rows. Where most rows move, bringing them together saves little. */
const WORTHWHILE = 0.75;

/** Lookups in `table` by the ids themselves; null when something else reads the table too. */
function lookups(outputs: readonly Tensor[], table: Tensor, ids: Tensor): Tensor[] | null {
  const found: Tensor[] = [];
  for (const { op, inputs, attrs, outputs: results } of toposort(outputs)) {
    if (!inputs.includes(table)) continue;
    const axis = op === (gatherOp as unknown) ? (attrs as { axis: number }).axis : null;
    if (axis !== 0 || inputs[0] !== table || inputs[1] !== ids) return null;
    found.push(results[0]!);
  }
  return found.length > 0 ? found : null;
}

/**
 * The rows of a parameter that move; null where all of them do, or most.
 * @param outputs what a training step computes of a batch
 * @param ids placeholder of the ids in that batch
 */
export function movingRows(
  outputs: readonly Tensor[],
  table: Tensor,
  ids: Tensor,
  chosen: Int32Array,
): MovingRows | null {
  const [count = 0, width = 0] = table.shape;
  if (table.rank !== 2 || chosen.length === 0 || chosen.length > WORTHWHILE * count) return null;
  // Ids without a row are left to the runtime, which reports them.
  if (chosen[0]! < 0 || chosen.at(-1)! >= count) return null;
  if (!lookups(outputs, table, ids)) return null;
  const moving = input(`${inputName(table)}:rows`, table.dtype, [chosen.length, width]);
  return { table, moving, ids: chosen };
}

/** Place of each id among the moving rows; for an id that does not move a place that there is not, which is reported. */
function places({ table, ids }: MovingRows): Tensor {
  const found = new Int32Array(table.shape[0]!).fill(ids.length);
  for (const [place, id] of ids.entries()) found[id] = place;
  return constantOf(hostTensor('int32', [found.length], found));
}

/** `outputs` with every lookup in a table made among its moving rows. */
export function readMoving(
  outputs: readonly Tensor[],
  rows: readonly MovingRows[],
  ids: Tensor,
): Tensor[] {
  const replaced = new Map<Tensor, Tensor>();
  for (const r of rows) {
    const picked = gather(r.moving, gather(places(r), ids));
    for (const found of lookups(outputs, r.table, ids) ?? []) replaced.set(found, picked);
  }
  return substitute(outputs, replaced);
}

/** The moving rows of a table's values. */
export function takeRows({ moving, ids }: MovingRows, { data, dtype }: HostTensor): HostTensor {
  const width = moving.shape[1]!;
  const taken = data.slice(0, ids.length * width);
  for (const [place, id] of ids.entries()) {
    taken.set(data.subarray(id * width, (id + 1) * width) as never, place * width);
  }
  return { dtype, shape: moving.shape, data: taken };
}

/** A table with the values of its moving rows put in. */
export function putRows(
  { moving, ids }: MovingRows,
  { data, dtype, shape }: HostTensor,
  { data: values }: HostTensor,
): HostTensor {
  const width = moving.shape[1]!;
  const put = data.slice();
  for (const [place, id] of ids.entries()) {
    put.set(values.subarray(place * width, (place + 1) * width) as never, id * width);
  }
  return { dtype, shape, data: put };
}
