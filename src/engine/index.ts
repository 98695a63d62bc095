/** Compilation and execution. */
export * from './engine.js';
export * from './import.js';
export * from './in-place.js';
export * from './non-finite.js';
export * from './optimizer.js';
export * from './train-state.js';
export * from './train-step.js';
export * from './update-graph.js';
export * from './variables.js';
