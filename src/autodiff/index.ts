/** Differentiation of graphs. */
export * from './grad.js';
export * from './scan.js';
