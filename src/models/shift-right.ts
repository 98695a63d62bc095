/** What the decoder of an encoder-decoder reads while it is trained: its targets, one place later. */
import { ShapeError } from '../errors.js';

/** Label of a place that counts for nothing, as in transformers. */
const IGNORED = -100;

/**
 * Labels moved one place to the right, after the token that starts every text: the decoder sees the words
 * before the one it is asked for.
 * @param labels [rows, tokens], row after row; -100 where nothing is asked
 * @param tokens length of a row
 * @param decoderStart first token of every row
 * @param pad stands where a label was -100
 * @returns int32, as long as `labels`
 * @throws ShapeError when the labels do not fall into rows
 */
export function shiftRight(
  labels: ArrayLike<number>,
  tokens: number,
  decoderStart: number,
  pad: number,
): Int32Array {
  if (tokens < 1 || labels.length % tokens !== 0) {
    throw new ShapeError(`shiftRight: ${labels.length} labels are no rows of ${tokens}.`, {
      labels: labels.length,
      tokens,
    });
  }
  return Int32Array.from({ length: labels.length }, (_, i) => {
    if (i % tokens === 0) return decoderStart;
    const before = labels[i - 1]!;
    return before === IGNORED ? pad : before;
  });
}
