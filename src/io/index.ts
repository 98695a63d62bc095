/** Files: weights in and out. */
export * from './safetensors.js';
export * from './tensor-source.js';
