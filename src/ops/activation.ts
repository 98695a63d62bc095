/** Activation functions. The fused operators of ONNX Runtime do the forward pass. */
import { defineOp, type GradRule, type OnnxEmitter, type Op, type Tensor } from '../graph/index.js';
import { add, div, mul, neg, sub, unaryOp } from './arithmetic.js';
import { requireFloat } from './check.js';
import { greater, less, step, where } from './compare.js';
import { clip } from './extrema.js';
import { cast } from './layout.js';
import { abs, exp, square } from './unary.js';

/** Defines an elementwise operation on floats with attributes. */
export function activation<A>(
  name: string,
  grad: GradRule<A>,
  onnx: (emit: OnnxEmitter, x: string, attrs: A, type: Tensor) => string,
  passes = 1,
): Op<A> {
  return defineOp<A>({
    name,
    infer: ([x]) => {
      requireFloat(name, x!);
      return { dtype: x!.dtype, shape: x!.shape };
    },
    grad,
    onnx: (emit, { inputs: [x], attrs }) => onnx(emit, emit.name(x!), attrs, x!),
    elementwise: true,
    passes,
  });
}

/** Hyperbolic tangent. dx = dy (1 - y^2). */
export const tanhOp = unaryOp('tanh', 'Tanh', ({ outputs: [y], dy }) => [
  mul(dy, sub(1, square(y!))),
]);

/** 1 / (1 + exp(-x)). dx = dy y (1 - y). */
export const sigmoidOp = activation<undefined>(
  'sigmoid',
  ({ outputs: [y], dy }) => [mul(dy, mul(y!, sub(1, y!)))],
  (emit, x, _, { dtype }) => {
    if (dtype !== 'float64') return emit.one('Sigmoid', [x]);
    // ONNX Runtime (1.30) fuses a float64 x Sigmoid(x) into a kernel that it has in float32 only.
    const e = emit.one('Exp', [emit.one('Neg', [x])]);
    return emit.one('Reciprocal', [emit.one('Add', [e, emit.scalar(dtype, 1)])]);
  },
);

/** max(x, 0). dx = dy where x > 0, else 0 (at 0 too, as in PyTorch). */
export const reluOp = unaryOp('relu', 'Relu', ({ outputs: [y], dy }) => [mul(dy, step(y!))]);

/** x where x > 0, slope x elsewhere. dx = dy or slope dy. */
export const leakyReluOp = activation<{ slope: number }>(
  'leakyRelu',
  ({ inputs: [x], dy, attrs }) => [mul(dy, step(x!, attrs.slope))],
  (emit, x, { slope }) => emit.one('LeakyRelu', [x], { alpha: { float: slope } }),
);

/** ln(1 + exp(x)), without overflow. dx = dy sigmoid(x). */
export const softplusOp = unaryOp('softplus', 'Softplus', ({ inputs: [x], dy }) => [
  mul(dy, sigmoid(x!)),
]);

/** x where x > 0, alpha (exp(x) - 1) elsewhere. dx = dy where x > 0, dy (y + alpha) elsewhere. */
export const eluOp = activation<{ alpha: number }>(
  'elu',
  ({ inputs: [x], outputs: [y], dy, attrs: { alpha } }) => [
    // With alpha 1 the two pieces meet: min(y, 0) + 1 is both.
    alpha === 1
      ? mul(dy, add(clip(y!, { max: 0 }), 1))
      : mul(dy, where(greater(x!, 0), 1, add(y!, alpha))),
  ],
  (emit, x, { alpha }) => emit.one('Elu', [x], { alpha: { float: alpha } }),
);

// The constants of Klambauer et al., "Self-Normalizing Neural Networks" (2017).
const SELU_ALPHA = 1.6732632423543772;
const SELU_SCALE = 1.0507009873554805;

/** scale elu(x, alpha) with the fixed constants of self-normalising networks. dx = dy times its slope. */
export const seluOp = unaryOp('selu', 'Selu', ({ inputs: [x], outputs: [y], dy }) => [
  mul(dy, where(greater(x!, 0), SELU_SCALE, add(y!, SELU_SCALE * SELU_ALPHA))),
]);

/** x sigmoid(x). With s = sigmoid(x): dx = dy (s + y (1 - s)). */
export const siluOp = activation<undefined>(
  'silu',
  ({ inputs: [x], outputs: [y], dy }) => {
    const s = sigmoid(x!);
    return [mul(dy, add(s, mul(y!, sub(1, s))))];
  },
  (emit, x, _, { dtype }) => {
    if (emit.target === 'portable') return emit.one('Mul', [x, emit.one('Sigmoid', [x])]);
    if (dtype === 'float32' && emit.target !== 'webgpu') {
      // One fused pass: x sigmoid(alpha x).
      return emit.one('QuickGelu', [x], { alpha: { float: 1 } }, 'com.microsoft');
    }
    const e = emit.one('Exp', [emit.one('Neg', [x])]);
    return emit.one('Div', [x, emit.one('Add', [e, emit.scalar(dtype, 1)])]);
  },
);

