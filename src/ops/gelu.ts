/** The Gaussian error linear unit, by the error function or by its tanh approximation. */
import { ConfigError } from '../errors.js';
import type { DType, OnnxEmitter, Tensor } from '../graph/index.js';
import { activation, sigmoid } from './activation.js';
import { add, mul, sub } from './arithmetic.js';
import { exp, square } from './unary.js';

// z of the tanh form is TANH_SLOPE / 2 (x + 0.044715 x^3), of Hendrycks and Gimpel (2016).
const TANH_SLOPE = 2 * Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715 * TANH_SLOPE;

interface GeluAttrs {
  readonly approximate: 'none' | 'tanh';
}

/**
 * x P(X <= x) for a normal X; the tanh form approximates it as x sigmoid(2 z), z a cubic in x.
 * dx = dy geluSlope(x).
 */
export const geluOp = activation<GeluAttrs>(
  'gelu',
  ({ inputs: [x], dy, attrs }) => [mul(dy, geluSlopeOp.one([x!], attrs))],
  (emit, x, { approximate }) => emit.one('Gelu', [x], { approximate: { string: approximate } }),
);

/**
 * The derivative of gelu. With P the normal distribution function and p its density it is
 * P(x) + x p(x), and dx = dy p(x) (2 - x^2). In the tanh form, with s = sigmoid(2 z) and v the
 * derivative of 2 z, it is s + x v s (1 - s).
 */
export const geluSlopeOp = activation<GeluAttrs>(
  'geluSlope',
  ({ inputs: [x], dy, attrs }) => [
    mul(dy, attrs.approximate === 'tanh' ? tanhCurvature(x!) : normalCurvature(x!)),
  ],
  (emit, x, { approximate }, { dtype }) =>
    approximate === 'tanh' ? emitTanhSlope(emit, x, dtype) : emitNormalSlope(emit, x, dtype),
  8,
);

function emitNormalSlope(emit: OnnxEmitter, x: string, dtype: DType): string {
  const u = emit.one('Mul', [x, emit.scalar(dtype, Math.SQRT1_2)]);
  // HardSigmoid is e / 2 + 1/2 in one pass: erf never reaches its bounds.
  const halves = { alpha: { float: 0.5 }, beta: { float: 0.5 } };
  const p = emit.one('HardSigmoid', [emit.one('Erf', [u])], halves);
  // Dividing by exp(u^2) saves the pass that a minus sign would take; where it overflows, the
  // quotient is the right 0.
  const density = emit.one('Div', [u, emit.one('Exp', [emit.one('Mul', [u, u])])]);
  const scaled = emit.one('Mul', [density, emit.scalar(dtype, 1 / Math.sqrt(Math.PI))]);
  return emit.one('Add', [p, scaled]);
}

function emitTanhSlope(emit: OnnxEmitter, x: string, dtype: DType): string {
  const n = (value: number) => emit.scalar(dtype, value);
  const squared = emit.one('Mul', [x, x]);
  const line = (slope: number) =>
    emit.one('Add', [emit.one('Mul', [squared, n(slope)]), n(TANH_SLOPE)]);
  const s = emit.one('Sigmoid', [emit.one('Mul', [x, line(TANH_CUBIC)])]);
  const bell = emit.one('Mul', [s, emit.one('Sub', [n(1), s])]);
  // x v is bounded where the bell is not 0, so it is multiplied last.
  const v = emit.one('Mul', [x, line(3 * TANH_CUBIC)]);
  return emit.one('Add', [s, emit.one('Mul', [v, bell])]);
}

/** p(x) (2 - x^2). */
function normalCurvature(x: Tensor): Tensor {
  const squared = square(x);
  const density = mul(exp(mul(squared, -0.5)), 1 / Math.sqrt(2 * Math.PI));
  return mul(density, sub(2, squared));
}

/** s (1 - s) (2 v + x ((1 - 2 s) v^2 + v')). */
function tanhCurvature(x: Tensor): Tensor {
  const squared = square(x);
  const s = sigmoid(mul(x, add(mul(squared, TANH_CUBIC), TANH_SLOPE)));
  const v = add(mul(squared, 3 * TANH_CUBIC), TANH_SLOPE);
  const bend = add(mul(sub(1, mul(s, 2)), square(v)), mul(x, 6 * TANH_CUBIC));
  return mul(mul(s, sub(1, s)), add(mul(v, 2), mul(x, bend)));
}

/**
 * Gaussian error linear unit.
 * @param options.approximate `none` for x P(X <= x) by erf (default), `tanh` for the approximation
 *   that GPT-2 and its kin were trained with
 */
export function gelu(
  x: Tensor,
  { approximate = 'none' }: { readonly approximate?: 'none' | 'tanh' } = {},
): Tensor {
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw new ConfigError(
      `gelu: approximate is '${approximate}'; expected 'none' (erf) or 'tanh'.`,
      { op: 'gelu', approximate },
    );
  }
  return geluOp.one([x], { approximate });
}
