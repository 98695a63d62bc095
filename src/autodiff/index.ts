/** Differentiation of graphs. */
export * from './grad.js';
