/** Files on disk (Node). */
export * from './onnx-file.js';
export * from './safetensors-file.js';
export * from './write-whole.js';
