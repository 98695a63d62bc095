/** Trained models for others: ONNX files, Hugging Face folders. */
export * from './onnx.js';
