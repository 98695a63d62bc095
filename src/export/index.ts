/** Trained models for others: ONNX models, and what folders for other libraries hold. */
export type { CardFacts } from './card-parts.js';
export * from './layout.js';
export * from './model-card.js';
export * from './onnx.js';
export * from './text-card.js';
export * from './text-onnx.js';
