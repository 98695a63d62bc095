/** Checkpoints, logs and reports on disk (Node). */
export * from './checkpoint-folder.js';
