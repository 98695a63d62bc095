import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isLazy, joinLists, lazyList, mapList } from './index.js';

const lists = fc.array(fc.integer(), { maxLength: 20 });
const lazyOf = <T>(list: readonly T[]) => lazyList(list.length, (i) => list[i]!);

test('reads like the array whose elements it makes', () => {
  fc.assert(
    fc.property(lists, fc.integer({ min: -3, max: 25 }), (list, i) => {
      const made = lazyOf(list);
      expect(Array.isArray(made)).toBe(true);
      expect(made.length).toBe(list.length);
      expect([...made]).toEqual(list);
      expect(made[i]).toBe(list[i]);
      expect(made.at(i)).toBe(list.at(i));
      expect([...made.keys()]).toEqual([...list.keys()]);
      expect(made.map((n) => n + 1)).toEqual(list.map((n) => n + 1));
      expect(made.filter((n) => n > 0)).toEqual(list.filter((n) => n > 0));
      expect(made.flatMap((n) => [n, n])).toEqual(list.flatMap((n) => [n, n]));
      expect(made.slice(i)).toEqual(list.slice(i));
      expect(made.indexOf(list[0]!)).toBe(list.indexOf(list[0]!));
      expect(made.some((n) => n < 0)).toBe(list.some((n) => n < 0));
      expect(Int32Array.from(made)).toEqual(Int32Array.from(list));
      expect(JSON.stringify({ made })).toBe(JSON.stringify({ made: list }));
      expect([1].concat(made)).toEqual([1].concat(list));
    }),
  );
});

test('makes an element at every reading and none before, and takes none', () => {
  const read: number[] = [];
  const made = lazyList(1e9, (i) => {
    read.push(i);
    return { i };
  });
  expect(made).toHaveLength(1e9);
  expect(read).toEqual([]);
  expect(made[5]).toEqual({ i: 5 });
  expect(made[5]).not.toBe(made[5]);
  expect(read).toEqual([5, 5, 5]);
  expect(made[1e9]).toBeUndefined();
  const open = made as { i: number }[];
  expect(() => open.push({ i: 1 })).toThrow(TypeError);
  expect(() => {
    open[0] = { i: 1 };
  }).toThrow(TypeError);
});

test('a map of a lazy list is one, and a map of an array is made at once', () => {
  let calls = 0;
  const double = (n: number, i: number) => {
    calls++;
    return 2 * n + i;
  };
  const made = mapList(lazyOf([1, 2, 3]), double);
  expect(isLazy(made)).toBe(true);
  expect(calls).toBe(0);
  expect([...made]).toEqual([2, 5, 8]);
  const held = mapList([1, 2, 3], double);
  expect(isLazy(held)).toBe(false);
  expect(held).toEqual([...made]);
});

test('lists one after the other', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(lists, fc.boolean()), { maxLength: 6 }), (parts) => {
      const joined = joinLists(parts.map(([list, lazy]) => (lazy ? lazyOf(list) : list)));
      expect([...joined]).toEqual(parts.flatMap(([list]) => list));
      expect(isLazy(joined)).toBe(parts.some(([, lazy]) => lazy));
    }),
  );
});
