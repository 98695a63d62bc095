/** Tasks: losses, scores, and how outputs are read. */
export * from './define-task.js';
export * from './image-classification.js';
export * from './probabilities.js';
