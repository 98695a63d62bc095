import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { type LogRecord, MetricsLog, readMetricsLog } from './metrics-log.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'metrics-'));
  path = join(folder, 'metrics.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const record = (step: number, split = 'train'): LogRecord => ({
  step,
  epoch: step / 4,
  phase: 'head',
  split,
  values: { loss: 1 / (step + 1), accuracy: 0.5 },
});

/** Writes records of the given steps and closes. */
function write(steps: readonly number[], resumeStep?: number): void {
  const log = MetricsLog.open(path, resumeStep);
  for (const step of steps) log.append(record(step));
  log.close();
}
const steps = () => readMetricsLog(path).map((r) => r.step);

test('one object a line, readable before the log is closed', () => {
  const log = MetricsLog.open(path);
  log.append(record(1));
  log.append(record(1, 'valid'));
  expect(readMetricsLog(path)).toEqual([record(1), record(1, 'valid')]);
  log.close();
  expect(readFileSync(path, 'utf8').split('\n')[0]).toBe(
    '{"step":1,"epoch":0.25,"phase":"head","split":"train","values":{"loss":0.5,"accuracy":0.5}}',
  );
});

test('whatever is written is read, numbers that JSON lacks included', () => {
  const values = fc.dictionary(fc.string(), fc.double());
  const records = fc.array(
    fc.record({ step: fc.nat(), epoch: fc.nat(), phase: fc.string(), split: fc.string(), values }),
  );
  fc.assert(
    fc.property(records, (list) => {
      const log = MetricsLog.open(path);
      for (const r of list) log.append(r);
      log.close();
      const zero = (r: LogRecord) =>
        Object.entries(r.values).map(([name, v]) => [name, Object.is(v, -0) ? 0 : v]);
      const read = readMetricsLog(path);
      expect(read.map(zero)).toEqual(list.map(zero));
      expect(read.map((r) => [r.step, r.phase, r.split])).toEqual(
        list.map((r) => [r.step, r.phase, r.split]),
      );
    }),
    { numRuns: 50 },
  );
});

describe('resuming', () => {
  test('cuts what came after the step, so that the file is that of a straight run', () => {
    write([1, 2, 3, 4, 5, 6]);
    const straight = readFileSync(path);
    write([4, 5, 6], 3);
    expect(readFileSync(path)).toEqual(straight);
    write([], 2);
    expect(steps()).toEqual([1, 2]);
    write([1], 0);
    expect(steps()).toEqual([1]);
  });

  test('what is measured again at the step itself is not written twice', () => {
    write([1, 2, 3]);
    write([3, 4], 3);
    expect(steps()).toEqual([1, 2, 3, 4]);
    // Another measurement at that step is written.
    const log = MetricsLog.open(path, 3);
    log.append(record(3, 'valid'));
    log.close();
    expect(readMetricsLog(path).map((r) => r.split)).toEqual(['train', 'train', 'train', 'valid']);
  });

  test('without a step the log is begun anew; a missing one is begun', () => {
    write([1, 2]);
    write([1]);
    expect(steps()).toEqual([1]);
    rmSync(path);
    write([8], 7);
    expect(steps()).toEqual([8]);
  });

  test('a log that was torn at any byte loses at most the line that was being written', () => {
    write([1, 2, 3]);
    const whole = readFileSync(path);
    const ends = [...whole.entries()].filter(([, b]) => b === 10).map(([i]) => i);
    for (let size = 0; size <= whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size));
      // A line without its newline is whole.
      const lines = ends.filter((end) => end <= size).length;
      expect(steps(), `${size} bytes`).toHaveLength(lines);
      const log = MetricsLog.open(path, 3);
      for (const step of [1, 2, 3].slice(lines)) log.append(record(step));
      log.close();
      expect(readFileSync(path), `${size} bytes`).toEqual(whole);
    }
  });

  test('a last line of zeros, as a machine that lost power leaves it, is dropped', () => {
    write([1]);
    appendFileSync(path, Buffer.alloc(40));
    expect(steps()).toEqual([1]);
    write([2], 1);
    expect(steps()).toEqual([1, 2]);
  });
});

describe('a damaged log is refused:', () => {
  const good = JSON.stringify(record(1));
  test.each([
    ['no JSON', '{"step":'],
    ['no object', '3'],
    ['null', 'null'],
    ['a step that is no whole number', good.replace('"step":1', '"step":1.5')],
    ['a negative step', good.replace('"step":1', '"step":-1')],
    ['an epoch that is no number', good.replace('"epoch":0.25', '"epoch":"x"')],
    ['no split', good.replace('"split":"train",', '')],
    ['values that are a list', good.replace(/"values":.*/, '"values":[1]}')],
    ['a value that is text', good.replace('0.5,', '"<b>",')],
  ])('%s', (_, line) => {
    writeFileSync(path, `${good}\n${line}\n${good}\n`);
    expect(() => readMetricsLog(path)).toThrow(ConfigError);
    expect(() => readMetricsLog(path)).toThrow(/line 2 is no metrics record/);
    // As the last line it is taken for a torn one.
    writeFileSync(path, `${good}\n${line}\n`);
    expect(steps()).toEqual([1]);
  });
});
