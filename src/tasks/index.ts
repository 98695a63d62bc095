/** Tasks: losses, scores, and how outputs are read. */
export * from './define-task.js';
export * from './image-classification.js';
export * from './language-modeling.js';
export * from './pooling.js';
export * from './probabilities.js';
export * from './prompted-text.js';
export * from './question-answering.js';
export * from './sentence-similarity.js';
export * from './text-classification.js';
export * from './text-task.js';
export * from './text-to-text.js';
export * from './token-classification.js';
