/** The state of a training step as it is saved, and whether one fits a step. */
import { ConfigError } from '../errors.js';
import { formatType, type HostTensor, type Tensor } from '../graph/index.js';

/** A placeholder with a name to save it under. */
export interface Named {
  readonly name: string;
  readonly tensor: Tensor;
}

/** Everything that a run needs to go on bit for bit: see `TrainStep.save`. */
export interface TrainState {
  readonly step: number;
  /** Batches seen; with the seed it determines every random number of the next one. */
  readonly batches: number;
  readonly tensors: Readonly<Record<string, HostTensor>>;
}

/** @throws ConfigError when a name or a placeholder is there twice */
export function checkDistinct(variables: readonly Named[]): void {
  const names = new Set<string>();
  const owners = new Map<Tensor, string>();
  for (const { name, tensor } of variables) {
    if (names.has(name)) throw new ConfigError(`TrainStep: two variables are named '${name}'.`);
    names.add(name);
    const other = owners.get(tensor);
    if (other !== undefined) {
      throw new ConfigError(
        `TrainStep: '${other}' and '${name}' are the same placeholder; list a shared parameter once.`,
      );
    }
    owners.set(tensor, name);
  }
}

/** @throws ConfigError naming what is missing, not expected, or of another shape */
export function checkState(state: TrainState, variables: readonly Named[]): void {
  const missing = variables.filter((v) => !(v.name in state.tensors)).map((v) => v.name);
  const known = new Set(variables.map((v) => v.name));
  const unexpected = Object.keys(state.tensors).filter((name) => !known.has(name));
  if (missing.length || unexpected.length) {
    throw new ConfigError(
      `load: the state does not fit this step. Missing: ${missing.join(', ') || 'none'}. Unexpected: ${unexpected.join(', ') || 'none'}. Use the options that the state was saved with.`,
      { missing, unexpected },
    );
  }
  const misshapen = variables.filter(
    (v) => formatType(v.tensor) !== formatType(state.tensors[v.name]!),
  );
  if (misshapen.length) {
    throw new ConfigError(
      `load: ${misshapen.map((v) => `'${v.name}' is ${formatType(v.tensor)} here and ${formatType(state.tensors[v.name]!)} in the state`).join('; ')}.`,
    );
  }
  for (const count of ['step', 'batches'] as const) {
    if (!Number.isSafeInteger(state[count]) || state[count] < 0) {
      throw new ConfigError(`load: ${count} must be a count, got ${state[count]}.`);
    }
  }
}
