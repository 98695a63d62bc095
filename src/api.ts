/** Everything of the package that runs alike in Node, in browsers and in workers. */
export * from './autodiff/index.js';
export * from './engine/index.js';
export * from './errors.js';
export * from './graph/index.js';
export * from './io/index.js';
export * from './nn/index.js';
export * from './onnx/index.js';
export * from './ops/index.js';
export * from './optim/index.js';
export * from './runtime/index.js';
export * from './util/index.js';
