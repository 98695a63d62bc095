import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { type HostTensor, hostTensor, toNumbers } from '../graph/index.js';
import { type RenameRule, Renaming, SAME_NAMES } from './rename.js';
import { shapeOfTheirs, valuesToOurs, valuesToTheirs } from './reshape-weights.js';

const rules: RenameRule[] = [
  { theirs: 'layer{s+1}.{b}.conv1.{*}', ours: 'encoder.stages.{s}.layers.{b}.conv.{*}' },
  {
    theirs: 'blocks.{b}.attn.qkv.{*}',
    ours: ['layer.{b}.query.{*}', 'layer.{b}.key.{*}', 'layer.{b}.value.{*}'],
  },
  { theirs: 'head', ours: 'classifier.weight' },
];

describe('names', () => {
  const renaming = new Renaming(rules);

  test('numbers move by their offset, the rest is kept', () => {
    const there = renaming.toOurs('layer3.10.conv1.weight');
    expect(there?.ours).toEqual(['encoder.stages.2.layers.10.conv.weight']);
    expect(renaming.toTheirs(there!.ours[0]!)?.theirs).toBe('layer3.10.conv1.weight');
  });

  test('a fused tensor has several names, each of which leads back to it', () => {
    const { ours } = renaming.toOurs('blocks.7.attn.qkv.bias')!;
    expect(ours).toEqual(['layer.7.query.bias', 'layer.7.key.bias', 'layer.7.value.bias']);
    for (const name of ours) expect(renaming.toTheirs(name)?.theirs).toBe('blocks.7.attn.qkv.bias');
  });

  test('names that no rule fits have no counterpart', () => {
    // Below the offset, a leading zero, no number, something before and after.
    for (const name of ['layer0.1.conv1.w', 'layer1.01.conv1.w', 'layer1.x.conv1.w', 'heads']) {
      expect(renaming.toOurs(name), name).toBeNull();
    }
    expect(renaming.toOurs('xlayer1.0.conv1.w')).toBeNull();
    expect(renaming.toTheirs('classifier.bias')).toBeNull();
  });

  test('an earlier rule wins, and a later one is then no inverse of it', () => {
    const two = new Renaming([
      { theirs: 'a.{*}', ours: 'b.{*}' },
      { theirs: '{*}', ours: 'c.{*}' },
    ]);
    expect(two.toOurs('a.x')?.ours).toEqual(['b.x']);
    expect(two.toTheirs('c.a.x')).toBeNull();
    expect(two.toTheirs('c.d')?.theirs).toBe('d');
  });

  test('templates with other places, one place twice or no place are refused', () => {
    const bad: RenameRule[] = [
      { theirs: 'a.{n}', ours: 'a.{m}' },
      { theirs: 'a.{n}.{n}', ours: 'a.{n}.{n}' },
      { theirs: 'a.{}', ours: 'a.{}' },
      { theirs: 'a.{n-1}', ours: 'a.{n}' },
      { theirs: 'a', ours: [] },
    ];
    for (const rule of bad) expect(() => new Renaming([rule]), rule.theirs).toThrow(ConfigError);
  });

  test('any name goes there and back under the rule of equal names', () => {
    const same = new Renaming(SAME_NAMES);
    fc.assert(
      fc.property(fc.string(), (name) => {
        expect(same.toOurs(name)?.ours).toEqual([name]);
        expect(same.toTheirs(name)?.theirs).toBe(name);
      }),
    );
  });
});

