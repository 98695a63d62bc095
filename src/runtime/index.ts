/** Runtimes that execute encoded programs. */
export * from './runtime.js';
