/** Powers and remainders. */
import { constantValue, defineOp, isFloat, type Tensor, toNumbers } from '../graph/index.js';
import {
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
import { equal, greaterEqual, logicalAnd, requireNumber, where } from './compare.js';
import { foldElementwise } from './fold.js';
import { onesLike, sumTo } from './layout.js';
import { log, reciprocal, round, rsqrt, sqrt, square } from './unary.js';

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
