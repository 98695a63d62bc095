/** Different optimizers, rates or decay for different parameters. */
import type { Optimizer } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import type { Tensor } from '../graph/index.js';

/** Chooses an optimizer for a parameter by its path and symbolic tensor. */
export type OptimizerFor = (name: string, parameter: Tensor) => Optimizer;

/** Parameters that share an optimizer. */
export interface ParameterGroup {
  readonly match: (name: string, parameter: Tensor) => boolean;
  readonly optimizer: Optimizer;
}

/**
 * The first group that matches decides.
 * @throws ConfigError, when called for a parameter that no group matches
 */
export function parameterGroups(groups: readonly ParameterGroup[]): OptimizerFor {
  return (name, parameter) => {
    const group = groups.find((g) => g.match(name, parameter));
    if (!group) {
      throw new ConfigError(
        `parameterGroups: no group matches '${name}'; end the list with a group that matches everything.`,
        { parameter: name },
      );
    }
    return group.optimizer;
  };
}

/**
 * Decay for matrices and kernels only: biases and the scales and shifts of norms (one axis or
 * none) get the second optimizer.
 */
export function decayMatricesOnly(decayed: Optimizer, undecayed: Optimizer): OptimizerFor {
  return (_, parameter) => (parameter.rank > 1 ? decayed : undecayed);
}
