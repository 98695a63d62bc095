/** Tokenizers: text to ids with offsets, and back; from any repository's files, or trained. */
export { createTokenizer, type TokenizerFiles } from './create-tokenizer.js';
export { fromSentencePiece } from './from-sentencepiece.js';
export { fromVocabAndMerges, fromVocabText } from './from-vocabulary-files.js';
export {
  type LoadTokenizerOptions,
  loadTokenizer,
  type TokenizerSource,
} from './load-tokenizer.js';
export { fromMarian, type MarianParts } from './marian.js';
export { MAX_PATTERN_LENGTH } from './pattern.js';
export { readSentencePiece, type SentencePieceModel } from './sentencepiece.js';
export * from './tokenizer.js';
export { type TrainBpeOptions, trainBpe } from './train-bpe.js';
export { type TrainUnigramOptions, trainUnigram } from './train-unigram.js';
export { type TrainWordPieceOptions, trainWordPiece } from './train-wordpiece.js';
export { meanRow, NEW_ROW, vocabularyMap } from './vocabulary.js';
