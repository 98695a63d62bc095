/**
 * Evaluation on the host of small arithmetic (shapes, axes, scales), as `fold` rules. Integers are
 * computed as bigint and wrapped to their type, floats as doubles and rounded once.
 */
import {
  type DType,
  dtypeInfo,
  fromFloat16Bits,
  type HostTensor,
  isFloat,
  type Shape,
  sizeOf,
  type TensorType,
  toFloat16Bits,
} from '../graph/index.js';
import { offsetIn, pick, stridesOf } from './host.js';

/** An element: a number of a float tensor, a bigint of an integer or bool tensor. */
export type Element = number | bigint;

/** A fold rule that needs no attributes; it fits the `fold` field of any operation. */
export type Fold = (
  inputs: readonly HostTensor[],
  attrs: unknown,
  outputs: readonly TensorType[],
) => readonly HostTensor[] | null;

/** What an elementwise operation does to its elements; a kind that is not given is not folded. */
export interface ElementRule {
  readonly float?: (...values: number[]) => number | boolean;
  readonly int?: (...values: bigint[]) => bigint | boolean;
}

/** Element `i` of `x`. */
function read(x: HostTensor, i: number): Element {
  const v = x.data[i]!;
  if (x.dtype === 'float16') return fromFloat16Bits(Number(v));
  return isFloat(x.dtype) ? Number(v) : BigInt(v);
}

/** Writes `value`, wrapped or rounded as the element type of `x` demands. */
function write(x: HostTensor, i: number, value: Element | boolean): void {
  const { dtype, data } = x;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(value);
  else if (dtype === 'bool') data[i] = Number(value) === 0 ? 0 : 1;
  else if (dtype === 'float16') data[i] = toFloat16Bits(Number(value));
  else if (isFloat(dtype)) data[i] = Number(value);
  // Typed arrays wrap numbers by themselves, but only those that a double holds exactly.
  else data[i] = Number(BigInt.asIntN(32, BigInt(value)));
}

function empty({ dtype, shape }: TensorType): HostTensor {
  return { dtype, shape, data: new (dtypeInfo(dtype).array)(sizeOf(shape)) };
}

/** For each element of a tensor of `shape`, the offset of the element of `from` broadcast to it. */
function broadcastOffsets(from: Shape, shape: Shape): number[] {
  const lead = shape.length - from.length;
  const strides = stridesOf(from).map((s, axis) => (from[axis] === 1 ? 0 : s));
  const outer = stridesOf(shape);
  return Array.from({ length: sizeOf(shape) }, (_, i) => {
    let offset = 0;
    for (const [axis, stride] of strides.entries()) {
      offset += (Math.trunc(i / outer[lead + axis]!) % shape[lead + axis]!) * stride;
    }
    return offset;
  });
}

/** Runs `make`; null where bigint arithmetic has no answer (division by zero, negative power). */
function orDecline(make: () => HostTensor): readonly HostTensor[] | null {
  try {
    return [make()];
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Folds an elementwise operation with broadcasting. The last input decides which rule is used. */
export function foldElementwise(rule: ElementRule): Fold {
  return (inputs, _, [type]) => {
    const fn = (isFloat(inputs.at(-1)!.dtype) ? rule.float : rule.int) as
      | ((...values: Element[]) => Element | boolean)
      | undefined;
    if (!fn) return null;
    return orDecline(() => {
      const out = empty(type!);
      const offsets = inputs.map((x) => broadcastOffsets(x.shape, out.shape));
      for (let i = 0; i < out.data.length; i++) {
        write(out, i, fn(...inputs.map((x, k) => read(x, offsets[k]![i]!))));
      }
      return out;
    });
  };
}

/** Folds a reduction over `attrs.axes` that combines elements two at a time, starting from `start`. */
export function foldReduce(
  rule: ElementRule,
  start?: number,
): (
  inputs: readonly HostTensor[],
  attrs: { readonly axes: readonly number[] },
  outputs: readonly TensorType[],
) => readonly HostTensor[] | null {
  return ([x], { axes }, [type]) => {
    const combine = (isFloat(x!.dtype) ? rule.float : rule.int) as
      | ((a: Element, b: Element) => Element)
      | undefined;
    if (!combine) return null;
    const out = empty(type!);
    const reduced = new Set(axes);
    const kept = x!.shape.map((d, i) => (reduced.has(i) ? 1 : d));
    const to = broadcastOffsets(kept, x!.shape);
    const initial = start === undefined ? undefined : isFloat(x!.dtype) ? start : BigInt(start);
    const totals = new Array<Element | undefined>(out.data.length).fill(initial);
    for (const [i, at] of to.entries()) {
      const v = read(x!, i);
      const before = totals[at];
      totals[at] = before === undefined ? v : combine(before, v);
    }
    if (totals.includes(undefined)) return null;
    for (const [i, v] of totals.entries()) write(out, i, v!);
    return [out];
  };
}

/** Folds a change of element type; null where the standard leaves the result open. */
export function foldCast(x: HostTensor, to: DType): readonly HostTensor[] | null {
  const out = empty({ dtype: to, shape: x.shape });
  for (let i = 0; i < out.data.length; i++) {
    const v = read(x, i);
    if (to === 'bool' || isFloat(to)) {
      // NaN is true, as everything but zero is.
      write(out, i, to === 'bool' ? v !== 0 && v !== 0n : v);
      continue;
    }
    const whole = typeof v === 'bigint' ? v : Number.isFinite(v) ? BigInt(Math.trunc(v)) : null;
    if (whole === null) return null;
    write(out, i, whole);
    if (typeof v === 'number' && read(out, i) !== whole) return null;
  }
  return [out];
}

/** Folds a permutation of axes. */
export function foldTranspose(
  x: HostTensor,
  perm: readonly number[],
  type: TensorType,
): readonly HostTensor[] {
  const axisOf = new Map(perm.map((p, i) => [p, i]));
  return [pick(x, type.shape, (index) => offsetIn(x.shape, (axis) => index[axisOf.get(axis)!]!))];
}

/** Folds broadcasting to `shape`. */
export function foldExpand(x: HostTensor, shape: Shape): readonly HostTensor[] {
  const lead = shape.length - x.shape.length;
  return [
    pick(x, shape, (index) =>
      offsetIn(x.shape, (axis) => (x.shape[axis] === 1 ? 0 : index[lead + axis]!)),
    ),
  ];
}

/** The larger of two elements; NaN wins. */
export function larger<E extends Element>(a: E, b: E): E {
  return Number.isNaN(a) || a > b ? a : b;
}

/** The smaller of two elements; NaN wins. */
export function smaller<E extends Element>(a: E, b: E): E {
  return Number.isNaN(a) || a < b ? a : b;
}
