/** SentencePiece's model files: a protocol buffer, read without running or trusting anything. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { WeightsError } from '../../errors.js';
import { MAX_VOCABULARY } from './fields.js';

/** What a piece is: `SentencePiece.Type` of sentencepiece_model.proto. */
export const PIECE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 };

/** One entry of the vocabulary; its id is its place. */
export interface SentencePieceEntry {
  readonly piece: string;
  /** Log probability (Unigram), or minus the rank of the merge (BPE). */
  readonly score: number;
  /** One of {@link PIECE}. */
  readonly type: number;
}

/** The parts of a `ModelProto` that tokenizing needs. */
export interface SentencePieceModel {
  readonly pieces: readonly SentencePieceEntry[];
  /** 1: Unigram, 2: BPE, 3: words, 4: characters. */
  readonly modelType: number;
  readonly byteFallback: boolean;
  readonly charsMap: Uint8Array | null;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** Whether spaces become `▁`. */
  readonly escapeWhitespaces: boolean;
  /** Whether `▁` ends a word in the place of beginning it. */
  readonly treatWhitespaceAsSuffix: boolean;
}

/** Reads one field and moves on. */
type Read = (reader: BinaryReader) => void;

/** Walks over a message, field by field; those that `fields` does not name are passed over. */
function walk(
  bytes: Uint8Array,
  fields: Readonly<Record<number, readonly [wire: WireType, read: Read]>>,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    const known = fields[field];
    if (!known) reader.skip(wire, field);
    else if (known[0] !== wire) throw new Error(`field ${field} has wire type ${wire}`);
    else known[1](reader);
  }
}

function readPiece(bytes: Uint8Array): SentencePieceEntry {
  const entry = { piece: '', score: 0, type: PIECE.normal };
  walk(bytes, {
    1: [WireType.LengthDelimited, (r) => (entry.piece = r.string())],
    2: [WireType.Bit32, (r) => (entry.score = r.float())],
    3: [WireType.Varint, (r) => (entry.type = r.int32())],
  });
  if (!Number.isFinite(entry.score)) throw new Error(`piece '${entry.piece}' has no finite score`);
  return entry;
}

/**
 * Reads a `.model` or `.spm` file.
 * @param file its name, for messages
 * @throws WeightsError when it is damaged or no SentencePiece model
 * @see https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto
 */
export function readSentencePiece(bytes: Uint8Array, file: string): SentencePieceModel {
  const pieces: SentencePieceEntry[] = [];
  const model = {
    pieces,
    modelType: 1,
    byteFallback: false,
    charsMap: null as Uint8Array | null,
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
    treatWhitespaceAsSuffix: false,
  };
  const fail = (why: string, cause?: unknown): WeightsError =>
    new WeightsError(
      `'${file}' is no SentencePiece model that can be read: ${why}. Fetch it again.`,
      { file },
      { code: 'tokenizer', cause },
    );
  try {
    walk(bytes, {
      1: [
        WireType.LengthDelimited,
        (r) => {
          pieces.push(readPiece(r.bytes()));
          if (pieces.length > MAX_VOCABULARY) throw new Error('it has too many pieces');
        },
      ],
      2: [
        WireType.LengthDelimited,
        (r) =>
          walk(r.bytes(), {
            3: [WireType.Varint, (f) => (model.modelType = f.int32())],
            24: [WireType.Varint, (f) => (model.treatWhitespaceAsSuffix = f.bool())],
            35: [WireType.Varint, (f) => (model.byteFallback = f.bool())],
          }),
      ],
      3: [
        WireType.LengthDelimited,
        (r) =>
          walk(r.bytes(), {
            2: [WireType.LengthDelimited, (f) => (model.charsMap = f.bytes())],
            3: [WireType.Varint, (f) => (model.addDummyPrefix = f.bool())],
            4: [WireType.Varint, (f) => (model.removeExtraWhitespaces = f.bool())],
            5: [WireType.Varint, (f) => (model.escapeWhitespaces = f.bool())],
          }),
      ],
    });
  } catch (cause) {
    throw fail((cause as Error).message, cause);
  }
  if (pieces.length === 0) throw fail('it holds no pieces');
  if (model.charsMap?.length === 0) model.charsMap = null;
  return model;
}
