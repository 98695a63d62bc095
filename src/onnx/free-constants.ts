/**
 * Constants that are others when the batch or the sequence is another, as operators of the sizes: tokens that
 * are repeated, positions that are counted, masks and classes of distances, rows of a table of positions.
 */
import { type DType, type HostTensor, hostTensor, sizeOf } from '../graph/index.js';
import type { FreeShapes } from './free-shapes.js';
import { PREFIX } from './free-shapes.js';
import { isFixed, type Length, lengthOf, type Traced } from './lengths.js';
import { type Block, repeatedBlock } from './repeated-block.js';

/** One constant as it is in each trace. */
export interface ConstantFamily {
  readonly name: string;
  readonly dtype: DType;
  readonly blocks: readonly Block[];
  /** Tables that have an end. */
  readonly tables: () => readonly HostTensor[];
}

type Numbers = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** Elements of a block; null for types that no constant of a shape has. */
function numbersOf({ bytes }: Block, dtype: DType): Numbers | null {
  // Copied: it lies anywhere in the file, and a Buffer's slice would be a view.
  const { buffer } = new Uint8Array(bytes);
  if (dtype === 'float32') return new Float32Array(buffer);
  if (dtype === 'int32') return new Int32Array(buffer);
  if (dtype === 'int64') return new BigInt64Array(buffer);
  return dtype === 'bool' ? new Uint8Array(buffer) : null;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

/** What a fit needs: the family, and where its operators go. */
interface Fit {
  readonly family: ConstantFamily;
  readonly traced: Traced;
  readonly shapes: FreeShapes;
  readonly values: readonly Numbers[];
  /** Lengths of its axes. */
  readonly dims: readonly Length[];
}

/** One sample's part, repeated. */
function repeated({ family, traced, shapes, dims }: Fit): boolean {
  const { name, dtype, blocks } = family;
  const free = [...dims.keys()].filter((i) => !isFixed(dims[i]!));
  const [axis] = free as [number];
  const name_ = free.length === 1 ? dims[axis]!.terms[0]!.axes[0] : undefined;
  if (name_ === undefined) return false;
  const parts = blocks.map((block, i) => repeatedBlock(block, axis, traced.sizes[i]![name_]!));
  const [part] = parts;
  if (!part) return false;
  const same = (other: Block | null) =>
    other?.dims.every((d, i) => d === part.dims[i]) && sameBytes(other.bytes, part.bytes);
  if (!parts.every(same)) return false;
  const value = hostTensor(dtype, part.dims, numbersOf(part, dtype)!);
  const base = shapes.constant(value, `${PREFIX}.part.${name}`);
  const one: Length = { constant: 1, terms: [] };
  const repeats = part.dims.map(
    (_, i): Length => (i === axis ? { constant: 0, terms: [{ factor: 1, axes: [name_] }] } : one),
  );
  shapes.node('Tile', [base, shapes.list(repeats, `${PREFIX}.repeats.${name}`)], {}, name);
  return true;
}

/** `start` and how much an element is more than the one before it along each axis. */
function steps(values: Numbers, dims: readonly number[]): number[] | null {
  const start = Number(values[0]);
  const strides = dims.map((_, d) => sizeOf(dims.slice(d + 1)));
  const step = strides.map((stride, d) => (dims[d]! > 1 ? Number(values[stride]) - start : 0));
  for (let i = 0; i < values.length; i++) {
    let want = start;
    for (const [d, stride] of strides.entries()) {
      if (step[d] !== 0) want += step[d]! * (Math.floor(i / stride) % dims[d]!);
    }
    if (Number(values[i]) !== want) return null;
  }
  return [start, ...step];
}

/** Whole numbers that are counted: positions, the first places of rows, the same number everywhere. */
function counted({ family, traced, shapes, values, dims }: Fit): boolean {
  const { name, dtype, blocks } = family;
  if (dtype !== 'int32' && dtype !== 'int64') return false;
  const found = values.map((v, i) => steps(v, blocks[i]!.dims));
  if (found.some((f) => f === null)) return false;
  const lengths = found[0]!.map((_, k) =>
    lengthOf(
      found.map((f) => f![k]!),
      traced,
    ),
  );
  if (lengths.some((l) => l === null)) return false;
  const [start, ...step] = lengths as [Length, ...Length[]];
  const terms = [shapes.length(start)];
  for (const [d, length] of step.entries()) {
    if (isFixed(length) && length.constant === 0) continue;
    const scaled = shapes.node('Mul', [shapes.range(dims[d]!), shapes.length(length)]);
    // The axes behind it, along which it is the same.
    const behind = dims.slice(d + 1).map((_, i) => i + 1);
    terms.push(behind.length ? shapes.node('Unsqueeze', [scaled, shapes.ints(behind)]) : scaled);
  }
  const sum = terms.reduce((a, b) => shapes.node('Add', [a, b]));
  const out = dtype === 'int64' ? name : undefined;
  const whole = shapes.node('Expand', [sum, shapes.list(dims)], {}, out);
  if (dtype === 'int32') shapes.node('Cast', [whole], { to: 6 }, name);
  return true;
}

/** A function of a distance, from `low` on. */
interface ByDistance {
  readonly low: number;
  readonly values: readonly (number | bigint)[];
}

/** What a constant says of each distance from a row to a column; null when there is more to it. */
function byDistance(values: Numbers, rows: number, columns: number): ByDistance | null {
  for (let i = columns; i < values.length; i++) {
    if (i % columns !== 0 && !Object.is(values[i], values[i - columns - 1])) return null;
  }
  const below = Array.from({ length: rows - 1 }, (_, i) => values[(rows - 1 - i) * columns]!);
  return { low: 1 - rows, values: [...below, ...values.subarray(0, columns)] };
}

/**
 * The part of a function beyond which it stays as it is. That it does is seen over at least as many
 * distances again, so that it is not taken for granted of the last few only.
 */
function bounded({ low, values }: ByDistance): ByDistance | null {
  const zero = -low;
  const last = values.length - 1;
  let [from, to] = [zero, zero];
  for (let i = last; i > zero && to === zero; i--)
    if (!Object.is(values[i - 1], values[last])) to = i;
  for (let i = 0; i < zero && from === zero; i++)
    if (!Object.is(values[i + 1], values[0])) from = i;
  if (2 * (to - zero) > last - zero || 2 * (zero - from) > zero) return null;
  return { low: from + low, values: values.slice(from, to + 1) };
}

/** Whether two functions are the same where both are known. */
function agree(a: ByDistance, b: ByDistance): boolean {
  return b.values.every((v, i) => {
    const at = i + b.low - a.low;
    return at < 0 || at >= a.values.length || Object.is(v, a.values[at]);
  });
}

/** Masks of what comes later, classes of distances: a table that is looked up at the distance. */
function distances({ family, shapes, values, dims }: Fit): boolean {
  const { name, dtype, blocks } = family;
  const long = [...dims.keys()].filter((i) => !isFixed(dims[i]!) || dims[i]!.constant !== 1);
  if (long.length > 2 || long.some((i) => isFixed(dims[i]!))) return false;
  const [row, column] = long.length === 2 ? long : [undefined, long[0]!];
  const found = values.map((v, i) => {
    const of = (axis: number | undefined) => (axis === undefined ? 1 : blocks[i]!.dims[axis]!);
    return byDistance(v, of(row), of(column));
  });
  if (found.some((f) => f === null)) return false;
  const widest = (found as ByDistance[]).reduce((a, b) =>
    b.values.length > a.values.length ? b : a,
  );
  const table = bounded(widest);
  if (!table || !found.every((f) => agree(widest, f!))) return false;
  const columns = shapes.range(dims[column!]!);
  const apart =
    row === undefined
      ? columns
      : shapes.node('Sub', [
          columns,
          shapes.node('Unsqueeze', [shapes.range(dims[row]!), shapes.ints([1])]),
        ]);
  const { low, values: kept } = table;
  const scalar = (v: number) => shapes.constant(hostTensor('int64', [], [v]));
  const near = shapes.node('Clip', [apart, scalar(low), scalar(low + kept.length - 1)]);
  const at = shapes.node('Sub', [near, scalar(low)]);
  const data = dtype === 'int64' ? BigInt64Array.from(kept as bigint[]) : (kept as number[]);
  const looked = shapes.node('Gather', [
    shapes.constant(hostTensor(dtype, [kept.length], data)),
    at,
  ]);
  shapes.node('Reshape', [looked, shapes.list(dims)], {}, name);
  return true;
}

/** The first rows of a table that has an end. */
function firstRows({ family, shapes, values, dims }: Fit): boolean {
  const { name, dtype } = family;
  const free = [...dims.keys()].filter((i) => !isFixed(dims[i]!));
  const [axis] = free as [number];
  const outer = free.length === 1 && dims.slice(0, axis).every((l) => l.constant === 1);
  if (!outer) return false;
  const begins = (table: HostTensor) =>
    table.dtype === dtype &&
    table.shape.length === dims.length &&
    values.every((v) => v.length <= table.data.length && v.every((x, i) => x === table.data[i]));
  // The table with the most rows is the whole one.
  const [table] = family
    .tables()
    .filter(begins)
    .sort((a, b) => b.data.length - a.data.length);
  if (!table) return false;
  const rows = shapes.constant(table, `${PREFIX}.table.${name}`);
  const ends = shapes.list([dims[axis]!]);
  shapes.node('Slice', [rows, shapes.ints([0]), ends, shapes.ints([axis])], {}, name);
  return true;
}

const FITS = [repeated, counted, distances, firstRows];

/**
 * Puts operators in the place of a constant, under its name.
 * @returns false when it is none of the kinds that are known; nothing is then written
 */
export function freeConstant(family: ConstantFamily, traced: Traced, shapes: FreeShapes): boolean {
  const { blocks, dtype } = family;
  const values = blocks.map((b) => numbersOf(b, dtype));
  const [first] = blocks as [Block];
  if (values.some((v) => v === null) || blocks.some((b) => b.dims.length !== first.dims.length)) {
    return false;
  }
  const dims = first.dims.map((_, d) =>
    lengthOf(
      blocks.map((b) => b.dims[d]!),
      traced,
    ),
  );
  if (dims.some((d) => d === null)) return false;
  const fit = { family, traced, shapes, values: values as Numbers[], dims: dims as Length[] };
  return FITS.some((tried) => tried(fit));
}
