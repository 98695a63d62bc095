/** Reductions over axes besides the sum, which lies with the core in layout.ts. */
import { ConfigError, ShapeError } from '../errors.js';
import {
  type DType,
  defineOp,
  formatType,
  type GradRule,
  isFloat,
  type OnnxEmitter,
  type Op,
  type OpSpec,
  type Shape,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { div, mul, sub } from './arithmetic.js';
import { normalizeAxes, reducedShape, requireFloat } from './check.js';
import { emitCast, equal, requireNumber } from './compare.js';
import { concat, stack } from './concat.js';
import { clip } from './extrema.js';
import { foldReduce, larger, smaller } from './fold.js';
import { cast, expand, full, type ReduceOptions, reshape, sum, transpose } from './layout.js';
import { emitLogSumExp, lowestFinite } from './log-sum-exp.js';
import { slice } from './slice.js';
import { exp, sqrt, square } from './unary.js';

interface ReduceAttrs {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

interface ReduceSpec {
  readonly name: string;
  readonly onnx: string;
  readonly check: (x: TensorType, axes: readonly number[]) => void;
  readonly grad: GradRule<ReduceAttrs>;
  readonly fold?: OpSpec<ReduceAttrs>['fold'];
  /** A wider type for those without a kernel on the CPU. */
  readonly wide?: (type: TensorType) => 'int32' | 'int64' | undefined;
  /** How to emit the reduction on WebGPU, if not by `onnx`; keeps the reduced axes. */
  readonly webgpu?: (emit: OnnxEmitter, x: string, dtype: DType, axes: readonly number[]) => string;
  /** How to emit the reduction of int64, if not by `onnx`; keeps the reduced axes. */
  readonly int64?: (emit: OnnxEmitter, x: string, axes: readonly number[]) => string;
}

function reduction({
  name,
  onnx,
  check,
  grad,
  fold,
  wide,
  int64,
  webgpu,
}: ReduceSpec): Op<ReduceAttrs> {
  return defineOp<ReduceAttrs>({
    name,
    infer: ([x], { axes, keepDims }) => {
      check(x!, axes);
      return { dtype: x!.dtype, shape: reducedShape(x!.shape, axes, keepDims) };
    },
    grad,
    onnx: (emit, { inputs: [x], attrs: { axes, keepDims } }) => {
      const make = (source: string, dtype: DType) => {
        let kept: string;
        if (dtype === 'int64' && int64) kept = int64(emit, source, axes);
        else if (emit.target === 'webgpu' && webgpu) kept = webgpu(emit, source, dtype, axes);
        else {
          const keepdims = { int: keepDims ? 1 : 0 };
          return emit.one(onnx, [source, emit.ints(axes)], { keepdims });
        }
        return keepDims ? kept : emit.one('Squeeze', [kept, emit.ints(axes)]);
      };
      const via = wide?.(x!);
      if (!via) return make(emit.name(x!), x!.dtype);
      return emitCast(emit, make(emitCast(emit, emit.name(x!), via), via), x!.dtype);
    },
    ...(fold ? { fold } : {}),
  });
}

/** A reduced value (or its gradient) with the reduced axes back, each of length 1. */
function restored(y: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  return reshape(y, reducedShape(x.shape, axes, true));
}

function countOf(shape: Shape, axes: readonly number[]): number {
  return sizeOf(axes.map((a) => shape[a]!));
}

function float(name: string): ReduceSpec['check'] {
  return (x) => requireFloat(name, x);
}

/** Mean over axes. dx = dy / n, repeated over the reduced axes. */
export const reduceMeanOp = reduction({
  name: 'reduceMean',
  onnx: 'ReduceMean',
  check: float('mean'),
  grad: ({ inputs: [x], dy, attrs: { axes } }) => [
    expand(restored(mul(dy, 1 / countOf(x!.shape, axes)), x!, axes), x!.shape),
  ],
});

/**
 * Sum of squares over axes, in one pass that keeps nothing: half the time of a square and a sum. dx = 2 x dy.
 */
export const reduceSumSquareOp = reduction({
  name: 'reduceSumSquare',
  onnx: 'ReduceSumSquare',
  check: float('sumSquare'),
  grad: ({ inputs: [x], dy, attrs: { axes } }) => [mul(x!, restored(mul(dy, 2), x!, axes))],
});

/** An extremum needs at least one element; a bool has an order of its own, which is and / or. */
function nonEmpty(name: string): ReduceSpec['check'] {
  return (x, axes) => {
    if (axes.some((a) => x.shape[a] === 0)) {
      throw new ShapeError(
        `${name}: ${formatType(x)} has no elements along axes [${axes.join(',')}], and nothing has no ${name}.`,
        { op: name, shape: x.shape, axes },
      );
    }
  };
}

/** dy goes to the elements that equal the result, in equal shares. */
const toWinners: GradRule<ReduceAttrs> = ({ inputs: [x], outputs: [y], dy, attrs: { axes } }) => {
  const wins = cast(equal(x!, restored(y!, x!, axes)), dy.dtype);
  const winners = sum(wins, { axes, keepDims: true });
  return [mul(wins, div(restored(dy, x!, axes), winners))];
};

/** A wider type for those in which the CPU has no ReduceMax; for uint64 there is none. */
function extremumWide({ dtype }: TensorType): 'int32' | 'int64' | undefined {
  if (dtype === 'uint32') return 'int64';
  return dtype === 'int16' || dtype === 'uint16' ? 'int32' : undefined;
}

/**
 * The extremum of int64 as the first of a sort along each axis: ONNX Runtime's own compares the low
 * words as signed (1.30, AVX), and is wrong beyond 2^31.
 */
function firstOf(largest: boolean): ReduceSpec['int64'] {
  return (emit, x, axes) =>
    axes.reduce(
      (value, axis) =>
        emit.node(
          'TopK',
          [value, emit.ints([1])],
          { axis: { int: axis }, largest: { int: largest ? 1 : 0 } },
          { outputs: 2 },
        )[0]!,
      x,
    );
}

/** Largest element over axes. dx = dy, shared equally among the elements that are largest. */
export const reduceMaxOp = reduction({
  name: 'reduceMax',
  onnx: 'ReduceMax',
  check: nonEmpty('max'),
  grad: toWinners,
  fold: foldReduce({ float: larger, int: larger }),
  wide: extremumWide,
  int64: firstOf(true),
});

/** Smallest element over axes. dx = dy, shared equally among the elements that are smallest. */
export const reduceMinOp = reduction({
  name: 'reduceMin',
  onnx: 'ReduceMin',
  check: nonEmpty('min'),
  grad: toWinners,
  fold: foldReduce({ float: smaller, int: smaller }),
  wide: extremumWide,
  int64: firstOf(false),
});

/**
 * For each element along axis 0 of `x`, the product of all the others times `dy`: a tree of
 * products upwards and one downwards. It divides by nothing, so it is right however many elements
 * are zero, and so are its own derivatives.
 */
function productOfOthers(x: Tensor, dy: Tensor): Tensor {
  const n = x.shape[0]!;
  const rest = x.shape.slice(1);
  if (n === 1) return reshape(dy, x.shape);
  const even = n % 2 ? concat([x, full(x.dtype, [1, ...rest], 1)], 0) : x;
  const pairs = reshape(even, [even.shape[0]! / 2, 2, ...rest]);
  const side = (i: number) =>
    reshape(slice(pairs, { starts: [i], ends: [i + 1], axes: [1] }), [pairs.shape[0]!, ...rest]);
  const [left, right] = [side(0), side(1)];
  const above = productOfOthers(mul(left, right), dy);
  const both = reshape(stack([mul(above, right), mul(above, left)], 1), even.shape);
  return n % 2 ? slice(both, { starts: [0], ends: [n], axes: [0] }) : both;
}

/** Product over axes. dx_i = dy times the product of the other elements. */
export const reduceProdOp = reduction({
  name: 'reduceProd',
  onnx: 'ReduceProd',
  check: (x) => requireNumber('prod', [x]),
  grad: ({ inputs: [x], dy, attrs: { axes } }) => {
    if (x!.shape.includes(0)) return [full(x!.dtype, x!.shape, 0)];
    const set = new Set(axes);
    const perm = [...axes, ...[...x!.shape.keys()].filter((i) => !set.has(i))];
    const front = transpose(x!, perm);
    const rest = front.shape.slice(axes.length);
    const rows = reshape(front, [countOf(x!.shape, axes), ...rest]);
    const others = reshape(productOfOthers(rows, reshape(dy, rest)), front.shape);
    return [
      transpose(
        others,
        perm.map((_, i) => perm.indexOf(i)),
      ),
    ];
  },
  fold: foldReduce({ float: (a, b) => a * b, int: (a, b) => a * b }, 1),
  // Products wrap alike modulo 2^8 or 2^16 whether computed in a wide type or not.
  wide: ({ dtype }) =>
    isFloat(dtype) || dtype === 'int32' || dtype === 'int64'
      ? undefined
      : dtype === 'uint64' || dtype === 'uint32'
        ? 'int64'
        : 'int32',
});

/**
 * ln sum exp(x) over axes, without overflow; a row of -infinity gives -infinity. dx = dy
 * exp(x - y), which is zero for such a row.
 */
export const reduceLogSumExpOp = reduction({
  name: 'reduceLogSumExp',
  onnx: 'ReduceLogSumExp',
  webgpu: emitLogSumExp,
  check: float('logSumExp'),
  grad: ({ inputs: [x], outputs: [y], dy, attrs: { axes } }) => {
    // -infinity - -infinity would be NaN; against a finite bound the difference stays -infinity.
    const finite = clip(y!, { min: lowestFinite(x!.dtype) });
    const weights = exp(sub(x!, restored(finite, x!, axes)));
    return [mul(weights, restored(dy, x!, axes))];
  },
});

function reduce(op: Op<ReduceAttrs>, name: string) {
  return (x: Tensor, { axes, keepDims = false }: ReduceOptions = {}): Tensor => {
    const list = normalizeAxes(name, axes, x.rank);
    const type = op.spec.infer([x], { axes: list, keepDims }) as TensorType;
    // Over axes of length 1, or none, there is nothing to do but drop them; and to ONNX no axes
    // would mean all of them.
    if (list.every((a) => x.shape[a] === 1)) return reshape(x, type.shape);
    return op.one([x], { axes: list, keepDims });
  };
}

const sumSquareOver = reduce(reduceSumSquareOp, 'sumSquare');

/** Sum of the squares of floating-point elements over `axes`. */
export function sumSquare(x: Tensor, options: ReduceOptions = {}): Tensor {
  const y = sumSquareOver(x, options);
  // Over axes of length 1 nothing was summed, nor squared.
  return y.size === x.size ? square(y) : y;
}

/** Mean of the elements over `axes`. */
export const mean = reduce(reduceMeanOp, 'mean');
/**
 * Largest element over `axes`; ties share the gradient. A NaN is found for certain only where it
 * comes first: ONNX Runtime's CPU kernel passes over others.
 */
export const max = reduce(reduceMaxOp, 'max');
/** Smallest element over `axes`; ties share the gradient. Of NaN see {@link max}. */
export const min = reduce(reduceMinOp, 'min');
/** Product of the elements over `axes`. */
export const prod = reduce(reduceProdOp, 'prod');
/** ln of the sum of exponentials over `axes`. */
export const logSumExp = reduce(reduceLogSumExpOp, 'logSumExp');

/** Options of {@link variance} and {@link standardDeviation}. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the count: 0 (default) for the mean square deviation, 1 for Bessel's correction. */
  readonly correction?: number;
}

/**
 * Variance over `axes`: the squared distances from the mean, summed and divided by
 * n - `correction`. Computed in two passes, so that a large mean costs no precision.
 * @throws ConfigError when there are not more elements than `correction`
 */
export function variance(
  x: Tensor,
  { axes, keepDims = false, correction = 0 }: VarianceOptions = {},
): Tensor {
  const list = normalizeAxes('variance', axes, x.rank);
  const n = countOf(x.shape, list);
  if (n <= correction) {
    throw new ConfigError(
      `variance: ${n} elements along axes [${list.join(',')}] of ${formatType(x)} are too few for correction ${correction}.`,
      { op: 'variance', count: n, correction },
    );
  }
  const centered = sub(x, mean(x, { axes: list, keepDims: true }));
  return mul(sum(square(centered), { axes: list, keepDims }), 1 / (n - correction));
}

/** Square root of the {@link variance}; its gradient is infinite where the variance is 0. */
export function standardDeviation(x: Tensor, options: VarianceOptions = {}): Tensor {
  return sqrt(variance(x, options));
}
