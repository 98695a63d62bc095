/** Architectures, and what they share. */
export * from './checkpoint.js';
export * from './config-fields.js';
export * from './conv-norm.js';
export * from './define-model.js';
export * from './image-classifier.js';
export * from './preprocess.js';
export * from './rename.js';
export * from './start.js';
