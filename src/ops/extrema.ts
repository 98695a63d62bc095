/** The smaller and the larger of two, powers, remainders, and keeping within bounds. */
import { ConfigError } from '../errors.js';
import {
  constantValue,
  type DType,
  defineOp,
  dtypeInfo,
  formatType,
  isFloat,
  type OnnxEmitter,
  type Op,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import {
  add,
  div,
  emitSafeDivisor,
  inferBinary,
  mul,
  neg,
  type Operand,
  operands,
  sub,
} from './arithmetic.js';
import { requireDType } from './check.js';
import {
  emitCast,
  equal,
  greaterEqual,
  less,
  lessEqual,
  logicalAnd,
  requireNumber,
  step,
  where,
} from './compare.js';
import { type ElementRule, foldElementwise, larger, smaller } from './fold.js';
import { cast, onesLike, sumTo } from './layout.js';
import { log, reciprocal, round, rsqrt, sqrt, square } from './unary.js';

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

/**
 * a^b. da = dy b a^(b-1), zero where b = 0; db = dy y ln a, zero where a = 0 and b >= 0.
 * Both are right at a = 0, where the plain formulas give NaN.
 */
export const powOp = defineOp<undefined>({
  name: 'pow',
  infer: (inputs) => {
    if (!isFloat(inputs[0]!.dtype)) requireDType('pow', inputs[0]!, ['int64', 'int32']);
    return inferBinary('pow', inputs);
  },
  grad: ({ inputs: [a, b], outputs: [y], dy, needs }) => {
    let da: Tensor | null = null;
    if (needs[0]) {
      const fixed = constantExponent(b!);
      if (fixed !== null) {
        da = fixed === 0 ? mul(dy, 0) : mul(dy, mul(pow(a!, fixed - 1), fixed));
      } else {
        da = mul(dy, where(equal(b!, 0), 0, mul(b!, pow(a!, sub(b!, 1)))));
      }
    }
    let db: Tensor | null = null;
    if (needs[1]) {
      const atZero = logicalAnd(equal(a!, 0), greaterEqual(b!, 0));
      db = mul(dy, where(atZero, 0, mul(y!, log(a!))));
    }
    return [da && sumTo(da, a!.shape), db && sumTo(db, b!.shape)];
  },
  onnx: (emit, { inputs: [a, b] }) => emit.one('Pow', [emit.name(a!), emit.name(b!)]),
  fold: foldElementwise({ float: (a, b) => a ** b, int: integerPower }),
  elementwise: true,
});

/** a^b of integers; a RangeError, which declines the fold, where the result would be huge. */
function integerPower(a: bigint, b: bigint): bigint {
  if (b > 64n) throw new RangeError('exponent too large to fold');
  return a ** b;
}

function constantExponent(b: Tensor): number | null {
  const value = b.size === 1 ? constantValue(b) : null;
  return value && toNumbers(value)[0]!;
}

/** a^n for the exponents that cost less than a Pow; null for the others. */
function cheapPower(a: Tensor, n: number): Tensor | null {
  switch (n) {
    case 1:
      return a;
    case 2:
      return square(a);
    case 3:
      return mul(square(a), a);
    case 4:
      return square(square(a));
  }
  if (!isFloat(a.dtype)) return null;
  switch (n) {
    case 0:
      return onesLike(a);
    case 0.5:
      return sqrt(a);
    case -0.5:
      return rsqrt(a);
    case -1:
      return reciprocal(a);
    case -2:
      return reciprocal(square(a));
  }
  return null;
}

/**
 * a to the power b, with broadcasting. Fixed exponents of 0, 1, 2, 3, 4, 0.5, -0.5, -1 and -2
 * become multiplications and roots.
 * @param b a tensor of the dtype of `a`, or a number
 */
export function pow(a: Operand, b: Operand): Tensor {
  const [base, exponent] = operands(a, b);
  const fixed = exponent.rank === 0 ? constantExponent(exponent) : null;
  const cheap = fixed === null ? null : cheapPower(base, fixed);
  return cheap ?? powOp.one([base, exponent], undefined);
}

/** Remainder of a / b with the sign of b, or with `truncated` that of a. da = dy, db = -dy (a - y) / b. */
export const modOp = defineOp<{ truncated: boolean }>({
  name: 'mod',
  infer: (inputs) => {
    requireNumber('mod', inputs);
    return inferBinary('mod', inputs);
  },
  grad: ({ inputs: [a, b], outputs: [y], dy, needs }) => [
    sumTo(dy, a!.shape),
    // (a - y) / b is the quotient that the remainder was taken for, a whole number.
    needs[1] ? sumTo(neg(mul(dy, round(div(sub(a!, y!), b!)))), b!.shape) : null,
  ],
  onnx: (emit, { inputs: [a, b], attrs: { truncated } }) => {
    const { dtype } = a!;
    const fmod = { fmod: { int: 1 } };
    const names = [emit.name(a!), emitSafeDivisor(emit, b!).divisor];
    if (truncated) return emit.one('Mod', names, fmod);
    if (!isFloat(dtype)) return emit.one('Mod', names);
    // ONNX leaves the floored remainder of floats out: take the truncated one, and add b where
    // the signs differ.
    const rest = emit.one('Mod', names, fmod);
    const signs = emit.one('Mul', [emit.one('Sign', [rest]), emit.one('Sign', [names[1]!])]);
    const differ = emit.one('Less', [signs, emit.scalar(dtype, 0)]);
    const fix = emit.one('Where', [differ, names[1]!, emit.scalar(dtype, 0)]);
    return emit.one('Add', [rest, fix]);
  },
  fold: (inputs, { truncated }, outputs) => {
    const floored = <E extends number | bigint>(rest: E, b: E): boolean =>
      !truncated && rest !== 0 && rest !== 0n && rest < 0 !== b < 0;
    return foldElementwise({
      float: (a, b) => (floored(a % b, b) ? (a % b) + b : a % b),
      int: (a, b) => (floored(a % b, b) ? (a % b) + b : a % b),
    })(inputs, undefined, outputs);
  },
  elementwise: true,
});

/**
 * Remainder of a / b, with broadcasting.
 * @param options.truncated the result has the sign of `a`, as in C and `torch.fmod`; by default it
 *   has that of `b`, as in Python and `torch.remainder`
 * @throws DTypeError when an operand is bool
 */
export function mod(
  a: Operand,
  b: Operand,
  { truncated = false }: { readonly truncated?: boolean } = {},
): Tensor {
  return modOp.one(operands(a, b), { truncated });
}
