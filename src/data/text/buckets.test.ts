/** Lengths that are fitted to texts. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fittedBuckets } from './buckets.js';

describe('fittedBuckets', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 });

  test('few, ascending, and long enough for every text', () => {
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 6 }), (list, count) => {
        const buckets = fittedBuckets(list, { count, maxLength: 64 });
        expect(buckets.length).toBeGreaterThan(0);
        expect(buckets.length).toBeLessThanOrEqual(count);
        expect(buckets).toEqual([...new Set(buckets)].sort((a, b) => a - b));
        expect(buckets.at(-1)!).toBeGreaterThanOrEqual(Math.max(...list));
      }),
    );
  });

  test('with the least padding that so many can have', () => {
    const padding = (list: readonly number[], buckets: readonly number[]) =>
      list.reduce((sum, n) => sum + (buckets.find((b) => b >= n) ?? Number.NaN) - n, 0);
    fc.assert(
      fc.property(lengths, (list) => {
        const found = padding(list, fittedBuckets(list, { count: 2, maxLength: 64 }));
        const top = Math.ceil(Math.max(...list) / 2) * 2;
        for (let low = 2; low <= top; low += 2) {
          expect(found).toBeLessThanOrEqual(padding(list, [low, top]));
        }
      }),
    );
  });

  test('never longer than the model takes', () => {
    expect(fittedBuckets([3, 500], { count: 3, maxLength: 30 })).toEqual([4, 30]);
  });
});
