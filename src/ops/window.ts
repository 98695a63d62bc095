/** Windows that slide over spatial axes: how kernels, strides, dilations and padding are given and checked. */
import { ConfigError, ShapeError } from '../errors.js';
import type { Shape } from '../graph/index.js';

/** One number for all spatial axes, or one an axis. */
export type PerAxis = number | readonly number[];

/**
 * Padding of the spatial axes: one number for all sides, one an axis, a pair [before, after] an
 * axis, or `'same'`: as much as makes the output `ceil(input / stride)` long, the odd element after.
 */
export type Padding = number | 'same' | readonly (number | readonly [number, number])[];

/** How a window moves; every list has one entry a spatial axis, `pads` has all befores, then all afters. */
export interface WindowAttrs {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

/**
 * One integer of at least `low` for each of `axes` spatial axes.
 * @throws ConfigError when the number of entries or an entry does not fit
 */
export function perAxis(
  op: string,
  what: string,
  value: PerAxis,
  axes: number,
  low: number,
): number[] {
  const list = typeof value === 'number' ? new Array<number>(axes).fill(value) : [...value];
  if (list.length !== axes || list.some((v) => !Number.isInteger(v) || v < low)) {
    throw new ConfigError(
      `${op}: ${what} must be ${axes === 1 ? 'an integer' : `an integer or ${axes} integers`} of at least ${low}, got ${JSON.stringify(value)}.`,
      { op, [what]: value },
    );
  }
  return list;
}

/** Elements that a dilated kernel spans. */
export function kernelSpan(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/**
 * Padding written out as all befores, then all afters.
 * @throws ConfigError when it has the wrong number of entries, or a negative one
 */
export function resolvePadding(
  op: string,
  padding: Padding,
  size: readonly number[],
  kernel: readonly number[],
  strides: readonly number[],
  dilations: readonly number[],
): number[] {
  const axes = size.length;
  if (padding === 'same') {
    const totals = size.map((n, i) =>
      Math.max(
        0,
        (Math.ceil(n / strides[i]!) - 1) * strides[i]! + kernelSpan(kernel[i]!, dilations[i]!) - n,
      ),
    );
    return [...totals.map((t) => Math.floor(t / 2)), ...totals.map((t) => Math.ceil(t / 2))];
  }
  const list = typeof padding === 'number' ? new Array<number>(axes).fill(padding) : [...padding];
  const pairs = list.map((p) => (typeof p === 'number' ? [p, p] : p));
  const bad = pairs.some((p) => p.length !== 2 || p.some((v) => !Number.isInteger(v) || v < 0));
  if (list.length !== axes || bad) {
    throw new ConfigError(
      `${op}: padding must be 'same', a number, or ${axes} numbers or [before, after] pairs, none negative; got ${JSON.stringify(padding)}.`,
      { op, padding },
    );
  }
  return [...pairs.map((p) => p[0]!), ...pairs.map((p) => p[1]!)];
}

/**
 * Positions that a window takes along each axis.
 * @throws ShapeError when the window is longer than the padded input
 */
export function windowPositions(
  op: string,
  size: Shape,
  kernel: readonly number[],
  { strides, pads, dilations }: WindowAttrs,
): number[] {
  const axes = size.length;
  return size.map((n, i) => {
    const span = kernelSpan(kernel[i]!, dilations[i]!);
    const padded = n + pads[i]! + pads[axes + i]!;
    if (padded < span) {
      throw new ShapeError(
        `${op}: the kernel spans ${span} elements of spatial axis ${i} (size ${kernel[i]}, dilation ${dilations[i]}), but the padded input has only ${padded} (${n} and padding ${pads[i]} + ${pads[axes + i]}). Use a smaller kernel, more padding or a larger input.`,
        { op, axis: i, span, padded },
      );
    }
    return Math.floor((padded - span) / strides[i]!) + 1;
  });
}
