/** Files: weights in and out. */
export * from './int8-weights.js';
export { decodeSafetensors, encodeSafetensors, type Safetensors } from './safetensors.js';
export { toFloat16 } from './stored-tensor.js';
export * from './tensor-source.js';
