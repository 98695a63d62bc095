/** A SentencePiece model as a file, for toys that are trained within a test. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { PIECE } from '../../src/data/tokenizers/sentencepiece.js';

/**
 * A Unigram with `<unk>`, `<s>` and `</s>` before its pieces, and no normalization but of spaces: flags are those of SentencePiece.
 * @see https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 */
export function sentencePieceFile(
  pieces: readonly (readonly [piece: string, score: number])[],
): Uint8Array {
  const writer = new BinaryWriter();
  const message = (field: number, write: () => void) => {
    writer.tag(field, WireType.LengthDelimited).fork();
    write();
    writer.join();
  };
  const entries = [
    ['<unk>', 0, PIECE.unknown],
    ['<s>', 0, PIECE.control],
    ['</s>', 0, PIECE.control],
    ...pieces.map((p) => [...p, PIECE.normal] as const),
  ] as const;
  for (const [piece, score, type] of entries) {
    message(1, () => {
      writer.tag(1, WireType.LengthDelimited).string(piece);
      writer.tag(2, WireType.Bit32).float(score);
      writer.tag(3, WireType.Varint).int32(type);
    });
  }
  message(2, () => writer.tag(3, WireType.Varint).int32(1));
  message(3, () => writer.tag(1, WireType.LengthDelimited).string('identity'));
  return writer.finish();
}
