/** Taking parts of a tensor and padding it. Slice and pad are each other's gradient. */
import { ConfigError, ShapeError } from '../errors.js';
import { defineOp, formatType, type Shape, type Tensor } from '../graph/index.js';
import { add } from './arithmetic.js';
import { normalizeAxes, normalizeAxis } from './check.js';
import { offsetIn, pick } from './host.js';
import { reshape, sum } from './layout.js';

/** One axis of a slice: `size` elements from `start` on, `step` apart (which may be negative). */
interface AxisSlice {
  readonly start: number;
  readonly size: number;
  readonly step: number;
}

/** Regularly spaced elements of each axis. dx = dy put back between zeros. */
export const sliceOp = defineOp<{ ranges: readonly AxisSlice[] }>({
  name: 'slice',
  infer: ([x], { ranges }) => ({ dtype: x!.dtype, shape: ranges.map((r) => r.size) }),
  grad: ({ inputs: [x], dy, attrs }) => [spread(dy, x!.shape, attrs.ranges)],
  onnx: (emit, { inputs: [x], attrs: { ranges } }) => {
    const axes = [...ranges.keys()].filter((a) => !isWhole(ranges[a]!, x!.shape[a]!));
    const starts = axes.map((a) => ranges[a]!.start);
    const ends = axes.map((a) => {
      const { start, size, step } = ranges[a]!;
      const last = start + (size - 1) * step;
      if (size === 0) return start;
      // A step down past the first element ends "before it": any number below -length says that.
      return step > 0 ? last + 1 : last === 0 ? -x!.shape[a]! - 1 : last - 1;
    });
    let source = emit.name(x!);
    // ONNX Runtime 1.30 on WebGPU walks backwards from the last element wherever it is told to
    // start; cutting off what lies behind the start makes the two the same.
    const late = axes.filter((a) => ranges[a]!.step < 0 && ranges[a]!.start < x!.shape[a]! - 1);
    if (emit.target === 'webgpu' && late.length > 0) {
      const first = emit.ints(late.map(() => 0));
      const last = emit.ints(late.map((a) => ranges[a]!.start + 1));
      source = emit.one('Slice', [source, first, last, emit.ints(late)]);
    }
    return emit.one('Slice', [
      source,
      emit.ints(starts),
      emit.ints(ends),
      emit.ints(axes),
      emit.ints(axes.map((a) => ranges[a]!.step)),
    ]);
  },
  fold: ([x], { ranges }, [type]) => [
    pick(x!, type!.shape, (index) =>
      offsetIn(x!.shape, (a) => ranges[a]!.start + index[a]! * ranges[a]!.step),
    ),
  ],
});

function isWhole({ start, size, step }: AxisSlice, length: number): boolean {
  return start === 0 && step === 1 && size === length;
}

/** The gradient of a slice: a tensor of `shape` that is zero but for `dy` at the sliced places. */
function spread(dy: Tensor, shape: Shape, ranges: readonly AxisSlice[]): Tensor {
  let t = dy;
  const pads: [number, number][] = [];
  for (const [axis, { start, size, step }] of ranges.entries()) {
    const length = shape[axis]!;
    const stride = Math.abs(step);
    const first = step < 0 ? start + (size - 1) * step : start;
    if (step < 0) t = flip(t, axis);
    if (stride > 1) t = dilate(t, axis, stride);
    const covered = size * stride;
    // The last gap may reach past the end of the axis: a negative pad cuts it off.
    pads.push(size === 0 ? [length, 0] : [first, length - first - covered]);
  }
  return pad(t, pads);
}

/** Puts `stride - 1` zeros after every element along `axis`. */
function dilate(x: Tensor, axis: number, stride: number): Tensor {
  const split = [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)];
  const pads = split.map((_, i): [number, number] => [0, i === axis + 1 ? stride - 1 : 0]);
  return reshape(pad(reshape(x, split), pads), x.shape.with(axis, x.shape[axis]! * stride));
}

