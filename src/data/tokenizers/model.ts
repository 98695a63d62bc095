/** What a tokenizer's model is: pieces of text to tokens. */
import type { VocabularyTable } from './vocabulary-table.js';

/** One piece as tokens. */
export interface PieceTokens {
  readonly ids: readonly number[];
  /** Where in the piece each token lies, in UTF-16 units; bytes of one character share its range. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** WordPiece, BPE, Unigram or WordLevel. */
export interface TokenModel {
  readonly vocabulary: VocabularyTable;
  readonly unknown: number | undefined;
  /** @throws WeightsError for text that is not in the vocabulary of a model without unknown token */
  tokenize(piece: string): PieceTokens;
}

/** Natural text has few different words: 30,000 cover over 95 % of it. */
const CACHED_PIECES = 30_000;
/** Longer pieces hardly come back, and would fill the memory. */
const CACHED_LENGTH = 64;

/** `tokenize` that remembers short pieces. */
export function cachedTokenize(
  tokenize: (piece: string) => PieceTokens,
): (piece: string) => PieceTokens {
  let recent = new Map<string, PieceTokens>();
  let older = new Map<string, PieceTokens>();
  return (piece) => {
    const known = recent.get(piece);
    if (known) return known;
    const found = older.get(piece) ?? tokenize(piece);
    if (piece.length > CACHED_LENGTH) return found;
    // Two generations: what is in use survives, and no entry costs more than a Map's.
    if (recent.size >= CACHED_PIECES) {
      older = recent;
      recent = new Map();
    }
    recent.set(piece, found);
    return found;
  };
}
