/** Data sets, transforms and batches. */
export * from './batch.js';
export * from './image.js';
