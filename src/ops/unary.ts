/** Elementary functions of one tensor. */
import {
  type DType,
  defineOp,
  type NoGrad,
  type OnnxEmitter,
  type Op,
  type Tensor,
  zeroGrad,
} from '../graph/index.js';
import { add, div, mul, neg, sub, unaryOp } from './arithmetic.js';
import { requireFloat } from './check.js';
import { emitCast, requireNumber } from './compare.js';
import { type ElementRule, foldElementwise } from './fold.js';

/** exp(x). dx = dy y. */
export const expOp = unaryOp('exp', 'Exp', ({ outputs: [y], dy }) => [mul(dy, y!)], {
  fold: foldElementwise({ float: Math.exp }),
});

/** ln(x). dx = dy / x. */
export const logOp = unaryOp('log', 'Log', ({ inputs: [x], dy }) => [div(dy, x!)], {
  fold: foldElementwise({ float: Math.log }),
});

/**
 * ln(1 + x), precise for small x. dx = dy / (1 + x). ONNX has no such operator: with u the rounded
 * 1 + x, the sum ln u + (x - (u - 1)) / u puts back what rounding lost.
 */
export const log1pOp = defineOp<undefined>({
  name: 'log1p',
  infer: ([x]) => {
    requireFloat('log1p', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ inputs: [x], dy }) => [div(dy, add(x!, 1))],
  onnx: (emit, { inputs: [x] }) => {
    const name = emit.name(x!);
    const one = emit.scalar(x!.dtype, 1);
    const u = emit.one('Add', [name, one]);
    const lost = emit.one('Sub', [name, emit.one('Sub', [u, one])]);
    const correction = emit.one('Div', [lost, u]);
    // At -1 and infinity the correction is 0 / 0 or inf - inf, and ln u is right without it.
    const undefinedThere = emit.one('IsNaN', [correction]);
    const safe = emit.one('Where', [undefinedThere, emit.scalar(x!.dtype, 0), correction]);
    return emit.one('Add', [emit.one('Log', [u]), safe]);
  },
  elementwise: true,
  passes: 8,
});

/**
 * exp(x) - 1, precise for small x. dx = dy (y + 1). ONNX has no such operator: it is
 * tanh(x / 2) (exp(x) + 1).
 */
export const expm1Op = defineOp<undefined>({
  name: 'expm1',
  infer: ([x]) => {
    requireFloat('expm1', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ outputs: [y], dy }) => [mul(dy, add(y!, 1))],
  onnx: (emit, { inputs: [x] }) => {
    const name = emit.name(x!);
    const half = emit.one('Mul', [name, emit.scalar(x!.dtype, 0.5)]);
    const plus = emit.one('Add', [emit.one('Exp', [name]), emit.scalar(x!.dtype, 1)]);
    return emit.one('Mul', [emit.one('Tanh', [half]), plus]);
  },
  elementwise: true,
  passes: 5,
});

/** Square root. dx = dy / (2 y): infinite at 0. */
export const sqrtOp = unaryOp('sqrt', 'Sqrt', ({ outputs: [y], dy }) => [div(dy, mul(y!, 2))], {
  fold: foldElementwise({ float: Math.sqrt }),
});

/** 1 / sqrt(x). dx = -dy y^3 / 2. */
export const rsqrtOp = defineOp<undefined>({
  name: 'rsqrt',
  infer: ([x]) => {
    requireFloat('rsqrt', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ outputs: [y], dy }) => [mul(mul(dy, y!), mul(square(y!), -0.5))],
  onnx: (emit, { inputs: [x] }) => emit.one('Reciprocal', [emit.one('Sqrt', [emit.name(x!)])]),
  elementwise: true,
  passes: 2,
});

/** 1 / x. dx = -dy y^2. */
export const reciprocalOp = unaryOp(
  'reciprocal',
  'Reciprocal',
  ({ outputs: [y], dy }) => [neg(mul(dy, square(y!)))],
  { fold: foldElementwise({ float: (x) => 1 / x }) },
);

