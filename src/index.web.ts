/** Graft in a browser. Exports what index.ts exports in Node, on the devices that a browser has. */
import { Engine } from './engine/index.js';
import type { Runtime } from './runtime/index.js';
import { type WebRuntimeOptions, webRuntime } from './runtime/ort-web.js';

export * from './api.js';
export type { WebRuntimeOptions } from './runtime/ort-web.js';

/**
 * A runtime on `wasm` (default) or `webgpu`.
 * @throws EngineError when the device is not there; none stands in for another
 */
export function createRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  return webRuntime(options);
}

/**
 * An engine on a runtime of its own.
 * @example
 * const engine = await createEngine({ device: 'webgpu' });
 */
export async function createEngine(options: WebRuntimeOptions = {}): Promise<Engine> {
  return new Engine(await createRuntime(options));
}
