/** Compilation and execution. */
export * from './engine.js';
