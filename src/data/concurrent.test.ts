import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { byCodePoint } from './code-point-order.js';
import { mapLimited } from './concurrent.js';
import { Cancelled, Lanes } from './lanes.js';

describe('mapLimited', () => {
  test('keeps the order, and no more than the limit run at once', async () => {
    let running = 0;
    let most = 0;
    const work = async (x: number) => {
      most = Math.max(most, ++running);
      for (let i = 0; i < x % 4; i++) await setImmediate();
      running--;
      return x * 2;
    };
    const items = Array.from({ length: 30 }, (_, i) => i);
    expect(await mapLimited(items, 3, work)).toEqual(items.map((x) => x * 2));
    expect(most).toBe(3);
    expect(await mapLimited([], 3, work)).toEqual([]);
  });

  test('an error ends it: nothing more is begun', async () => {
    const begun: number[] = [];
    const run = mapLimited([0, 1, 2, 3, 4, 5], 2, async (x) => {
      begun.push(x);
      await setImmediate();
      if (x === 1) throw new Error('one');
      return x;
    });
    await expect(run).rejects.toThrow('one');
    expect(begun.length).toBeLessThan(4); // the lane of 0 may take 2 before 1 fails
  });
});

describe('Lanes', () => {
  test('begin in order of arrival; what was cancelled before its turn does not run', async () => {
    const lanes = new Lanes(1);
    const ticket = { cancelled: false };
    const begun: number[] = [];
    const jobs = [0, 1, 2].map((i) =>
      lanes.run(ticket, async () => {
        begun.push(i);
        await setImmediate();
        if (i === 0) ticket.cancelled = true;
        return i;
      }),
    );
    const ends = await Promise.allSettled(jobs);
    expect(begun).toEqual([0]);
    expect(ends[0]).toEqual({ status: 'fulfilled', value: 0 });
    expect((ends[1] as PromiseRejectedResult).reason).toBeInstanceOf(Cancelled);
    // A lane that failed is free again.
    await expect(
      lanes.run({ cancelled: false }, () => Promise.reject(new Error('x'))),
    ).rejects.toThrow('x');
    expect(await lanes.run({ cancelled: false }, async () => 7)).toBe(7);
    await lanes.idle();
  });
});

test('names are in the order of their code points', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 6 });
  const points = (s: string) => Array.from(s, (c) => c.codePointAt(0)!);
  const want = (a: string, b: string) => {
    const [x, y] = [points(a), points(b)];
    const i = x.findIndex((v, k) => v !== y[k]);
    return i < 0 ? x.length - y.length : y[i] === undefined ? 1 : x[i]! - y[i]!;
  };
  fc.assert(
    fc.property(text, text, (a, b) => Math.sign(byCodePoint(a, b)) === Math.sign(want(a, b))),
  );
  expect(['\u{1F41C}', '\uFF21', 'b', 'B', 'a', 'é'].sort(byCodePoint)).toEqual([
    'B',
    'a',
    'b',
    'é',
    '\uFF21',
    '\u{1F41C}',
  ]);
  expect(byCodePoint('\u{1F41C}a', '\u{1F41D}')).toBeLessThan(0);
});