/** Options of {@link slice}; the lists run in parallel, one entry an axis. */
export interface SliceOptions {
  /** First element; negative counts from the end. */
  readonly starts: readonly number[];
  /** One past the last element, negative from the end; `Infinity` is the end of the axis. */
  readonly ends: readonly number[];
  /** Distance between elements; negative walks backwards. Defaults to 1. */
  readonly steps?: readonly number[];
  /** Which axes are sliced. Defaults to the first ones. */
  readonly axes?: readonly number[];
}

/**
 * Elements `starts` up to but without `ends`, every `steps`-th, along `axes`. Bounds beyond an axis
 * are clamped, as numpy does.
 * @throws ConfigError when the lists differ in length or a step is 0
 * @example slice(x, { starts: [1], ends: [Infinity], axes: [-1] }) // all but the first column
 */
export function slice(x: Tensor, { starts, ends, steps, axes }: SliceOptions): Tensor {
  const list = axes ?? starts.map((_, i) => i);
  const lengths = [starts, ends, list, steps ?? starts].map((l) => l.length);
  if (new Set(lengths).size > 1) {
    throw new ConfigError(
      `slice: starts, ends, axes and steps have ${lengths.join(', ')} entries; they must be equally many.`,
      { op: 'slice', lengths },
    );
  }
  normalizeAxes('slice', list, x.rank);
  const ranges: AxisSlice[] = x.shape.map((size) => ({ start: 0, size, step: 1 }));
  for (const [i, axis] of list.entries()) {
    const at = normalizeAxis('slice', axis, x.rank);
    ranges[at] = axisSlice(x.shape[at]!, starts[i]!, ends[i]!, steps?.[i] ?? 1);
  }
  return ranges.every((r, i) => isWhole(r, x.shape[i]!)) ? x : sliceOp.one([x], { ranges });
}

function axisSlice(length: number, start: number, end: number, step: number): AxisSlice {
  if (step === 0 || !Number.isInteger(step)) {
    throw new ConfigError(`slice: a step of ${step} was given; it must be an integer but 0.`);
  }
  const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
  const clamp = (v: number) => Math.min(Math.max(v < 0 ? v + length : v, low), high);
  const from = clamp(start);
  const size = Math.max(0, Math.ceil((clamp(end) - from) / step));
  // An empty slice has no start to speak of; one form for all of them makes equal nodes equal.
  return size === 0 ? { start: 0, size, step: 1 } : { start: from, size, step };
}

/** `x` with the order of the elements along `axes` (all of them by default) reversed. */
export function flip(x: Tensor, axes?: number | readonly number[]): Tensor {
  const list = normalizeAxes('flip', axes, x.rank).filter((a) => x.shape[a]! > 1);
  return slice(x, {
    starts: list.map(() => -1),
    ends: list.map(() => Number.NEGATIVE_INFINITY),
    steps: list.map(() => -1),
    axes: list,
  });
}

/** How {@link pad} fills: a value, the mirror image without the edge, the edge, or the other end. */
export type PadMode = 'constant' | 'reflect' | 'edge' | 'wrap';

interface PadAttrs {
  readonly pads: readonly (readonly [number, number])[];
  readonly mode: PadMode;
  readonly value: number;
}

