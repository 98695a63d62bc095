import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type SplitItem, stratifiedSplit } from './split.js';

const item = (i: number, label: number, more: Partial<SplitItem> = {}): SplitItem => ({
  id: `c${label}/${String(i).padStart(4, '0')}.jpg`,
  label,
  lookalike: i,
  ...more,
});

const count = (items: readonly SplitItem[], chosen: readonly number[], label: number) =>
  chosen.filter((i) => items[i]!.label === label).length;

describe('stratifiedSplit', () => {
  test('takes the share of each class, and at least one of two', () => {
    const items = [100, 50, 7, 2, 1]
      .flatMap((n, label) => Array.from({ length: n }, (_, i) => item(1000 * label + i, label)))
      .map((x, i) => ({ ...x, lookalike: i }));
    const split = stratifiedSplit(items, { fraction: 0.2, seed: 1 });
    expect([0, 1, 2, 3, 4].map((l) => count(items, split.valid, l))).toEqual([20, 10, 1, 1, 0]);
    expect(split.missing).toEqual([4]);
    expect([split.lookalikes, split.groups]).toEqual([0, 0]);
    expect([...split.train, ...split.valid].sort((a, b) => a - b)).toEqual(items.map((_, i) => i));
  });

  test('is keyed by the seed, and another file moves few others', () => {
    const items = Array.from({ length: 200 }, (_, i) => item(i, i % 2));
    const of = (list: SplitItem[], seed: number) =>
      new Set(stratifiedSplit(list, { fraction: 0.25, seed }).valid.map((i) => list[i]!.id));
    const first = of(items, 1);
    expect(of(items, 1)).toEqual(first);
    const other = of(items, 2);
    expect([...other].filter((id) => first.has(id)).length).toBeLessThan(30);
    const more = of([...items, { ...item(500, 0), lookalike: 200 }], 1);
    expect([...first].filter((id) => more.has(id)).length).toBeGreaterThanOrEqual(49);
  });

  test('keeps groups and lookalikes on one side, through both', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            label: fc.nat(2),
            group: fc.option(fc.nat(9), { nil: undefined }),
            twin: fc.boolean(),
          }),
          { minLength: 12, maxLength: 80 },
        ),
        fc.integer({ min: 0, max: 50 }),
        (specs, seed) => {
          const items = specs.map((s, i) =>
            item(i, s.label, {
              ...(s.group === undefined ? {} : { group: `g${s.group}` }),
              lookalike: s.twin && i % 7 > 0 ? i - 1 : i,
            }),
          );
          // Numbers of sets are those of their first members.
          const resolved = items.map((x) => x.lookalike);
          for (let i = 0; i < resolved.length; i++)
            resolved[i] = resolved[i] === i ? i : resolved[resolved[i]!]!;
          const final = items.map((x, i) => ({ ...x, lookalike: resolved[i]! }));
          const split = stratifiedSplit(final, { fraction: 0.3, seed });
          const valid = new Set(split.valid);
          expect(split.train.length + split.valid.length).toBe(items.length);
          const sides = new Map<string | number, Set<boolean>>();
          final.forEach((x, i) => {
            if (x.group === undefined) return;
            sides.set(x.group, (sides.get(x.group) ?? new Set()).add(valid.has(i)));
          });
          for (const s of sides.values()) expect(s.size).toBe(1);
          // Every class that is validated is trained too.
          for (const label of [0, 1, 2]) {
            if (count(final, split.valid, label) > 0)
              expect(count(final, split.train, label)).toBeGreaterThan(0);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('near-duplicates do not part, and are counted', () => {
    const items = Array.from({ length: 60 }, (_, i) =>
      item(i, i % 2, { lookalike: i < 40 ? i - (i % 4) : i }),
    );
    for (let seed = 0; seed < 10; seed++) {
      const { valid, lookalikes } = stratifiedSplit(items, { fraction: 0.2, seed });
      const chosen = new Set(valid);
      for (let i = 0; i < 40; i++) expect(chosen.has(i)).toBe(chosen.has(i - (i % 4)));
      expect(lookalikes).toBe(40);
      expect(Math.abs(valid.length - 12)).toBeLessThanOrEqual(2);
    }
  });

  test('a class that looks alike as a whole is split nonetheless', () => {
    const items = Array.from({ length: 20 }, (_, i) =>
      item(i, i < 10 ? 0 : 1, { lookalike: i < 8 ? 0 : i }),
    );
    const { valid, lookalikes } = stratifiedSplit(items, { fraction: 0.2, seed: 0 });
    expect(lookalikes).toBe(0);
    expect(valid).toHaveLength(4);
  });

  test('a class of one group stays in training and is named', () => {
    const items = Array.from({ length: 20 }, (_, i) =>
      item(i, i < 10 ? 0 : 1, i < 10 ? { group: 'one' } : { group: `g${i}` }),
    );
    const { valid, missing, groups } = stratifiedSplit(items, { fraction: 0.2, seed: 0 });
    expect(missing).toEqual([0]);
    expect(groups).toBe(11);
    expect(count(items, valid, 1)).toBe(2);
  });

  test('a share outside of (0, 1) is refused', () => {
    for (const fraction of [0, 1, -0.1, Number.NaN]) {
      expect(() => stratifiedSplit([item(0, 0)], { fraction, seed: 0 })).toThrow(/between 0 and 1/);
    }
  });
});
