/** The bytes of a pickle, read from left to right with every length checked. */
import { WeightsError } from '../errors.js';

/** Bytes of one whole number; PyTorch's longest is its magic number of 10. */
const MAX_LONG_BYTES = 64;

/** The pickle ends before its last opcode; more bytes may help. */
export class PickleTruncated extends WeightsError {
  constructor(at: number) {
    super(`pickle: the data end at byte ${at}, before the pickle does.`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });
const latin1 = new TextDecoder('latin1');

/** A cursor over a pickle. Reading past the end throws {@link PickleTruncated}. */
export class PickleBytes {
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    /** Where the next byte is read. */
    public at: number,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Refuses the pickle. */
  fail(message: string): never {
    throw new WeightsError(`pickle: ${message} (before byte ${this.at}). The file is damaged.`, {
      at: this.at,
    });
  }

  /** Where the next `length` bytes begin. */
  private take(length: number): number {
    const from = this.at;
    if (length > this.bytes.length - from) throw new PickleTruncated(this.bytes.length);
    this.at += length;
    return from;
  }

  readonly u8 = () => this.view.getUint8(this.take(1));
  readonly u16 = () => this.view.getUint16(this.take(2), true);
  readonly i32 = () => this.view.getInt32(this.take(4), true);
  readonly u32 = () => this.view.getUint32(this.take(4), true);
  readonly u64 = () => Number(this.view.getBigUint64(this.take(8), true));
  /** Big-endian, unlike all else. */
  readonly f64 = () => this.view.getFloat64(this.take(8));

  /** Raw bytes, as a view. */
  chunk(length: number): Uint8Array {
    const from = this.take(length);
    return this.bytes.subarray(from, from + length);
  }

  /** Text in UTF-8. */
  text(length: number): string {
    try {
      return utf8.decode(this.chunk(length));
    } catch (error) {
      if (error instanceof WeightsError) throw error;
      return this.fail('text that is not UTF-8');
    }
  }

  /** Text of Python 2, whose strings were bytes. */
  oldText(length: number): string {
    const bytes = this.chunk(length);
    try {
      return utf8.decode(bytes);
    } catch {
      return latin1.decode(bytes);
    }
  }

  /** Text up to a line break. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new PickleTruncated(this.bytes.length);
    const text = this.text(end - this.at);
    this.at = end + 1;
    return text;
  }

  /** A signed whole number of any length; a bigint beyond 2^53. */
  long(length: number): number | bigint {
    if (length > MAX_LONG_BYTES) this.fail(`a number of ${length} bytes`);
    let value = 0n;
    const bytes = this.chunk(length);
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    value = length > 0 ? BigInt.asIntN(length * 8, value) : 0n;
    const narrow = Number(value);
    return Number.isSafeInteger(narrow) ? narrow : value;
  }
}
