/** Architectures, and what they share. */
export * from './checkpoint.js';
export * from './define-model.js';
export * from './image-classifier.js';
export * from './preprocess.js';
export * from './rename.js';
