/** The smaller and the larger of two, and keeping within bounds. */
import { ConfigError } from '../errors.js';
import {
  type DType,
  defineOp,
  dtypeInfo,
  formatType,
  isFloat,
  type OnnxEmitter,
  type Op,
  type Tensor,
} from '../graph/index.js';
import { add, inferBinary, mul, type Operand, operands, sub } from './arithmetic.js';
import { emitCast, less, lessEqual, requireNumber, step } from './compare.js';
import { type ElementRule, foldElementwise, larger, smaller } from './fold.js';
import { cast, sumTo } from './layout.js';

/** Types for which the CPU has no Min, Max and Clip, and a wider one that has. */
const EXTREMA_IN: Partial<Record<DType, DType>> = { int16: 'int32', uint16: 'int32' };

/**
 * Emits the smaller (`Less`) or larger (`Greater`) of two int64 values. ONNX Runtime's own Min, Max
 * and Clip compare the low words of int64 as signed (1.30, AVX), and are wrong beyond 2^31.
 */
function emitInt64Extremum(emit: OnnxEmitter, order: string, [a, b]: readonly string[]): string {
  return emit.one('Where', [emit.one(order, [a!, b!]), a!, b!]);
}

/** Emits an operator in a wider type where the CPU has no kernel for that of the inputs. */
function emitWide(
  emit: OnnxEmitter,
  dtype: DType,
  table: Partial<Record<DType, DType>>,
  names: readonly string[],
  make: (names: readonly string[], dtype: DType) => string,
): string {
  const wide = table[dtype];
  if (!wide) return make(names, dtype);
  const y = make(
    names.map((name) => emitCast(emit, name, wide)),
    wide,
  );
  return emitCast(emit, y, dtype);
}

/** dy less what goes to the other operand: all of it where that one wins, half at a tie. */
function share(dy: Tensor, lost: Tensor, lostOrTied: Tensor): Tensor {
  const lostTwice = add(cast(lost, dy.dtype), cast(lostOrTied, dy.dtype));
  return mul(dy, sub(1, mul(lostTwice, 0.5)));
}

function extremum(
  name: string,
  onnx: 'Min' | 'Max',
  loses: (a: Tensor, b: Tensor) => [Tensor, Tensor],
  rule: ElementRule,
): Op<undefined> {
  const order = onnx === 'Min' ? 'Less' : 'Greater';
  return defineOp<undefined>({
    name,
    infer: (inputs) => {
      requireNumber(name, inputs);
      return inferBinary(name, inputs);
    },
    grad: ({ inputs: [a, b], dy, needs }) => [
      needs[0] ? sumTo(share(dy, ...loses(a!, b!)), a!.shape) : null,
      needs[1] ? sumTo(share(dy, ...loses(b!, a!)), b!.shape) : null,
    ],
    onnx: (emit, { inputs: [a, b] }) =>
      emitWide(emit, a!.dtype, EXTREMA_IN, [emit.name(a!), emit.name(b!)], (names, dtype) =>
        dtype === 'int64' ? emitInt64Extremum(emit, order, names) : emit.one(onnx, names),
      ),
    fold: foldElementwise(rule),
    elementwise: true,
  });
}

/** min(a, b); NaN wins. dy goes to the smaller one, half to each at a tie. */
export const minimumOp = extremum('minimum', 'Min', (a, b) => [less(b, a), lessEqual(b, a)], {
  float: smaller,
  int: smaller,
});

/** max(a, b); NaN wins. dy goes to the larger one, half to each at a tie. */
export const maximumOp = extremum('maximum', 'Max', (a, b) => [less(a, b), lessEqual(a, b)], {
  float: larger,
  int: larger,
});

/** The smaller of a and b, with broadcasting. */
export function minimum(a: Operand, b: Operand): Tensor {
  return minimumOp.one(operands(a, b), undefined);
}

/** The larger of a and b, with broadcasting. */
export function maximum(a: Operand, b: Operand): Tensor {
  return maximumOp.one(operands(a, b), undefined);
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** A factor that is 1 where y, known to lie within the bounds, lies strictly within them; else 0. */
function strictlyInside(y: Tensor, { min, max }: Bounds): Tensor {
  const above = min === undefined ? null : min === 0 ? y : sub(y, min);
  const below = max === undefined ? null : sub(max, y);
  return step(above && below ? mul(above, below) : (above ?? below)!);
}

/** min(max(x, min), max); NaN stays. dx = dy strictly within the bounds, 0 on and beyond them. */
export const clipOp = defineOp<Bounds>({
  name: 'clip',
  infer: ([x]) => {
    requireNumber('clip', [x!]);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ outputs: [y], dy, attrs }) => [mul(dy, strictlyInside(y!, attrs))],
  onnx: (emit, { inputs: [x], attrs: { min, max } }) =>
    emitWide(emit, x!.dtype, EXTREMA_IN, [emit.name(x!)], ([name], dtype) => {
      const bound = (value: number | undefined) =>
        value === undefined ? '' : emit.scalar(dtype, value);
      const [low, high] = [bound(min), bound(max)];
      if (dtype !== 'int64') return emit.one('Clip', high ? [name!, low, high] : [name!, low]);
      const raised = low ? emitInt64Extremum(emit, 'Greater', [name!, low]) : name!;
      return high ? emitInt64Extremum(emit, 'Less', [raised, high]) : raised;
    }),
  fold: ([x], { min, max }, outputs) =>
    foldElementwise({
      float: (v) => Math.min(max ?? v, Math.max(min ?? v, v)),
      int: (v) => {
        const raised = min !== undefined && v < min ? BigInt(min) : v;
        return max !== undefined && raised > max ? BigInt(max) : raised;
      },
    })([x!], undefined, outputs),
  elementwise: true,
});

/** Smallest and largest value of an integer type that a double holds exactly. */
function rangeOf(dtype: DType): [number, number] {
  const bits = Math.min(dtypeInfo(dtype).bytes * 8, 53);
  const unsigned = dtype.startsWith('u');
  return unsigned ? [0, 2 ** bits - 1] : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}

/**
 * `x` kept within bounds; a bound that is not given does not bind. Where they cross, `max` wins.
 * @throws ConfigError for a fractional bound of an integer tensor
 */
export function clip(x: Tensor, { min, max }: Bounds): Tensor {
  const bound = (value: number | undefined): number | undefined => {
    if (value === undefined || isFloat(x.dtype)) return value;
    if (!Number.isInteger(value) && Number.isFinite(value)) {
      throw new ConfigError(
        `clip: bound ${value} is not an integer, but x is ${formatType(x)}. Round the bound, or cast x to float32.`,
        { op: 'clip', bound: value },
      );
    }
    const [low, high] = rangeOf(x.dtype);
    return Math.min(high, Math.max(low, value));
  };
  // A bound at infinity binds nothing, and would spoil the gradient's arithmetic.
  const low = min === Number.NEGATIVE_INFINITY ? undefined : bound(min);
  const high = max === Number.POSITIVE_INFINITY ? undefined : bound(max);
  if (low === undefined && high === undefined) return x;
  return clipOp.one([x], { min: low, max: high });
}
