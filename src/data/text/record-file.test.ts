import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { RecordFile } from './record-file.js';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('gives back what it was given, in any order of reading', () => {
  const values = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.array(fc.string(), { maxLength: 4 }),
    fc.int32Array({ maxLength: 40 }),
    fc.dictionary(fc.string(), fc.integer()).map((d) => new Map(Object.entries(d))),
  );
  fc.assert(
    fc.property(fc.array(values, { maxLength: 30 }), fc.array(fc.nat(29)), (given, order) => {
      const file = new RecordFile<unknown>();
      for (const value of given) file.append(value);
      const list = file.list();
      for (const i of order) expect(list[i]).toEqual(given[i]);
      expect([...list]).toEqual(given);
      expect([...list]).toEqual(given);
    }),
  );
});

test('holds records larger than what is read at once, and takes more after it was read', () => {
  const file = new RecordFile<Int32Array>();
  const large = Int32Array.from({ length: 700_000 }, (_, i) => i);
  for (const n of [1, 2, 3]) file.append(Int32Array.of(n));
  file.append(large);
  expect([...file.list()].map((v) => v.length)).toEqual([1, 1, 1, 700_000]);
  file.append(Int32Array.of(9));
  const list = file.list();
  expect(list[3]!.length).toBe(large.length);
  expect(list[3]!.every((value, i) => value === i)).toBe(true);
  expect(list[4]).toEqual(Int32Array.of(9));
  expect(file.list(2, 2).map((v) => v[0])).toEqual([3, 0]);
});

test('what was read stays as it is while other records are read', () => {
  const file = new RecordFile<Int32Array>();
  for (let i = 0; i < 2000; i++) file.append(Int32Array.from({ length: 300 }, () => i));
  const read = [...file.list()];
  expect(read.every((v, i) => v.every((x) => x === i))).toBe(true);
});

test('leaves nothing in the folder for temporary files, and says so when that takes none', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-records-test-'));
  vi.stubEnv('TMPDIR', folder);
  const file = new RecordFile<string>();
  file.append('a');
  expect([...file.list()]).toEqual(['a']);
  if (process.platform !== 'win32') expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
  expect(existsSync(folder)).toBe(false);
  expect(() => new RecordFile()).toThrow(/does not take it: ENOENT.*TMPDIR/s);
});
