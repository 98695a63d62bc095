/** Files: weights in and out. */
export * from './safetensors.js';