/** x^2. dx = 2 dy x. */
export const squareOp = defineOp<undefined>({
  name: 'square',
  infer: ([x]) => {
    requireNumber('square', [x!]);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ inputs: [x], dy }) => [mul(mul(dy, 2), x!)],
  onnx: (emit, { inputs: [x] }) => emit.one('Mul', [emit.name(x!), emit.name(x!)]),
  fold: foldElementwise({ float: (x) => x * x, int: (x) => x * x }),
  elementwise: true,
});

/** |x|. dx = dy sign(x): zero at 0. */
export const absOp = numberOp('abs', 'Abs', ({ inputs: [x], dy }) => [mul(dy, sign(x!))], {
  float: Math.abs,
  int: (x) => (x < 0n ? -x : x),
});

/** -1, 0 or 1. The derivative is zero. */
export const signOp = numberOp(
  'sign',
  (emit, x, dtype) => {
    // WebGPU has no kernel for Sign, and Lion and L1 penalties take the sign of every weight. The
    // CPU's kernel looks at the low 32 bits of an int64 alone: it gives -1 for 2^31, 0 for 2^32.
    const missing = emit.target === 'webgpu' && dtype === 'float32';
    if (!missing && dtype !== 'int64') return emit.one('Sign', [x]);
    const zero = emit.scalar(dtype, 0);
    const sides = ['Greater', 'Less'].map((o) => emitCast(emit, emit.one(o, [x, zero]), dtype));
    return emit.one('Sub', sides);
  },
  zeroGrad('a sign is constant almost everywhere'),
  {
    float: Math.sign,
    int: (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n),
  },
);

/** An operation on all numbers, integers too. */
function numberOp(
  name: string,
  onnx: string | ((emit: OnnxEmitter, x: string, dtype: DType) => string),
  grad: Parameters<typeof unaryOp>[2],
  rule: ElementRule,
): Op<undefined> {
  return defineOp<undefined>({
    name,
    infer: ([x]) => {
      requireNumber(name, [x!]);
      return { dtype: x!.dtype, shape: x!.shape };
    },
    grad,
    onnx: (emit, { inputs: [x] }) => {
      const name = emit.name(x!);
      return typeof onnx === 'string' ? emit.one(onnx, [name]) : onnx(emit, name, x!.dtype);
    },
    fold: foldElementwise(rule),
    elementwise: true,
  });
}

const ROUNDS: NoGrad = zeroGrad('rounding is constant almost everywhere');

/** Rounding down. The derivative is zero. */
export const floorOp = unaryOp('floor', 'Floor', ROUNDS, {
  fold: foldElementwise({ float: Math.floor }),
});

/** Rounding up. The derivative is zero. */
export const ceilOp = unaryOp('ceil', 'Ceil', ROUNDS, {
  fold: foldElementwise({ float: Math.ceil }),
});

/** Rounding to the nearest integer, halves to even. The derivative is zero. */
export const roundOp = unaryOp('round', 'Round', ROUNDS, {
  fold: foldElementwise({ float: roundHalfToEven }),
});

function roundHalfToEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest === 0.5) return down % 2 === 0 ? down : down + 1;
  return rest < 0.5 ? down : down + 1;
}

/** sin x. dx = dy cos x. */
export const sinOp = unaryOp('sin', 'Sin', ({ inputs: [x], dy }) => [mul(dy, cos(x!))]);

/** cos x. dx = -dy sin x. */
export const cosOp = unaryOp('cos', 'Cos', ({ inputs: [x], dy }) => [neg(mul(dy, sin(x!)))]);

/** tan x. dx = dy (1 + y^2). */
export const tanOp = unaryOp('tan', 'Tan', ({ outputs: [y], dy }) => [mul(dy, add(square(y!), 1))]);

/** Angle in [-pi/2, pi/2] whose sine is x. dx = dy / sqrt(1 - x^2). */
export const asinOp = unaryOp('asin', 'Asin', ({ inputs: [x], dy }) => [
  div(dy, sqrt(sub(1, square(x!)))),
]);

