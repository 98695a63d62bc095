import { describe, expect, test } from 'vitest';
import { clockTime, ProgressLine, type ProgressState } from './progress.js';

/** A stream that keeps what is written, and a clock that is set by hand. */
function setUp({ isTTY, columns = 100 }: { isTTY: boolean; columns?: number }) {
  const written: string[] = [];
  const clock = { ms: 1000 };
  const stream = { write: (text: string) => written.push(text), isTTY, columns };
  return { written, clock, progress: new ProgressLine({ stream, now: () => clock.ms }) };
}
const at = (step: number, values: Record<string, number> = { loss: 0.5 }): ProgressState => ({
  epoch: 1 + Math.floor((step - 1) / 50),
  epochs: 2,
  step,
  steps: 100,
  values,
});

describe('on a terminal', () => {
  test('draws one line over itself: bar, epoch, step, values, time', () => {
    const { written, clock, progress } = setUp({ isTTY: true });
    progress.update({ ...at(25, { loss: 0.731472, accuracy: 0.5 }), phase: 'head' });
    clock.ms += 2000;
    progress.update({ ...at(50, { loss: 0.00012, accuracy: 0.75 }), phase: 'head' });
    expect(written).toEqual([
      '\r██████··················  epoch 1/2  step 25/100  head  loss 0.7315  accuracy 0.5000  0:00\x1b[K',
      '\r' + 'epoch 1/2  step 50/100  head  loss 1.2e-4  accuracy 0.7500  0:02, 0:04 left\x1b[K',
    ]);
  });

  test('redraws at most ten times a second, and always at the end', () => {
    const { written, clock, progress } = setUp({ isTTY: true });
    for (let step = 1; step <= 100; step++) {
      clock.ms += 10;
      progress.update(at(step));
    }
    expect(written).toHaveLength(11);
    expect(written.at(-1)).toMatch(/█{24} {2}epoch 2\/2 {2}step 100\/100 .* 0:00 left/);
  });

  test('is never wider than the terminal', () => {
    for (const columns of [1, 10, 40, 70, 71, 200]) {
      const { written, progress } = setUp({ isTTY: true, columns });
      progress.update(at(10, { loss: 1, accuracy: 0.5 }));
      const shown = written[0]!.slice(1, -'\x1b[K'.length);
      expect([...shown].length).toBeLessThan(Math.max(columns, 2));
      expect(shown.includes('█')).toBe(columns > 80);
    }
  });

  test('a note stands above the bar, which is drawn again; the end takes the bar away', () => {
    const { written, progress } = setUp({ isTTY: true });
    progress.update(at(10));
    written.length = 0;
    progress.note('epoch 1: accuracy 0.9');
    expect(written).toEqual([
      '\r\x1b[K',
      'epoch 1: accuracy 0.9\n',
      expect.stringMatching(/^\r.*step 10\/100/),
    ]);
    written.length = 0;
    progress.done('finished');
    expect(written).toEqual(['\r\x1b[K', 'finished\n']);
    progress.note('after the end');
    expect(written.at(-1)).toBe('after the end\n');
  });
});

describe('elsewhere', () => {
  test('plain lines, at most one in five seconds, and the last', () => {
    const { written, clock, progress } = setUp({ isTTY: false });
    for (let step = 1; step <= 100; step++) {
      clock.ms += 110;
      progress.update(at(step));
    }
    expect(written).toHaveLength(4);
    expect(written[0]).toBe('  1 %  epoch 1/2  step 1/100  loss 0.5000  0:00\n');
    expect(written[1]).toBe(' 47 %  epoch 1/2  step 47/100  loss 0.5000  0:05, 0:06 left\n');
    expect(written[3]).toMatch(/^100 % .*step 100\/100/);
    progress.done();
    expect(written).toHaveLength(4);
  });
});

test('what is read or fetched is counted as what it is', () => {
  const { written, progress } = setUp({ isTTY: true });
  const read = { ...at(1, {}), epochs: 1, phase: 'reading' };
  progress.update({ ...read, of: 'bytes', step: 1426, steps: 1426 });
  progress.update({ ...read, of: 'bytes', step: 3 * 2 ** 20, steps: 3 * 2 ** 20 });
  progress.update({ ...read, of: 'files', step: 7, steps: 7 });
  expect(written.map((line) => line.replace(/^.*·*█*\s\s(?=\d)/, ''))).toEqual([
    expect.stringMatching(/1426\/1426 bytes {2}reading/),
    expect.stringMatching(/3\.0\/3\.0 MiB {2}reading/),
    expect.stringMatching(/7\/7 files {2}reading/),
  ]);
  expect(written.join()).not.toMatch(/step|epoch/);
});

test('time left goes by the median step: an evaluation in between does not count', () => {
  const { clock, progress } = setUp({ isTTY: false });
  expect(progress.remaining()).toBeUndefined();
  for (let step = 1; step <= 20; step++) {
    clock.ms += step === 11 ? 60_000 : 100;
    progress.update(at(step));
  }
  expect(progress.remaining()).toBeCloseTo(8000, 6);
});

test('time left follows a phase of slower steps, and counts steps that were not told of', () => {
  const { clock, progress } = setUp({ isTTY: false });
  for (let step = 1; step <= 20; step++) {
    clock.ms += 1;
    progress.update({ ...at(step), steps: 1000 });
  }
  for (let step = 22; step <= 300; step += 2) {
    clock.ms += 100;
    progress.update({ ...at(step), steps: 1000 });
  }
  expect(progress.remaining()).toBeCloseTo(700 * 50, 6);
});

test('a new phase begins a new estimate', () => {
  const { clock, progress } = setUp({ isTTY: false });
  for (let step = 1; step <= 90; step++) {
    clock.ms += 1;
    progress.update({ ...at(step), phase: 'reading' });
  }
  progress.update({ ...at(1), phase: 'all', steps: 100 });
  expect(progress.remaining()).toBeUndefined();
  clock.ms += 500;
  progress.update({ ...at(2), phase: 'all', steps: 100 });
  expect(progress.remaining()).toBeCloseTo(98 * 500, 6);
});

test('nothing that is written can drive the terminal', () => {
  const { written, progress } = setUp({ isTTY: false });
  progress.note('skipped \x1b[2J\u009bevil\n\u202egpj.exe');
  progress.update(at(1, { 'lo\x1bss': Number.NaN }));
  progress.done('\x07');
  expect(written[0]).toBe('skipped \ufffd[2J\ufffdevil \ufffdgpj.exe\n');
  expect(written[1]).toContain('lo\ufffdss NaN');
  expect(written[2]).toBe('\ufffd\n');
});

test('clockTime', () => {
  expect([0, 499, 42_000, 727_000, 11_100_000].map(clockTime)).toEqual([
    '0:00',
    '0:00',
    '0:42',
    '12:07',
    '3:05:00',
  ]);
});
