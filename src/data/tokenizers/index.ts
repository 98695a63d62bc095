/** Tokenizers: text to ids with offsets, and back; from any repository's files, or trained. */
export { createTokenizer, type TokenizerFiles } from './create-tokenizer.js';
export * from './tokenizer.js';