/** Angle in [0, pi] whose cosine is x. dx = -dy / sqrt(1 - x^2). */
export const acosOp = unaryOp('acos', 'Acos', ({ inputs: [x], dy }) => [
  neg(div(dy, sqrt(sub(1, square(x!))))),
]);

/** Angle in [-pi/2, pi/2] whose tangent is x. dx = dy / (1 + x^2). */
export const atanOp = unaryOp('atan', 'Atan', ({ inputs: [x], dy }) => [
  div(dy, add(square(x!), 1)),
]);

/** Hyperbolic sine. dx = dy cosh x. */
export const sinhOp = unaryOp('sinh', 'Sinh', ({ inputs: [x], dy }) => [mul(dy, cosh(x!))]);

/** Hyperbolic cosine. dx = dy sinh x. */
export const coshOp = unaryOp('cosh', 'Cosh', ({ inputs: [x], dy }) => [mul(dy, sinh(x!))]);

/** Inverse hyperbolic sine. dx = dy / sqrt(x^2 + 1). */
export const asinhOp = unaryOp('asinh', 'Asinh', ({ inputs: [x], dy }) => [
  div(dy, sqrt(add(square(x!), 1))),
]);

/** Inverse hyperbolic cosine, for x >= 1. dx = dy / sqrt(x^2 - 1). */
export const acoshOp = unaryOp('acosh', 'Acosh', ({ inputs: [x], dy }) => [
  div(dy, sqrt(sub(square(x!), 1))),
]);

/** Inverse hyperbolic tangent, for |x| <= 1. dx = dy / (1 - x^2). */
export const atanhOp = unaryOp('atanh', 'Atanh', ({ inputs: [x], dy }) => [
  div(dy, sub(1, square(x!))),
]);

/** Error function. dx = dy 2 / sqrt(pi) exp(-x^2). */
export const erfOp = unaryOp('erf', 'Erf', ({ inputs: [x], dy }) => [
  mul(mul(dy, 2 / Math.sqrt(Math.PI)), exp(neg(square(x!)))),
]);

function builder(op: Op<undefined>): (x: Tensor) => Tensor {
  return (x) => op.one([x], undefined);
}

/** e^x. */
export const exp = builder(expOp);
/** Natural logarithm. */
export const log = builder(logOp);
/** ln(1 + x), precise for small x. */
export const log1p = builder(log1pOp);
/** e^x - 1, precise for small x. */
export const expm1 = builder(expm1Op);
/** Square root; NaN below 0. */
export const sqrt = builder(sqrtOp);
/** 1 / sqrt(x). */
export const rsqrt = builder(rsqrtOp);
/** 1 / x. */
export const reciprocal = builder(reciprocalOp);
/** x^2, of integers too. */
export const square = builder(squareOp);
/** |x|, of integers too; its gradient at 0 is 0. */
export const abs = builder(absOp);
/** -1, 0 or 1, of integers too. */
export const sign = builder(signOp);
/** Error function. */
export const erf = builder(erfOp);
/** Sine of an angle in radians. */
export const sin = builder(sinOp);
/** Cosine of an angle in radians. */
export const cos = builder(cosOp);
/** Tangent of an angle in radians. */
export const tan = builder(tanOp);
/** Inverse sine in radians. */
export const asin = builder(asinOp);
/** Inverse cosine in radians. */
export const acos = builder(acosOp);
/** Inverse tangent in radians. */
export const atan = builder(atanOp);
/** Hyperbolic sine. */
export const sinh = builder(sinhOp);
/** Hyperbolic cosine. */
export const cosh = builder(coshOp);
/** Inverse hyperbolic sine. */
export const asinh = builder(asinhOp);
/** Inverse hyperbolic cosine. */
export const acosh = builder(acoshOp);
/** Inverse hyperbolic tangent. */
export const atanh = builder(atanhOp);
/** Largest integer not above x, as a float. */
export const floor = builder(floorOp);
/** Smallest integer not below x, as a float. */
export const ceil = builder(ceilOp);
/** Nearest integer as a float; halves go to the even one. */
export const round = builder(roundOp);
