import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogRecord } from './metrics-log.js';
import { crc32c, TensorBoardWriter, tfRecord } from './tensorboard.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tensorboard-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Records of a file, their checksums checked. */
function records(file: Uint8Array): Uint8Array[] {
  const bytes = new Uint8Array(file); // a Buffer is no equal of an array
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.slice(at, at + 16 + length)).toEqual(tfRecord(data));
    found.push(data);
    at += 16 + length;
  }
  return found;
}

interface Parsed {
  wallTime: number;
  step: number;
  fileVersion?: string;
  scalars: [string, number][];
  restart: boolean;
}

/** Walks a message; `field` reads one field or skips it. */
function walk(reader: BinaryReader, end: number, fields: Record<number, () => void>): void {
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    if (fields[number]) fields[number]();
    else reader.skip(wire);
  }
}

/** A reader of events, as independent of the writer as may be. */
function parse(bytes: Uint8Array): Parsed[] {
  return records(bytes).map((data) => {
    const event: Parsed = { wallTime: 0, step: 0, scalars: [], restart: false };
    const reader = new BinaryReader(data);
    const nested = (fields: Record<number, () => void>) => () => {
      const end = reader.uint32() + reader.pos;
      walk(reader, end, fields);
    };
    const value = () => {
      let tag = '';
      let number = 0;
      nested({
        1: () => {
          tag = reader.string();
        },
        2: () => {
          number = reader.float();
        },
      })();
      event.scalars.push([tag, number]);
    };
    walk(reader, data.length, {
      1: () => {
        event.wallTime = reader.double();
      },
      2: () => {
        event.step = Number(reader.int64());
      },
      3: () => {
        event.fileVersion = reader.string();
      },
      5: nested({ 1: value }),
      7: nested({
        1: () => {
          event.restart = reader.int32() === 1;
        },
      }),
    });
    return event;
  });
}

const record = (step: number, split: string, values: Record<string, number>): LogRecord => ({
  step,
  epoch: 0,
  phase: 'head',
  split,
  values,
});

test('crc32c of the check string and of zeros (RFC 3720, B.4)', () => {
  expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
});

describe("TensorBoard's own writer (scripts/golden/event_file.py)", () => {
  const golden = readFileSync(new URL('../../test/golden/tensorboard.tfevents', import.meta.url));

  test('its file is read by the parser of this test', () => {
    const events = parse(golden);
    expect(events[0]).toMatchObject({ fileVersion: 'brain.Event:2', wallTime: 1_700_000_000.25 });
    expect(events.slice(1).map((e) => [e.step, e.scalars.map(([tag]) => tag)])).toEqual([
      [0, ['loss/train', 'lr/train']],
      [1, ['loss/train']],
      [300, ['accuracy/valid', 'größe/valid']],
      [70000, ['loss/train']],
      [5_000_000_000, ['loss/train']],
      [301, []],
    ]);
    expect(events.at(-1)!.restart).toBe(true);
  });

  test('ours writes the same bytes, event by event', () => {
    let clock = 1_700_000_000_250;
    const tick = (ms: number) => {
      clock = 1_700_000_000_250 + ms;
    };
    const ours = new TensorBoardWriter(folder, { now: () => clock });
    const data: [number, string, Record<string, number>][] = [
      [0, 'train', { loss: 2.25, lr: 0.1 }],
      [1, 'train', { loss: 1.5 }],
      [300, 'valid', { accuracy: 0.9375, größe: -1e-8 }],
      [70000, 'train', { loss: Number.NaN }],
      [5_000_000_000, 'train', { loss: Number.POSITIVE_INFINITY }],
    ];
    for (const [i, [step, split, values]] of data.entries()) {
      tick(500 * (i + 1));
      ours.append(record(step, split, values));
    }
    ours.close();
    // The first event names the writer, and so differs.
    expect(records(readFileSync(ours.path)).slice(1)).toEqual(records(golden).slice(1, -1));
    clock = 1_700_000_008_250;
    const resumed = new TensorBoardWriter(folder, { resumeStep: 300, now: () => clock });
    resumed.close();
    expect(records(readFileSync(resumed.path)).at(-1)).toEqual(records(golden).at(-1));
  });
});

test('a file can be read while it is written, and two never share a name', () => {
  const now = () => 1_700_000_000_000;
  const a = new TensorBoardWriter(join(folder, 'run'), { now });
  const b = new TensorBoardWriter(join(folder, 'run'), { now });
  a.append(record(3, 'train', { loss: 0.25 }));
  a.append(record(4, 'train', {}));
  expect(parse(readFileSync(a.path))).toMatchObject([
    { fileVersion: 'brain.Event:2', step: 0 },
    { step: 3, scalars: [['loss/train', 0.25]] },
  ]);
  a.close();
  b.close();
  expect(readdirSync(join(folder, 'run')).sort()).toEqual([basename(a.path), basename(b.path)]);
  expect(basename(a.path)).toMatch(/^events\.out\.tfevents\.1700000000\./);
});

test('a value beyond single precision becomes infinite', () => {
  const writer = new TensorBoardWriter(folder);
  writer.append(record(1, 'train', { loss: 1e300 }));
  writer.close();
  expect(parse(readFileSync(writer.path))[1]!.scalars).toEqual([
    ['loss/train', Number.POSITIVE_INFINITY],
  ]);
});
