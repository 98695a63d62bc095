/** Text data: samples, batches by length, packing, augmentation (neutral). */
export * from './augment-text.js';
export * from './buckets.js';
export * from './dataset.js';
export * from './packing.js';
export * from './tags.js';
