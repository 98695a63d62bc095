/** Exported models on disk (Node). */
export * from './huggingface.js';
export { exportOnnxFile } from './write-onnx.js';
