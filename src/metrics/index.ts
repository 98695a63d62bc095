/** Metrics as pure functions on plain arrays. */
export * from './accuracy.js';
export * from './bootstrap.js';
export * from './calibration.js';
export * from './classification.js';
export * from './confusion.js';
export * from './per-class.js';
export * from './predictions.js';
export * from './ranking.js';
export * from './student-t.js';
export * from './transfer-gain.js';
