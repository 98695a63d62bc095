/** Sizes for batches of two sides. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../errors.js';
import { fittedPairs, pairKeys, pairSize } from './paired-buckets.js';

const pair = fc.record({
  source: fc.integer({ min: 1, max: 60 }),
  target: fc.integer({ min: 1, max: 60 }),
});
const pairs = fc.array(pair, { minLength: 1, maxLength: 250 });

describe('fittedPairs', () => {
  test('few, by cost, and one for every pair, that of all longest too', () => {
    fc.assert(
      fc.property(pairs, fc.integer({ min: 1, max: 8 }), (list, count) => {
        const sizes = fittedPairs(list, { count, most: 60 });
        // One more for what no batch was: the longest source with the longest target.
        expect(sizes.length).toBeLessThanOrEqual(count + 1);
        const costs = sizes.map(({ source, target }) => source + 2 * target);
        expect(costs).toEqual([...costs].sort((a, b) => a - b));
        const all = {
          source: Math.max(...list.map((p) => p.source)),
          target: Math.max(...list.map((p) => p.target)),
        };
        for (const p of [...list, all]) {
          const size = pairSize(sizes, p)!;
          expect(size.source >= p.source && size.target >= p.target).toBe(true);
          expect(size.source <= 60 && size.target <= 60).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('joins what adds least', () => {
    const list = [
      ...new Array(9).fill({ source: 10, target: 10 }),
      { source: 11, target: 9 },
      { source: 40, target: 50 },
    ];
    expect(fittedPairs(list, { count: 2, most: 64 })).toEqual([
      { source: 11, target: 10 },
      { source: 40, target: 50 },
    ]);
    expect(pairSize([{ source: 4, target: 4 }], { source: 5, target: 1 })).toBeUndefined();
  });

  test('says what is wrong', () => {
    expect(() => fittedPairs([], { count: 2, most: 8 })).toThrow(ConfigError);
    expect(() => fittedPairs([{ source: 1, target: 1 }], { count: 0, most: 8 })).toThrow(/got 0/);
  });
});

test('neighbours by key are of like length on both sides, the longest of both last', () => {
  const list = Array.from({ length: 600 }, (_, i) => ({
    source: 1 + ((i * 37) % 60),
    target: 1 + ((i * 91) % 59),
  }));
  const padding = (keys: ArrayLike<number>) => {
    const order = [...list.keys()].sort((a, b) => keys[a]! - keys[b]! || a - b);
    let cells = 0;
    for (let at = 0; at < order.length; at += 12) {
      const batch = order.slice(at, at + 12).map((i) => list[i]!);
      cells += 12 * Math.max(...batch.map((p) => p.source));
      cells += 24 * Math.max(...batch.map((p) => p.target));
    }
    return cells;
  };
  const keys = pairKeys(list);
  for (const other of [
    list.map((p) => p.source),
    list.map((p) => p.target),
    list.map((p) => p.source + 2 * p.target),
  ]) {
    expect(padding(keys)).toBeLessThan(0.9 * padding(other));
  }
  const longest = [...list, { source: 60, target: 59 }];
  expect(Math.max(...pairKeys(longest))).toBe(pairKeys(longest).at(-1));
});
