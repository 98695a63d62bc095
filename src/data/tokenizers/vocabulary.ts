/** From one vocabulary to another: which rows of an embedding table stay, and which are new. */
import type { Tokenizer } from './tokenizer.js';

/** A row that is not taken from the old table. */
export const NEW_ROW = -1;

/**
 * For each id of the new tokenizer the id of the same token in the old one, or {@link NEW_ROW}. The
 * tokens must spell alike in both: `Ġthe` of a byte-level vocabulary is not `▁the` of a SentencePiece.
 * @returns [newTokenizer.vocabularySize]
 */
export function vocabularyMap(oldTokenizer: Tokenizer, newTokenizer: Tokenizer): Int32Array {
  return Int32Array.from({ length: newTokenizer.vocabularySize }, (_, id) => {
    const token = newTokenizer.tokenOf(id);
    return (token === undefined ? undefined : oldTokenizer.idOf(token)) ?? NEW_ROW;
  });
}

/**
 * What new rows begin with: the mean of the old ones, so that a new token is at first as likely as the
 * average one and pulls nothing (Hewitt 2021, "Initializing New Word Embeddings for Pretrained
 * Language Models").
 * @param rows the old table, row by row: [oldRows, width]
 * @returns [width]
 */
export function meanRow(rows: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width);
  const count = rows.length / width;
  for (let i = 0; i < rows.length; i++) sums[i % width]! += rows[i]!;
  return Float32Array.from(sums, (sum) => sum / count);
}
