/** Values that are read one by one from a temporary file, for data that memory does not hold (Node). */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { IoError } from '../../errors.js';
import { lazyList } from '../../util/index.js';

/** Bytes gathered before they are written, and read at once where records are read in their order. */
const WINDOW_BYTES = 1024 * 1024;

/** Files of records that nobody can reach any more. */
const unreachable = new FinalizationRegistry((handle: number) => closeSync(handle));

/** A list of numbers that grows without a gap in memory. */
class Positions {
  private values = new Float64Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const grown = new Float64Array(2 * this.length);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.length++] = value;
  }

  at(index: number): number {
    return this.values[index]!;
  }
}

/**
 * A file of values in the order in which they came. It has no name once it is open, so that it is gone when the
 * process is, however that ends. Values are what the structured clone algorithm takes: no functions.
 */
export class RecordFile<T> {
  private readonly handle: number;
  private readonly starts = new Positions();
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private written = 0;
  private window: { readonly start: number; readonly bytes: Buffer } = {
    start: 0,
    bytes: Buffer.alloc(0),
  };
  private last = -1;

  /** @throws IoError `scratch` when the system's temporary folder takes no file */
  constructor() {
    const path = join(tmpdir(), `graft-records-${randomUUID()}`);
    this.handle = said(() => openSync(path, 'wx+', 0o600));
    unlinkSync(path);
    unreachable.register(this, this.handle);
    this.starts.push(0);
  }

  get length(): number {
    return this.starts.length - 1;
  }

  /** @throws IoError `scratch` when the disk is full */
  append(value: T): void {
    const bytes = serialize(value);
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    this.starts.push(this.starts.at(this.length) + bytes.length);
    if (this.pendingBytes >= WINDOW_BYTES) this.flush();
  }

  /** The values from `first` on, read when they are asked for. Values may be appended later. */
  list(first = 0, count = this.length - first): readonly T[] {
    return lazyList(count, (i) => this.read(first + i));
  }

  private flush(): void {
    const bytes = Buffer.concat(this.pending);
    for (let at = 0; at < bytes.length; ) {
      at += said(() => writeSync(this.handle, bytes, at, bytes.length - at, this.written + at));
    }
    this.written += bytes.length;
    this.pending = [];
    this.pendingBytes = 0;
  }

  private read(index: number): T {
    if (this.pendingBytes > 0) this.flush();
    const [start, end] = [this.starts.at(index), this.starts.at(index + 1)];
    const inOrder = index === this.last + 1;
    this.last = index;
    const { window } = this;
    if (start < window.start || end > window.start + window.bytes.length) {
      const length = inOrder ? Math.max(end - start, WINDOW_BYTES) : end - start;
      const bytes = this.bytesAt(start, Math.min(length, this.written - start));
      if (!inOrder) return deserialize(bytes) as T;
      this.window = { start, bytes };
    }
    const from = start - this.window.start;
    // A copy: arrays of numbers are views of what they are read from, and would keep all of the window.
    return deserialize(Buffer.from(this.window.bytes.subarray(from, from + end - start))) as T;
  }

  private bytesAt(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) {
      const count = readSync(this.handle, bytes, at, length - at, position + at);
      if (count === 0) throw new IoError('scratch', 'A temporary file ends too early.');
      at += count;
    }
    return bytes;
  }
}

/** @throws IoError `scratch` in place of what the system says */
function said<U>(work: () => U): U {
  try {
    return work();
  } catch (cause) {
    throw new IoError(
      'scratch',
      `The data is too large to be held in memory, and the folder for temporary files, ${tmpdir()}, does not take it: ${(cause as Error).message}. Free some space there, or name another folder by the environment variable TMPDIR.`,
      { folder: tmpdir() },
      { cause },
    );
  }
}
