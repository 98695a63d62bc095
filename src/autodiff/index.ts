/** Differentiation of graphs. */
export * from './ctc.js';
export * from './grad.js';
export * from './scan.js';