/** A template of literals and numbered places, perhaps with a rest at its end. */
const literal = fc.stringMatching(/^[a-z._$*+?()|^\\[\]]{1,5}$/);
const rule = fc
  .record({
    places: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    theirs: fc.array(literal, { minLength: 4, maxLength: 4 }),
    ours: fc.array(literal, { minLength: 4, maxLength: 4 }),
    rest: fc.boolean(),
    fused: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ places, theirs, ours, rest, fused }): RenameRule => {
    const end = rest ? '{*}' : '';
    const of = (words: string[], offset: boolean) =>
      places
        .map((o, i) => `${words[i]}{p${i}${offset && o ? `+${o}` : ''}}`)
        .concat(words[3]!)
        .join('') + end;
    return {
      theirs: of(theirs, true),
      ours: Array.from({ length: fused }, (_, i) => `part${i}.${of(ours, false)}`),
    };
  });

test('renaming there and back is the identity, whatever the templates', () => {
  fc.assert(
    fc.property(
      rule,
      fc.array(fc.nat(1000), { minLength: 3, maxLength: 3 }),
      fc.stringMatching(/^[a-z.]{0,8}$/),
      (r, numbers, rest) => {
        const renaming = new Renaming([r]);
        const fill = (template: string) =>
          template
            .replace(/\{p(\d)(?:\+(\d))?\}/g, (_, i, o) => String(numbers[i]! + Number(o ?? 0)))
            .replace('{*}', rest);
        const theirs = fill(r.theirs);
        const ours = (r.ours as string[]).map(fill);
        expect(renaming.toOurs(theirs)?.ours).toEqual(ours);
        for (const name of ours) expect(renaming.toTheirs(name)).toMatchObject({ theirs, ours });
      },
    ),
  );
});

describe('values', () => {
  const counted = (shape: number[]): HostTensor =>
    hostTensor(
      'float32',
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    );

  test('a fused tensor is cut along the first axis', () => {
    const r: RenameRule = { theirs: 'qkv', ours: ['q', 'k', 'v'] };
    const parts = valuesToOurs(r, counted([6, 2]), [
      counted([1, 2]),
      counted([2, 2]),
      counted([3, 2]),
    ]);
    expect(parts.map((p) => toNumbers(p))).toEqual([
      [0, 1],
      [2, 3, 4, 5],
      [6, 7, 8, 9, 10, 11],
    ]);
  });

  test('axes change places', () => {
    const r: RenameRule = { theirs: 'w', ours: 'w', transpose: [1, 0] };
    const [t] = valuesToOurs(r, counted([2, 3]), [counted([3, 2])]);
    expect(t!.shape).toEqual([3, 2]);
    expect(toNumbers(t!)).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test('a convolution over the whole map is a matrix', () => {
    const r: RenameRule = { theirs: 'w', ours: 'w', kernel: [2, 1] };
    expect(shapeOfTheirs(r, [[4, 6]])).toEqual([4, 3, 2, 1]);
    const [t] = valuesToOurs(r, counted([4, 3, 2, 1]), [counted([4, 6])]);
    expect(t!.shape).toEqual([4, 6]);
  });

  test('there and back is the identity for any cut, order of axes and kernel', () => {
    const shape = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        shape,
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.nat(23),
        ([, ...rest], rows, kernel, order) => {
          const wide = kernel ? [[rest.reduce((a, b) => a * b, 1) * 6]].flat() : rest;
          const rank = kernel ? 4 : 1 + rest.length;
          const axes = Array.from({ length: rank }, (_, i) => i);
          const permutation = axes
            .map((a) => [(a * 7 + order) % (rank + 1), a] as const)
            .sort(([x], [y]) => x - y)
            .map(([, a]) => a);
          const r: RenameRule = {
            theirs: 't',
            ours: rows.map((_, i) => `o${i}`),
            transpose: permutation,
            ...(kernel ? { kernel: [2, 3] as const } : {}),
          };
          const ours = rows.map((n) => counted([n, ...wide]));
          const theirs = valuesToTheirs(r, ours);
          expect(theirs.shape).toEqual(
            shapeOfTheirs(
              r,
              ours.map((t) => t.shape),
            ),
          );
          expect(valuesToOurs(r, theirs, ours)).toEqual(ours);
        },
      ),
    );
  });
});
