/** Graft in Node. Browsers and their bundlers are given index.web.ts in its place. */
import { Engine } from './engine/index.js';
import type { Runtime } from './runtime/index.js';
import { type NodeRuntimeOptions, nodeRuntime } from './runtime/ort-node.js';

export * from './api.js';
export {
  type BaseInfo,
  type BaseList,
  describeBase,
  type EngineChoice,
  type Evaluation,
  type ExportOptions,
  evaluateRun,
  exportRun,
  type FitChoices,
  type FitOptions,
  type FitRun,
  fit,
  listBases,
  type PredictionList,
  type PredictionPiece,
  predictRun,
  type RunEvent,
  type RunExport,
  type RunListener,
  type RunSummary,
  reportRun,
  streamPredictions,
  watchRun,
} from './run/index.node.js';
export type { NodeRuntimeOptions } from './runtime/ort-node.js';

/**
 * A runtime on `cpu` (default), `webgpu` or `cuda`.
 * @throws EngineError when the device is not there; none stands in for another
 */
export function createRuntime(options: NodeRuntimeOptions = {}): Promise<Runtime> {
  return nodeRuntime(options);
}

/**
 * An engine on a runtime of its own.
 * @example
 * const engine = await createEngine({ threads: 2 });
 * const x = input('x', 'float32', [2]);
 * const [y] = await engine.evaluate([mul(x, x)], new Map([[x, hostTensor('float32', [2], [1, 2])]]));
 */
export async function createEngine(options: NodeRuntimeOptions = {}): Promise<Engine> {
  return new Engine(await createRuntime(options));
}
