/** Lion: sign of an interpolated momentum. */
import type { Optimizer } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { add, mul, sign, sub } from '../ops/index.js';
import { checkRateAndDecay, type LearningRate, rateAt } from './schedule.js';

/** Options of {@link lion}. */
export interface LionOptions {
  /** Three to ten times smaller than AdamW's. */
  readonly lr: LearningRate;
  /** Weights of the momentum in the update and in the momentum itself. Defaults to [0.9, 0.99]. */
  readonly betas?: readonly [number, number];
  /** Decoupled decay; three to ten times larger than AdamW's. Defaults to 0. */
  readonly weightDecay?: number;
}

/**
 * u = sign(beta1 m + (1 - beta1) g); p = (1 - lr weightDecay) p - lr u; m = beta2 m + (1 - beta2) g.
 * @see Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023
 */
export function lion({ lr, betas = [0.9, 0.99], weightDecay = 0 }: LionOptions): Optimizer {
  checkRateAndDecay('lion', lr, weightDecay);
  const [beta1, beta2] = betas;
  if (!betas.every((beta) => beta >= 0 && beta < 1)) {
    throw new ConfigError(`lion: betas must lie in [0, 1), got ${beta1} and ${beta2}.`);
  }
  return {
    name: 'lion',
    state: ({ dtype, shape }) => ({ momentum: { dtype, shape } }),
    scalars: (step) => {
      const rate = rateAt(lr, step);
      return { lr: rate, keep: 1 - rate * weightDecay };
    },
    update: ({ parameter, gradient, gradientScale, state, scalars }) => {
      const g = mul(gradient, gradientScale);
      const momentum = state.momentum!;
      const direction = sign(add(mul(momentum, beta1), mul(g, 1 - beta1)));
      return {
        parameter: sub(mul(parameter, scalars.keep!), mul(direction, scalars.lr!)),
        state: { momentum: add(mul(momentum, beta2), mul(g, 1 - beta2)) },
      };
    },
  };
}
