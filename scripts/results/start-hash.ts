/** What stands for the weights that a run starts from. */
import type { Engine } from '../../src/engine/index.js';
import { type LoadedBase, loadBase, prepareModel } from '../../src/run/index.node.js';
import { hashBytes } from '../../src/util/index.js';

/** What decides the first weights of a run, beside the base. */
export interface StartOptions {
  readonly classes: number;
  readonly size: number;
  readonly seed: number;
  /** Random weights, as the control has them. */
  readonly fresh: boolean;
}

/**
 * Hash of the network, its preprocessing and every first weight. Two bases of one architecture give
 * the same one when `fresh`: then one control serves both.
 */
export function startHash(
  loaded: LoadedBase,
  { classes, size, seed, fresh }: StartOptions,
): string {
  // The head is made anew, so that a loaded base cannot be used twice without this copy.
  const model = loaded.definition.build(loaded.config);
  const labels = Array.from({ length: classes }, (_, i) => `class ${i}`);
  const prepared = prepareModel({ ...loaded, model }, { labels, size, seed, fresh });
  const weights = [...prepared.weights].map(([path, { dtype, shape, data }]) => {
    const { buffer, byteOffset, byteLength } = data;
    return `${path} ${dtype} ${shape} ${hashBytes(new Uint8Array(buffer, byteOffset, byteLength))}`;
  });
  const parts = [prepared.structure, JSON.stringify(prepared.preprocess), ...weights.sort()];
  return hashBytes(new TextEncoder().encode(parts.join('\n')));
}

/** Loads bases once each. */
export class LoadedBases {
  private readonly engine: Engine;
  private readonly known = new Map<string, Promise<LoadedBase>>();

  constructor(engine: Engine) {
    this.engine = engine;
  }

  get(path: string): Promise<LoadedBase> {
    const loaded = this.known.get(path) ?? loadBase(this.engine, path);
    this.known.set(path, loaded);
    return loaded;
  }
}
