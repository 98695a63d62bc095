/** Checkpoints, logs and reports on disk (Node). */
export * from './checkpoint-folder.js';
export * from './full-disk.js';
export * from './metrics-log.js';
export * from './progress.js';
export { averageOf } from './report/format.js';
export * from './report/report-data.js';
export * from './report/write-report.js';
export * from './tensorboard.js';
