/** ONNX models in and out. */
export * from './encode.js';
