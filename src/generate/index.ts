/** Writing text with a language model. */
export * from './decoder-session.js';
export * from './generation-config.js';
export * from './generation-file.js';
export * from './generative-model.js';
export * from './options.js';
export * from './processors.js';
export * from './stream-text.js';
export * from './text-generator.js';
