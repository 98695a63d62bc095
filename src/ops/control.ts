/**
 * Operations that compute nothing and only say what the backward pass does: they are not even
 * nodes of the ONNX graph, because each result is emitted under the name of its input.
 */
import { ConfigError } from '../errors.js';
import { defineOp, type Tensor, zeroGrad } from '../graph/index.js';
import { mul, neg } from './arithmetic.js';
import { requireFloat, requireRank, requireSameDType } from './check.js';
import { zerosLike } from './layout.js';

/** x. dx = 0. */
export const stopGradientOp = defineOp<undefined>({
  name: 'stopGradient',
  infer: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  grad: zeroGrad('the gradient is stopped here on purpose'),
  onnx: (emit, { inputs: [x] }) => emit.name(x!),
  view: true,
});

/** `x`, as a constant to every gradient. */
export function stopGradient(x: Tensor): Tensor {
  return stopGradientOp.one([x], undefined);
}

/** x. dx = -lambda dy, and none for lambda: an attribute, or a second input. */
export const reverseGradientOp = defineOp<{ lambda?: number }>({
  name: 'reverseGradient',
  infer: ([x, lambda]) => {
    requireFloat('reverseGradient', x!);
    if (lambda) {
      requireSameDType('reverseGradient', [x!, lambda]);
      requireRank('reverseGradient', 'lambda', lambda, 0);
    }
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ inputs: [, lambda], dy, attrs }) => [mul(neg(dy), lambda ?? attrs.lambda!), null],
  onnx: (emit, { inputs: [x] }) => emit.name(x!),
  view: true,
});

/**
 * `x` going forward; going backward the gradient is multiplied by `-lambda`, so that what lies
 * below learns to make the loss above larger (domain-adversarial training).
 * @param lambda a number, or a scalar tensor when it changes from step to step
 * @see https://arxiv.org/abs/1505.07818
 */
export function reverseGradient(x: Tensor, lambda: number | Tensor = 1): Tensor {
  return typeof lambda === 'number'
    ? reverseGradientOp.one([x], { lambda })
    : reverseGradientOp.one([x, lambda], {});
}

/** What a user-defined gradient gets to see. */
export interface CustomGradientContext {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** The gradient of each output; zeros where the loss does not depend on it. */
  readonly dys: readonly Tensor[];
}

/**
 * Builds the gradient of each input from graph operations; null where there is none. It must use
 * the context's tensors and constants only: one closed over would stay behind when a loop or a
 * checkpoint copies the graph.
 */
export type CustomGradient = (context: CustomGradientContext) => readonly (Tensor | null)[];

/** Inputs are x..., y...; outputs are y.... dx = what the rule says, and none goes into y. */
export const customGradientOp = defineOp<{ count: number; rule: CustomGradient }>({
  name: 'customGradient',
  infer: (inputs, { count }) => inputs.slice(count).map(({ dtype, shape }) => ({ dtype, shape })),
  grad: ({ inputs, outputs, dys, attrs: { count, rule } }) => {
    const given = rule({
      inputs: inputs.slice(0, count),
      outputs,
      dys: outputs.map((y, i) => dys[i] ?? zerosLike(y)),
    });
    if (given.length !== count) {
      throw new ConfigError(
        `customGradient: the rule returned ${given.length} gradients for ${count} inputs. Return one for each, null where there is none.`,
        { given: given.length, expected: count },
      );
    }
    return [...given, ...outputs.map(() => null)];
  },
  onnx: (emit, { inputs, attrs }) => inputs.slice(attrs.count).map((y) => emit.name(y)),
  view: true,
});

/**
 * `fn` with a gradient of your own. The rule is made of graph operations, so that it can be
 * differentiated again.
 * @param fn what is computed; only its parameters receive a gradient, tensors it closes over do not
 * @param rule the gradient of each parameter
 * @example
 * // Rounds, and lets the gradient pass as if it did not.
 * const roundThrough = customGradient((x) => round(x), ({ dys: [dy] }) => [dy!]);
 */
export function customGradient<Y extends Tensor | readonly Tensor[]>(
  fn: (...xs: Tensor[]) => Y,
  rule: CustomGradient,
): (...xs: Tensor[]) => Y {
  return (...xs) => {
    const result = fn(...xs);
    const many = Array.isArray(result);
    const ys = (many ? result : [result]) as readonly Tensor[];
    const out = customGradientOp.apply([...xs, ...ys], { count: xs.length, rule });
    return (many ? out : out[0]) as Y;
  };
}
