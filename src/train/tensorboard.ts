/**
 * Event files that TensorBoard reads: records in TFRecord framing (length, masked CRC-32C of it,
 * bytes, masked CRC-32C of them), each an `Event` message with scalar summaries. Field numbers are
 * those of TensorBoard's event.proto and summary.proto.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { LogRecord } from './metrics-log.js';

/** CRC-32C (Castagnoli), reflected polynomial, a byte at a time. */
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C of `bytes`, unsigned. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** Rotated by 15 and shifted, so that a checksum of data that holds checksums stays sound. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** A record of the framing around `data`. */
export function tfRecord(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(data.length + 16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return out;
}

/** What an event holds beside its time. */
interface EventContent {
  readonly step?: number;
  readonly fileVersion?: string;
  readonly scalars?: readonly (readonly [tag: string, value: number])[];
  /** Readers drop what earlier files say of this step and later ones. */
  readonly restart?: boolean;
  readonly writer?: string;
}

function encodeEvent(wallTime: number, content: EventContent): Uint8Array {
  const { step = 0, fileVersion, scalars, restart, writer } = content;
  const event = new BinaryWriter();
  event.tag(1, WireType.Bit64).double(wallTime);
  if (step) event.tag(2, WireType.Varint).int64(step);
  if (fileVersion) event.tag(3, WireType.LengthDelimited).string(fileVersion);
  if (scalars) {
    event.tag(5, WireType.LengthDelimited).fork();
    for (const [tag, value] of scalars) {
      event.tag(1, WireType.LengthDelimited).fork();
      event.tag(1, WireType.LengthDelimited).string(tag);
      // fround: the writer refuses what single precision cannot hold, infinity is what it means.
      event.tag(2, WireType.Bit32).float(Math.fround(value));
      event.join();
    }
    event.join();
  }
  if (restart)
    event.tag(7, WireType.LengthDelimited).fork().tag(1, WireType.Varint).int32(1).join();
  if (writer) {
    event.tag(10, WireType.LengthDelimited).fork();
    event.tag(1, WireType.LengthDelimited).string(writer).join();
  }
  return event.finish();
}

/** How a writer is opened. */
export interface TensorBoardOptions {
  /** The step whose checkpoint the run goes on from; what earlier files say of later steps is void. */
  readonly resumeStep?: number;
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly now?: () => number;
}

/** Files opened by this process, for names that differ. */
let opened = 0;

/**
 * Writes one event file. Every event is handed to the system at once, so a killed process loses none
 * and TensorBoard shows a run as it goes.
 */
export class TensorBoardWriter {
  readonly path: string;
  private readonly file: number;
  private readonly now: () => number;

  /**
   * Begins an event file in `folder`, which is made if need be.
   * @param folder one run; TensorBoard names it by its path
   */
  constructor(folder: string, { resumeStep, now = Date.now }: TensorBoardOptions = {}) {
    mkdirSync(folder, { recursive: true });
    this.now = now;
    const seconds = String(Math.floor(now() / 1000)).padStart(10, '0');
    // Readers take the files of a folder in the order of their names.
    const name = `events.out.tfevents.${seconds}.${hostname()}.${process.pid}.${opened++}`;
    this.path = join(folder, name);
    this.file = openSync(this.path, 'wx');
    this.event({ fileVersion: 'brain.Event:2', writer: 'graftml' });
    if (resumeStep !== undefined) this.event({ step: resumeStep + 1, restart: true });
  }

  private event(content: EventContent): void {
    const record = tfRecord(encodeEvent(this.now() / 1000, content));
    for (let done = 0; done < record.length; ) done += writeSync(this.file, record, done);
  }

  /** Writes the values of a record; `loss` of `train` is called `loss/train`, so that splits share a chart's group. */
  append({ step, split, values }: LogRecord): void {
    const scalars = Object.entries(values).map(([name, v]) => [`${name}/${split}`, v] as const);
    if (scalars.length > 0) this.event({ step, scalars });
  }

  /** Waits until the disk has what was written. */
  flush(): void {
    fsyncSync(this.file);
  }

  /** Flushes and closes. */
  close(): void {
    this.flush();
    closeSync(this.file);
  }
}
