/** The training loop, its state and its events. */
export * from './apply-phase.js';
export * from './check-checkpoint.js';
export * from './events.js';
export * from './features.js';
export * from './forward.js';
export * from './grad-cam.js';
export * from './optimizer-plan.js';
export * from './phase-run.js';
export * from './state.js';
export * from './stream.js';
export * from './text-stream.js';
export * from './trainer.js';
export * from './trainer-options.js';
