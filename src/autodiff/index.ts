/** Differentiation of graphs. */
export * from './checkpoint.js';
export * from './ctc.js';
export * from './grad.js';
export * from './scan.js';