/** clip(alpha x + beta, 0, 1). dx = alpha dy where 0 < y < 1, else 0. */
export const hardsigmoidOp = activation<{ alpha: number; beta: number }>(
  'hardsigmoid',
  ({ outputs: [y], dy, attrs: { alpha } }) => [
    mul(dy, mul(mul(step(y!), step(sub(1, y!))), alpha)),
  ],
  (emit, x, { alpha, beta }) =>
    emit.one('HardSigmoid', [x], { alpha: { float: alpha }, beta: { float: beta } }),
);

/** x clip(x / 6 + 1/2, 0, 1). dx = dy (clip(x / 6 + 1/2, 0, 1) + x / 6 where |x| < 3). */
export const hardswishOp = activation<undefined>(
  'hardswish',
  ({ inputs: [x], dy }) => {
    const inside = cast(less(abs(x!), 3), x!.dtype);
    return [mul(dy, add(hardsigmoid(x!), mul(mul(x!, 1 / 6), inside)))];
  },
  (emit, x) => emit.one('HardSwish', [x]),
);

/** Above this, tanh(softplus(x)) is 1 in every float type; exp of it squared does not overflow. */
const MISH_SATURATION = 20;

/**
 * tanh(softplus(x)) as n / (n + 2) with n = exp(x) (exp(x) + 2): six cheap passes, where ONNX
 * Runtime's Softplus alone takes the time of thirty.
 */
function tanhSoftplus(x: Tensor): Tensor {
  const e = exp(clip(x, { max: MISH_SATURATION }));
  const n = mul(e, add(e, 2));
  return div(n, add(n, 2));
}

/** x tanh(softplus(x)). With t that tanh: dx = dy (t + x sigmoid(x) (1 - t^2)). */
export const mishOp = activation<undefined>(
  'mish',
  ({ inputs: [x], dy }) => {
    const t = tanhSoftplus(x!);
    return [mul(dy, add(t, mul(mul(x!, sigmoid(x!)), sub(1, square(t)))))];
  },
  (emit, x, _, { dtype }) => {
    const two = emit.scalar(dtype, 2);
    const e = emit.one('Exp', [emit.one('Clip', [x, '', emit.scalar(dtype, MISH_SATURATION)])]);
    const n = emit.one('Mul', [e, emit.one('Add', [e, two])]);
    return emit.one('Mul', [x, emit.one('Div', [n, emit.one('Add', [n, two])])]);
  },
  7,
);

/** Hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return tanhOp.one([x], undefined);
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: Tensor): Tensor {
  return sigmoidOp.one([x], undefined);
}

/** ln sigmoid(x), without overflow or a logarithm of zero. */
export function logSigmoid(x: Tensor): Tensor {
  return neg(softplus(neg(x)));
}

/** max(x, 0); the gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return reluOp.one([x], undefined);
}

/** min(max(x, 0), 6); the gradient at 0 and 6 is 0. */
export function relu6(x: Tensor): Tensor {
  return clip(x, { min: 0, max: 6 });
}

/**
 * x where x > 0, `slope` x elsewhere.
 * @param slope defaults to 0.01
 */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return leakyReluOp.one([x], { slope });
}

/** ln(1 + exp(x)). */
export function softplus(x: Tensor): Tensor {
  return softplusOp.one([x], undefined);
}

/**
 * x where x > 0, `alpha` (exp(x) - 1) elsewhere.
 * @param alpha defaults to 1
 */
export function elu(x: Tensor, alpha = 1): Tensor {
  return eluOp.one([x], { alpha });
}

/** The scaled elu of self-normalising networks. */
export function selu(x: Tensor): Tensor {
  return seluOp.one([x], undefined);
}

/** x sigmoid(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return siluOp.one([x], undefined);
}

/**
 * clip(`alpha` x + `beta`, 0, 1).
 * @param options.alpha slope; defaults to 1/6, as in PyTorch
 * @param options.beta value at 0; defaults to 1/2
 */
export function hardsigmoid(
  x: Tensor,
  { alpha = 1 / 6, beta = 0.5 }: { readonly alpha?: number; readonly beta?: number } = {},
): Tensor {
  return hardsigmoidOp.one([x], { alpha, beta });
}

/** x clip(x / 6 + 1/2, 0, 1). */
export function hardswish(x: Tensor): Tensor {
  return hardswishOp.one([x], undefined);
}

/** x tanh(softplus(x)). */
export function mish(x: Tensor): Tensor {
  return mishOp.one([x], undefined);
}
