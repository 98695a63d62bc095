/** General helpers that know nothing of tensors or models. */
export * from './hash.js';
export * from './lazy-list.js';
export * from './nearest.js';
export * from './random.js';
