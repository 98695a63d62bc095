/** Pooling over spatial axes: maxima and means of windows, of a given size or of a given number. */
import { ConfigError, ShapeError } from '../errors.js';
import {
  constant,
  defineOp,
  formatType,
  type Op,
  type Shape,
  type Tensor,
} from '../graph/index.js';
import { mul } from './arithmetic.js';
import { requireFloat, requireRank } from './check.js';
import { convInputGradOp } from './conv.js';
import { gather } from './gather.js';
import { expand, full, reshape, transpose } from './layout.js';
import { matmul } from './matmul.js';
import { emitMaxPool, emitMaxPoolGrad, emitMaxPoolPick, type MaxPoolAttrs } from './pool-forms.js';
import { pad } from './slice.js';
import {
  type Padding,
  type PerAxis,
  perAxis,
  resolvePadding,
  type WindowAttrs,
  windowPositions,
} from './window.js';

/**
 * Largest element of each window, and its position in the flattened input, which only the
 * gradient may read; padding is -Infinity.
 * dx = dy at the first largest element of each window, in row-major order, 0 elsewhere.
 */
export const maxPoolOp = defineOp<MaxPoolAttrs>({
  name: 'maxPool',
  infer: ([x], attrs) => {
    requireFloat('maxPool', x!);
    const positions = windowPositions('maxPool', x!.shape.slice(2), attrs.kernel, attrs);
    const shape = [...x!.shape.slice(0, 2), ...positions];
    return [
      { dtype: x!.dtype, shape },
      { dtype: 'int64', shape },
    ];
  },
  grad: ({ inputs: [x], outputs: [y, indices], dy, attrs }) => [
    maxPoolGradOp.one([x!, y!, indices!, dy], attrs),
  ],
  onnx: (emit, { inputs: [x], outputs: [, indices], attrs }) =>
    emitMaxPool(emit, x!, indices!, attrs),
});

/**
 * From x, y and indices = maxPool(x), and g: each g put where its window's first maximum is; maxima that
 * windows share add up. Linear in g; constant in x almost everywhere.
 */
export const maxPoolGradOp: Op<MaxPoolAttrs> = defineOp({
  name: 'maxPoolGrad',
  infer: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  grad: ({ inputs: [x, y, indices], dy, attrs, needs }) => [
    null,
    null,
    null,
    needs[3] ? maxPoolPickOp.one([x!, y!, indices!, dy], attrs) : null,
  ],
  onnx: (emit, { inputs: [x, y, indices, g], attrs }) =>
    emitMaxPoolGrad(emit, { x: x!, y: y!, indices: indices!, moved: g! }, attrs),
});

/**
 * From x, y and indices = maxPool(x), and v of the type of x: v where each window's first maximum is. The
 * transpose of {@link maxPoolGradOp}; linear in v.
 */
export const maxPoolPickOp: Op<MaxPoolAttrs> = defineOp({
  name: 'maxPoolPick',
  infer: ([, y]) => ({ dtype: y!.dtype, shape: y!.shape }),
  grad: ({ inputs: [x, y, indices], dy, attrs, needs }) => [
    null,
    null,
    null,
    needs[3] ? maxPoolGradOp.one([x!, y!, indices!, dy], attrs) : null,
  ],
  onnx: (emit, { inputs: [x, y, indices, v], attrs }) =>
    emitMaxPoolPick(emit, { x: x!, y: y!, indices: indices!, moved: v! }, attrs),
});

/** How an average pool moves. */
interface AvgPoolAttrs {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly pads: readonly number[];
}

function undilated(attrs: AvgPoolAttrs): WindowAttrs {
  return { ...attrs, dilations: attrs.kernel.map(() => 1) };
}

