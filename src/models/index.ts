/** Architectures, and what they share. Each architecture is loaded by the registry when asked for. */
export * from './checkpoint.js';
export * from './config-fields.js';
export * from './config-text.js';
export * from './define-model.js';
export * from './image-classifier.js';
export * from './load.js';
export * from './match-weights.js';
export * from './onnx-classifier.js';
export * from './preprocess.js';
export * from './preprocess-parse.js';
export * from './preprocess-write.js';
export * from './registry.js';
export * from './rename.js';
export * from './start.js';
