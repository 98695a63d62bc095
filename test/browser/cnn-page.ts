/** The page of the CNN example: trains it in the browser, from the same file as Node does. */
import { train } from '../../examples/cnn.js';
import { createEngine, type WebRuntimeOptions } from '../../src/index.web.js';

/** What tests call through the page. */
export const graftTest = {
  async train(options: WebRuntimeOptions, steps: number): Promise<number[]> {
    const wasmPaths = new URL('/ort/', location.href).href;
    return train(await createEngine({ wasmPaths, ...options }), steps);
  },
};

Object.assign(globalThis, { graftTest });
