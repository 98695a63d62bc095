/**
 * Keeps `onnxruntime-node` from copying results that already lie where they belong.
 *
 * Its binding runs a model into the buffers it is given, and then, for every output all the same,
 * allocates a new ArrayBuffer and copies the result into that. A training program writes gradients,
 * parameters and optimizer state into buffers of their own, so the copy is pure loss: measured, 60
 * ms and 100 MB of garbage for every 100 MB, seven times what an in-place multiplication takes.
 *
 * The binding turns outputs into JavaScript values in order, after the run, and refuses values that
 * are not tensors. Each model therefore gets one more output ahead of its own, an empty sequence:
 * asking for it ends the conversion before the first copy. Should a later binding accept sequences,
 * results come back copied, and nothing else changes.
 */
import type * as ort from 'onnxruntime-node';
import type { RawSession } from './ort-runtime.js';

/** Name of the additional output; graph outputs are called `o0`, `o1` and so on. */
const MARKER = '@empty';
/** What the binding says when it meets the marker. */
const REFUSED = 'Non tensor type is temporarily not supported.';

/** One length-delimited field of a protobuf message shorter than 128 bytes. */
function field(number: number, ...content: readonly (string | readonly number[])[]): number[] {
  const bytes = content.flatMap((c) => (typeof c === 'string' ? [...c].map(codeOf) : [...c]));
  return [(number << 3) | 2, bytes.length, ...bytes];
}

const codeOf = (char: string) => char.charCodeAt(0);

/**
 * A ModelProto holding only the marker's node and output. Protobuf merges a message with one that
 * follows it, lists being appended: put before a model, it adds the marker as first output.
 */
const HEAD = Uint8Array.from(
  field(
    7, // graph
    field(1, field(2, MARKER), field(3, MARKER), field(4, 'SequenceEmpty')), // node
    // output: name, type { sequence { element { tensor { element type: float } } } }
    field(12, field(1, MARKER), field(2, field(4, field(1, field(1, [8, 1]))))),
  ),
);

/** The model with the marker as its first output. */
export function withMarker(model: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD.length + model.length);
  bytes.set(HEAD);
  bytes.set(model, HEAD.length);
  return bytes;
}

/** A session of a marked model. */
export class UncopiedSession implements RawSession {
  readonly outputMetadata: ort.InferenceSession['outputMetadata'];
  private readonly session: ort.InferenceSession;

  constructor(session: ort.InferenceSession) {
    this.session = session;
    this.outputMetadata = session.outputMetadata.filter((m) => m.name !== MARKER);
  }

  /** When every fetch has a buffer, the result is empty: the values are in the buffers. */
  async run(
    feeds: ort.InferenceSession.FeedsType,
    fetches: ort.InferenceSession.NullableOnnxValueMapType = {},
  ): Promise<ort.InferenceSession.ReturnType> {
    const bound = Object.values(fetches).every((buffer) => buffer !== null);
    if (!bound) return this.session.run(feeds, fetches);
    try {
      return await this.session.run(feeds, { [MARKER]: null, ...fetches });
    } catch (error) {
      if (error instanceof Error && error.message === REFUSED) return {};
      throw error;
    }
  }

  release(): Promise<void> {
    return this.session.release();
  }
}
