/** Stochastic gradient descent with momentum. */
import type { Optimizer, UpdateResult } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import type { TensorType } from '../graph/index.js';
import { add, mul, sub } from '../ops/index.js';
import { checkRateAndDecay, type LearningRate, rateAt } from './schedule.js';

/** Options of {@link sgd}. */
export interface SgdOptions {
  readonly lr: LearningRate;
  /** Share of the last update's direction that is kept, in [0, 1). Defaults to 0. */
  readonly momentum?: number;
  /** Look ahead along the momentum. Needs momentum > 0. Defaults to false. */
  readonly nesterov?: boolean;
  /** L2 penalty, added to the gradient. Defaults to 0. */
  readonly weightDecay?: number;
}

/**
 * g = scale gradient + weightDecay p; b = momentum b + g; p = p - lr b (or lr (g + momentum b)
 * with Nesterov).
 * @see PyTorch `torch.optim.SGD` (dampening 0)
 */
export function sgd({
  lr,
  momentum = 0,
  nesterov = false,
  weightDecay = 0,
}: SgdOptions): Optimizer {
  checkRateAndDecay('sgd', lr, weightDecay);
  if (!(momentum >= 0 && momentum < 1)) {
    throw new ConfigError(`sgd: momentum must lie in [0, 1), got ${momentum}.`);
  }
  if (nesterov && momentum === 0) {
    throw new ConfigError('sgd: nesterov needs momentum > 0; set momentum, e.g. 0.9.');
  }
  return {
    name: 'sgd',
    state: ({ dtype, shape }): Record<string, TensorType> =>
      momentum > 0 ? { momentum: { dtype, shape } } : {},
    scalars: (step) => ({ lr: rateAt(lr, step) }),
    update: ({ parameter, gradient, gradientScale, state, scalars }): UpdateResult => {
      if (momentum === 0 && weightDecay === 0) {
        // The scale and the rate are one factor: one pass less.
        const factor = mul(gradientScale, scalars.lr!);
        return { parameter: sub(parameter, mul(gradient, factor)), state: {} };
      }
      let g = mul(gradient, gradientScale);
      if (weightDecay > 0) g = add(g, mul(parameter, weightDecay));
      if (momentum === 0) return { parameter: sub(parameter, mul(g, scalars.lr!)), state: {} };
      const buffer = add(mul(state.momentum!, momentum), g);
      const direction = nesterov ? add(g, mul(buffer, momentum)) : buffer;
      return {
        parameter: sub(parameter, mul(direction, scalars.lr!)),
        state: { momentum: buffer },
      };
    },
  };
}