/** Adds elements around `x`. dx = dy inside, plus what was copied out into the margins. */
export const padOp = defineOp<PadAttrs>({
  name: 'pad',
  infer: ([x], { pads, mode }) => {
    for (const [axis, [before, after]] of pads.entries()) {
      const length = x!.shape[axis]!;
      const most = {
        constant: Infinity,
        edge: length && Infinity,
        reflect: length - 1,
        wrap: length,
      };
      if (Math.max(before, after) > Math.max(0, most[mode])) {
        throw new ShapeError(
          `pad: mode '${mode}' cannot add [${before},${after}] to axis ${axis} of ${formatType(x!)}: at most ${Math.max(0, most[mode])} elements a side are there to be copied.`,
          { op: 'pad', axis, pads, shape: x!.shape },
        );
      }
    }
    return { dtype: x!.dtype, shape: x!.shape.map((d, a) => d + pads[a]![0] + pads[a]![1]) };
  },
  grad: ({ inputs: [x], dy, attrs }) => [padGradient(dy, x!.shape, attrs)],
  onnx: (emit, { inputs: [x], attrs: { pads, mode, value } }) =>
    emit.one(
      'Pad',
      [
        emit.name(x!),
        emit.ints([...pads.map((p) => p[0]), ...pads.map((p) => p[1])]),
        ...(mode === 'constant' && value !== 0 ? [emit.scalar(x!.dtype, value)] : []),
      ],
      { mode: { string: mode } },
    ),
  fold: ([x], { pads, mode, value }, [type]) =>
    mode === 'constant' && value === 0
      ? [pick(x!, type!.shape, (i) => offsetIn(x!.shape, (a) => i[a]! - pads[a]![0]))]
      : null,
});

/** Undoes padding axis by axis, which is how it can be thought to be done. */
function padGradient(dy: Tensor, shape: Shape, { pads, mode }: PadAttrs): Tensor {
  let t = dy;
  for (const [axis, [before, after]] of pads.entries()) {
    if (before === 0 && after === 0) continue;
    const length = shape[axis]!;
    const part = (from: number, size: number) =>
      slice(t, { starts: [from], ends: [from + size], axes: [axis] });
    let inner = part(before, length);
    if (mode !== 'constant') {
      const place = (margin: Tensor, at: number) => {
        const rest = length - at - margin.shape[axis]!;
        inner = add(
          inner,
          pad(
            margin,
            shape.map((_, a) => (a === axis ? [at, rest] : [0, 0])),
          ),
        );
      };
      const front = () => part(0, before);
      const back = () => part(before + length, after);
      if (mode === 'edge') {
        if (before) place(sum(front(), { axes: axis, keepDims: true }), 0);
        if (after) place(sum(back(), { axes: axis, keepDims: true }), length - 1);
      } else if (mode === 'reflect') {
        if (before) place(flip(front(), axis), 1);
        if (after) place(flip(back(), axis), length - 1 - after);
      } else {
        if (before) place(front(), length - before);
        if (after) place(back(), 0);
      }
    }
    t = inner;
  }
  return t;
}

/** Options of {@link pad}. */
export interface PadOptions {
  /** Defaults to `constant`. */
  readonly mode?: PadMode;
  /** What `constant` fills with. Defaults to 0. */
  readonly value?: number;
}

/**
 * Adds elements before and after each axis.
 * @param pads `[before, after]` for every axis of `x`; a negative number cuts elements off
 * @throws ShapeError when there are not as many pairs as axes, or too little to copy from
 */
export function pad(
  x: Tensor,
  pads: readonly (readonly [number, number])[],
  { mode = 'constant', value = 0 }: PadOptions = {},
): Tensor {
  if (pads.length !== x.rank) {
    throw new ShapeError(
      `pad: ${pads.length} pairs of pads for ${formatType(x)}; give [before, after] for each of its ${x.rank} axes.`,
      { op: 'pad', pads, shape: x.shape },
    );
  }
  let inner = x;
  if (pads.some(([before, after]) => before < 0 || after < 0)) {
    inner = slice(x, {
      starts: pads.map(([before]) => Math.max(0, -before)),
      ends: pads.map(([, after], a) => x.shape[a]! + Math.min(0, after)),
    });
  }
  const added = pads.map(([b, a]): [number, number] => [Math.max(0, b), Math.max(0, a)]);
  if (added.every(([b, a]) => b === 0 && a === 0)) return inner;
  return padOp.one([inner], { pads: added, mode, value });
}
