/** Tokenizers: text to ids with offsets, and back; from any repository's files, or trained. */
export * from './tokenizer.js';
