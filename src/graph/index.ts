/** Symbolic graph: types, nodes, operation definitions and passes. */
export * from './dtype.js';
export * from './leaf.js';
export * from './node.js';
export * from './op.js';
export * from './passes.js';
export * from './print.js';
export * from './toposort.js';
export * from './verify.js';