/** Mean of each window, padding counted as zeros. dx = sum of dy / size of the window, over the windows that see x. */
export const avgPoolOp = defineOp<AvgPoolAttrs>({
  name: 'avgPool',
  infer: ([x], attrs) => {
    requireFloat('avgPool', x!);
    const size = x!.shape.slice(2);
    const positions = windowPositions('avgPool', size, attrs.kernel, undilated(attrs));
    return { dtype: x!.dtype, shape: [...x!.shape.slice(0, 2), ...positions] };
  },
  grad: ({ inputs: [x], dy, attrs }) => [avgPoolGrad(dy, x!.shape, attrs)],
  onnx: (emit, { inputs: [x], attrs: { kernel, strides, pads } }) =>
    pads.every((p) => p === 0) && kernel.every((k, i) => k === x!.shape[2 + i])
      ? emit.one('GlobalAveragePool', [emit.name(x!)])
      : emit.one('AveragePool', [emit.name(x!)], {
          kernel_shape: { ints: kernel },
          strides: { ints: strides },
          pads: { ints: pads },
          count_include_pad: { int: 1 },
        }),
});

function avgPoolGrad(dy: Tensor, size: Shape, attrs: AvgPoolAttrs): Tensor {
  const { kernel, strides, pads } = attrs;
  const axes = kernel.length;
  const space = size.slice(2);
  const share = 1 / kernel.reduce((n, k) => n * k, 1);
  const positions = dy.shape.slice(2);
  // Windows that do not overlap: every element has one window, or none at the end.
  if (
    kernel.every((k, i) => k === strides[i] || positions[i] === 1) &&
    pads.every((p) => p === 0)
  ) {
    const lead = dy.shape.slice(0, 2);
    const apart = reshape(mul(dy, share), [...lead, ...positions.flatMap((n) => [n, 1])]);
    const spread = expand(apart, [...lead, ...positions.flatMap((n, i) => [n, kernel[i]!])]);
    const covered = positions.map((n, i) => n * kernel[i]!);
    const rest = covered.map((n, i): [number, number] => [0, space[i]! - n]);
    return pad(reshape(spread, [...lead, ...covered]), [[0, 0], [0, 0], ...rest]);
  }
  // With stride 1 every element is seen by a full window of gradients: again an average pool.
  if (strides.every((s) => s === 1) && pads.every((p, i) => p < kernel[i % axes]!)) {
    return avgPoolOp.one([dy], {
      kernel,
      strides,
      pads: pads.map((p, i) => kernel[i % axes]! - 1 - p),
    });
  }
  const planes = dy.shape[0]! * dy.shape[1]!;
  const window = full(dy.dtype, [1, 1, ...kernel], share);
  const spread = convInputGradOp.one([reshape(dy, [planes, 1, ...positions]), window], {
    ...undilated(attrs),
    groups: 1,
    size: space,
  });
  return reshape(spread, size);
}

/** Options of {@link maxPool1d} and {@link maxPool2d}. */
export interface MaxPoolOptions {
  /** Defaults to the size of the window. */
  readonly stride?: PerAxis;
  /** Elements of -Infinity around the input, fewer than the window spans. Defaults to 0. */
  readonly padding?: Padding;
  /** Distance between elements of the window. Defaults to 1. */
  readonly dilation?: PerAxis;
  /** Adds a last window that starts inside the input but ends beyond it. Defaults to false. */
  readonly ceilMode?: boolean;
}

/** Options of {@link avgPool1d} and {@link avgPool2d}. */
export interface AvgPoolOptions extends Omit<MaxPoolOptions, 'dilation'> {
  /** Count the zeros of the padding in the mean. Defaults to true. */
  readonly countIncludePad?: boolean;
}

