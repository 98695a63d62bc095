/** Text data: samples, batches by length, packing, augmentation (neutral). */
export * from './dataset.js';
