/** Files: weights in and out. */
export { decodeSafetensors, encodeSafetensors, type Safetensors } from './safetensors.js';
export { toFloat16 } from './stored-tensor.js';
export * from './tensor-source.js';