/** Kernel, strides and pads of a pool; `cut` is what ceil mode adds after the end, which is no padding. */
function poolWindow(
  op: string,
  axes: number,
  x: Tensor,
  kernelSize: PerAxis,
  { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false }: MaxPoolOptions,
): MaxPoolAttrs & { readonly cut: readonly number[] } {
  requireRank(op, 'the input', x, axes + 2);
  const kernel = perAxis(op, 'kernel', kernelSize, axes, 1);
  const strides = perAxis(op, 'stride', stride, axes, 1);
  const dilations = perAxis(op, 'dilation', dilation, axes, 1);
  const size = x.shape.slice(2);
  const pads = resolvePadding(op, padding, size, kernel, strides, dilations);
  const spans = kernel.map((k, i) => (k - 1) * dilations[i]! + 1);
  if (pads.some((p, i) => p >= spans[i % axes]!)) {
    throw new ConfigError(
      `${op}: padding [${pads.join(',')}] must be smaller than the window, which spans [${spans.join(',')}]: a window of nothing but padding has no value.`,
      { op, pads, spans },
    );
  }
  const cut = size.map((n, i) => {
    if (!ceilMode) return 0;
    const slack = n + pads[i]! + pads[axes + i]! - spans[i]!;
    const more = Math.ceil(slack / strides[i]!) * strides[i]! - slack;
    // The added window must start in the input or in the padding before it.
    const starts = Math.ceil(slack / strides[i]!) * strides[i]!;
    return slack >= 0 && starts < n + pads[i]! ? more : 0;
  });
  return {
    kernel,
    strides,
    dilations,
    pads: pads.map((p, i) => (i < axes ? p : p + cut[i - axes]!)),
    cut,
  };
}

function maxPool(op: string, axes: number, x: Tensor, kernel: PerAxis, options: MaxPoolOptions) {
  const { cut: _, ...attrs } = poolWindow(op, axes, x, kernel, options);
  return maxPoolOp.one([x], attrs);
}

/** How many elements of window `o` along an axis are counted in its mean. */
function counted(
  o: number,
  { stride, k, before, length }: { stride: number; k: number; before: number; length: number },
): number {
  const start = o * stride;
  return Math.min(start + k, length) - Math.max(start, before);
}

function avgPool(op: string, axes: number, x: Tensor, size: PerAxis, options: AvgPoolOptions) {
  const { kernel, strides, pads, cut } = poolWindow(op, axes, x, size, options);
  const y = avgPoolOp.one([x], { kernel, strides, pads });
  const { countIncludePad = true } = options;
  // Windows that reach over what is counted have been divided by too much.
  let shape: number[] = [];
  let factors = [1];
  for (const [i, k] of kernel.entries()) {
    const n = x.shape[2 + i]!;
    const length = countIncludePad ? n + pads[i]! + pads[axes + i]! - cut[i]! : n + pads[i]!;
    const before = countIncludePad ? 0 : pads[i]!;
    const along = Array.from(
      { length: y.shape[2 + i]! },
      (_, o) => k / counted(o, { stride: strides[i]!, k, before, length }),
    );
    shape = [...shape, along.length];
    factors = factors.flatMap((f) => along.map((v) => f * v));
  }
  return factors.every((v) => v === 1) ? y : mul(y, constant(factors, x.dtype, shape));
}

/**
 * Largest element of each window.
 * @param x [batch, channels, length]
 * @param kernel elements of the window
 */
export function maxPool1d(x: Tensor, kernel: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxPool('maxPool1d', 1, x, kernel, options);
}

/**
 * Largest element of each window.
 * @param x [batch, channels, height, width]
 * @param kernel rows and columns of the window
 */
export function maxPool2d(x: Tensor, kernel: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxPool('maxPool2d', 2, x, kernel, options);
}

/**
 * Mean of each window.
 * @param x [batch, channels, length]
 * @param kernel elements of the window
 */
export function avgPool1d(x: Tensor, kernel: PerAxis, options: AvgPoolOptions = {}): Tensor {
  return avgPool('avgPool1d', 1, x, kernel, options);
}

/**
 * Mean of each window.
 * @param x [batch, channels, height, width]
 * @param kernel rows and columns of the window
 */
export function avgPool2d(x: Tensor, kernel: PerAxis, options: AvgPoolOptions = {}): Tensor {
  return avgPool('avgPool2d', 2, x, kernel, options);
}

