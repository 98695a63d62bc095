/** Text data: samples, batches by length, packing, augmentation (neutral). */
export * from './augment-text.js';
export * from './buckets.js';
export * from './dataset.js';
export * from './packing.js';
export * from './paired-buckets.js';
export * from './tags.js';
