/** The engine that a command runs on. */
import { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { type NodeRuntimeOptions, nodeRuntime } from '../runtime/index.node.js';

/** Where a command runs. */
export interface EngineChoice {
  /** Defaults to `cpu`. */
  readonly device?: NonNullable<NodeRuntimeOptions['device']>;
  /** Threads inside an operation; all processors by default. */
  readonly threads?: number;
}

/**
 * Checks the choice before anything is read.
 * @throws ConfigError
 */
export function checkEngine({ threads }: EngineChoice): void {
  if (threads === undefined || (Number.isInteger(threads) && threads >= 1 && threads <= 1024))
    return;
  throw new ConfigError(`threads must be a whole number from 1 to 1024, got ${threads}.`, {
    threads,
  });
}

/** @throws EngineError when the device is not there */
export async function openEngine({ device, threads }: EngineChoice): Promise<Engine> {
  return new Engine(
    await nodeRuntime({
      ...(device === undefined ? {} : { device }),
      ...(threads === undefined ? {} : { threads }),
    }),
  );
}