/** Mean over all spatial axes, kept with length 1. */
export function globalAvgPool(x: Tensor): Tensor {
  requireSpace('globalAvgPool', x);
  const kernel = x.shape.slice(2);
  return avgPoolOp.one([x], { kernel, strides: kernel, pads: [...kernel, ...kernel].map(() => 0) });
}

/** Largest element over all spatial axes, kept with length 1. */
export function globalMaxPool(x: Tensor): Tensor {
  requireSpace('globalMaxPool', x);
  const kernel = x.shape.slice(2);
  const ones = kernel.map(() => 1);
  const pads = [...kernel, ...kernel].map(() => 0);
  return maxPoolOp.one([x], { kernel, strides: kernel, pads, dilations: ones });
}

function requireSpace(op: string, x: Tensor): void {
  if (x.rank < 3 || x.shape.slice(2).includes(0)) {
    throw new ShapeError(
      `${op}: the input must be [batch, channels, spatial axes...] with at least one element to pool, got ${formatType(x)}.`,
      { op, shape: x.shape },
    );
  }
}

/** First and last + 1 element of each of `count` windows that cover `length`, as PyTorch places them. */
function adaptiveWindows(length: number, count: number): [number, number][] {
  return Array.from({ length: count }, (_, i) => [
    Math.floor((i * length) / count),
    Math.ceil(((i + 1) * length) / count),
  ]);
}

function adaptiveSize(op: string, x: Tensor, size: PerAxis): number[] {
  requireRank(op, 'the input', x, 4);
  requireSpace(op, x);
  return perAxis(op, 'size', size, 2, 1);
}

/** Even windows that tile the input, or null where the lengths do not divide. */
function evenWindows(space: Shape, size: readonly number[]): number[] | null {
  return space.every((n, i) => n % size[i]! === 0) ? space.map((n, i) => n / size[i]!) : null;
}

/**
 * Means over windows placed so that the result has the given size.
 * @param x [batch, channels, height, width]
 * @param size rows and columns of the result
 */
export function adaptiveAvgPool2d(x: Tensor, size: PerAxis): Tensor {
  const want = adaptiveSize('adaptiveAvgPool2d', x, size);
  const space = x.shape.slice(2);
  const kernel = evenWindows(space, want);
  if (kernel) return avgPoolOp.one([x], { kernel, strides: kernel, pads: [0, 0, 0, 0] });
  // Uneven windows are rows of a matrix, one an axis.
  const [rows, columns] = space.map((n, i) =>
    constant(
      adaptiveWindows(n, want[i]!).flatMap(([a, b]) =>
        Array.from({ length: n }, (_, j) => (j >= a && j < b ? 1 / (b - a) : 0)),
      ),
      x.dtype,
      [want[i]!, n],
    ),
  );
  const across = matmul(x, transpose(columns!));
  return matmul(rows!, across);
}

/**
 * Maxima over windows placed so that the result has the given size.
 * @param x [batch, channels, height, width]
 * @param size rows and columns of the result
 */
export function adaptiveMaxPool2d(x: Tensor, size: PerAxis): Tensor {
  const want = adaptiveSize('adaptiveMaxPool2d', x, size);
  const dilations = [1, 1];
  const pads = [0, 0, 0, 0];
  const even = evenWindows(x.shape.slice(2), want);
  if (even) return maxPoolOp.one([x], { kernel: even, strides: even, pads, dilations });
  // Uneven windows are laid out one after the other, the short ones filled with their last element:
  // a repeat never comes first, so it takes no gradient.
  let apart = x;
  const kernel = want.map((count, i) => {
    const windows = adaptiveWindows(x.shape[2 + i]!, count);
    const longest = Math.max(...windows.map(([a, b]) => b - a));
    const index = windows.flatMap(([a, b]) =>
      Array.from({ length: longest }, (_, j) => Math.min(a + j, b - 1)),
    );
    apart = gather(apart, constant(index, 'int64', [index.length]), 2 + i);
    return longest;
  });
  return maxPoolOp.one([apart], { kernel, strides: kernel, pads, dilations });
}
