/** ONNX models in and out. */
export * from './annotate.js';
export * from './branches.js';
export * from './encode.js';
export * from './free-axes.js';
export * from './free-batch.js';
export type { ExternalData } from './graph-encoder.js';
export * from './import/index.js';
export type { Sizes } from './lengths.js';
export * from './read.js';
export type { ExternalReader } from './tensor-value.js';
export * from './transfer.js';
export * from './write.js';
