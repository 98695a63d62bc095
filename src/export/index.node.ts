/** Exported models on disk (Node). */
export * from './huggingface.js';
export * from './huggingface-text.js';
export { exportOnnxFile } from './write-onnx.js';
export { exportTextOnnxFiles, writePooling, writeTokenizer } from './write-text-onnx.js';
