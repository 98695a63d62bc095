/** Data sets, transforms and batches. */
export * from './augment.js';
export * from './batch.js';
export * from './bmp.js';
export * from './code-point-order.js';
export * from './colour.js';
export * from './erase.js';
export * from './geometry.js';
export * from './image.js';
export * from './labels.js';
export * from './mix.js';
export * from './near-duplicates.js';
export * from './normalize.js';
export * from './picture-format.js';
export * from './policy.js';
export * from './resample.js';
export * from './split.js';
export * from './view.js';
