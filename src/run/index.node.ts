/** Whole runs: what the command line and the three-line library offer (Node). */
export * from './apply.js';
export * from './base.js';
export * from './bases.js';
export * from './engine.js';
export * from './export-run.js';
export * from './fit.js';
export * from './options.js';
export { checkTable, writeTable } from './predictions-table.js';
export * from './report.js';
export * from './run-folder.js';
export * from './summary.js';
export { type TranslatorContext, translatorOf } from './text/back-translation.js';
export { type PredictionPiece, streamPredictions } from './text/stream-predictions.js';
export * from './train-run.js';
export * from './watch.js';
