/** The page of the example with texts: learns and writes in the browser, from the same file as Node does. */
import { learnOpinions, writeOpinion } from '../../examples/texts.js';
import { createEngine, type WebRuntimeOptions } from '../../src/index.web.js';

const engineOf = (options: WebRuntimeOptions) =>
  createEngine({ wasmPaths: new URL('/ort/', location.href).href, ...options });

/** What tests call through the page. */
export const graftTest = {
  learn: async (options: WebRuntimeOptions, epochs: number) =>
    learnOpinions(await engineOf(options), epochs),
  write: async (options: WebRuntimeOptions, epochs: number) =>
    writeOpinion(await engineOf(options), epochs),
};

Object.assign(globalThis, { graftTest });
