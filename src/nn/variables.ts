/** From a module and its weights to what a training step takes. */
import type { Variable } from '../engine/index.js';
import type { HostTensor, Tensor } from '../graph/index.js';
import { checkWeights, type Module } from './module.js';

/** A module's values, sorted by what becomes of them in training. */
export interface ModuleVariables {
  /** Weights that an optimizer moves. */
  readonly parameters: readonly Variable[];
  /** State that the forward pass moves, such as running statistics that are not frozen. */
  readonly buffers: readonly Variable[];
  /** What does not move: it becomes initializers, which ONNX Runtime packs once. */
  readonly constants: ReadonlyMap<Tensor, HostTensor>;
}

/**
 * Sorts the values of `module` for a training step, by what is trainable at this moment.
 * @throws ConfigError when `weights` does not hold exactly the module's parameters
 * @example
 * const step = await TrainStep.create(engine, { ...variablesOf(net, weights), optimizer, trace });
 */
export function variablesOf(
  module: Module,
  weights: ReadonlyMap<string, HostTensor>,
): ModuleVariables {
  checkWeights(module, weights);
  const parameters: Variable[] = [];
  const buffers: Variable[] = [];
  const constants = new Map<Tensor, HostTensor>();
  for (const [name, { tensor, trainable, updated }] of module.parameters()) {
    const value = weights.get(name)!;
    if (updated) buffers.push({ name, tensor, value });
    else if (trainable) parameters.push({ name, tensor, value });
    else constants.set(tensor, value);
  }
  return { parameters, buffers, constants };
}
