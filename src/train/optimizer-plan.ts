/** One optimizer a learning rate: parameters of equal rate and decay share their scalars. */
import type { Optimizer } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import type { Tensor } from '../graph/index.js';
import type { Phase } from '../methods/index.js';
import {
  adamW,
  constantRate,
  cosineRate,
  lamb,
  linearRate,
  lion,
  type Schedule,
  sgd,
} from '../optim/index.js';

/** Names of optimizers that a run may use. */
export const OPTIMIZERS = ['adamw', 'sgd', 'lamb', 'lion'] as const;

/** Which optimizer, and its decay. */
export interface OptimizerChoice {
  readonly name: (typeof OPTIMIZERS)[number];
  /** Decay of kernels and matrices; biases and norms have none. */
  readonly weightDecay: number;
}

const makers = {
  adamw: (lr: Schedule, weightDecay: number) => adamW({ lr, weightDecay }),
  sgd: (lr: Schedule, weightDecay: number) =>
    sgd({ lr, momentum: 0.9, nesterov: true, weightDecay }),
  lamb: (lr: Schedule, weightDecay: number) => lamb({ lr, weightDecay }),
  lion: (lr: Schedule, weightDecay: number) => lion({ lr, weightDecay }),
};

/** The learning rate of a phase's fastest group, by step of the phase (from 1). */
export function phaseRate(phase: Phase, steps: number): Schedule {
  const warmup = Math.round(phase.warmup * steps);
  if (phase.schedule === 'constant') {
    return warmup > 0 ? (step) => phase.lr * Math.min(1, step / warmup) : constantRate(phase.lr);
  }
  const fall = phase.schedule === 'linear' ? linearRate : cosineRate;
  return fall({ lr: phase.lr, warmup, total: steps });
}

/**
 * The optimizer of each parameter in a phase of so many steps.
 * @throws ConfigError for an unknown optimizer
 */
export function optimizerOf(
  choice: OptimizerChoice,
  phase: Phase,
  steps: number,
): (name: string, parameter: Tensor) => Optimizer {
  const make = makers[choice.name];
  if (!make) {
    throw new ConfigError(
      `There is no optimizer '${choice.name}'; choose one of ${OPTIMIZERS.join(', ')}.`,
      { optimizer: choice.name },
    );
  }
  const schedule = phaseRate(phase, steps);
  const made = new Map<string, Optimizer>();
  return (name, parameter) => {
    const factor = phase.rate(name);
    const decay = parameter.rank > 1 ? choice.weightDecay : 0;
    const key = `${factor}|${decay}`;
    let optimizer = made.get(key);
    if (!optimizer) {
      optimizer = make((step) => schedule(step) * factor, decay);
      made.set(key, optimizer);
    }
    return optimizer;
  };
}
