import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import {
  constant,
  constantValue,
  hostTensor,
  input,
  optimize,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { concat, flip, pad, roll, slice, split, stack, tile, unstack } from './index.js';

describe('parts', () => {
  opContract('slice', ([x], args) => slice(x!, args));
  opContract('flip', ([x], { axes }) => flip(x!, axes));
  opContract('pad', ([x], { pads, mode, value }) => pad(x!, pads, { mode, value }));
});

describe('joining', () => {
  opContract('concat', (xs, { axis }) => concat(xs, axis));
  opContract('split', ([x], { sizes, axis }) => split(x!, sizes, axis));
  opContract('stack', (xs, { axis }) => stack(xs, axis));
  opContract('unstack', ([x], { axis }) => unstack(x!, axis));
  opContract('tile', ([x], { repeats }) => tile(x!, repeats));
  opContract('roll', ([x], { shifts, axes }) => roll(x!, shifts, axes));
});

/** What the host folds, which must be what ONNX Runtime computes. */
async function expectFoldEqualsRun(build: (x: Tensor) => Tensor, shape: readonly number[]) {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: size }, (_, i) => i + 1);
  const folded = constantValue(optimize([build(constant(values, 'int64', shape))])[0]!);
  expect(folded, 'folds to a constant').not.toBeNull();
  const x = input('x', 'int64', shape);
  const feeds = new Map([[x, hostTensor('int64', shape, values)]]);
  const [ran] = await (await testEngine()).evaluate([build(x)], feeds);
  expect(folded!.shape).toEqual(ran!.shape);
  expect(toNumbers(folded!)).toEqual(toNumbers(ran!));
}

describe('folding on the host', () => {
  test('slices of any bounds and steps', async () => {
    const bound = fc.integer({ min: -9, max: 9 });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 6 }),
        fc.integer({ min: 1, max: 3 }),
        bound,
        bound,
        fc.integer({ min: -3, max: 3 }).filter((s) => s !== 0),
        (n, m, start, end, step) =>
          expectFoldEqualsRun(
            (x) => slice(x, { starts: [start], ends: [end], steps: [step], axes: [0] }),
            [n, m],
          ),
      ),
      { numRuns: 60, seed: 1, examples: [[4, 2, -1, -9, -1]] },
    );
  });
  test('the movers', async () => {
    await expectFoldEqualsRun((x) => flip(x), [2, 3]);
    await expectFoldEqualsRun((x) => tile(x, [2, 3]), [2, 2]);
    await expectFoldEqualsRun(
      (x) =>
        pad(x, [
          [1, 0],
          [0, 2],
        ]),
      [2, 2],
    );
    await expectFoldEqualsRun((x) => concat([x, x, flip(x, 0)], 1), [2, 2]);
    await expectFoldEqualsRun((x) => split(x, [1, 2], 1)[1]!, [2, 3]);
  });
});

describe('mistakes', () => {
  const x = input('x', 'float32', [2, 3]);
  test('name what was wrong and what to do', () => {
    expect(() => slice(x, { starts: [0], ends: [1, 2] })).toThrow(/1, 2, 1, 1 entries/);
    expect(() => slice(x, { starts: [0], ends: [1], steps: [0] })).toThrow(/step of 0/);
    expect(() => slice(x, { starts: [0], ends: [1], axes: [2] })).toThrow(/axis 2 is out of range/);
    expect(() => pad(x, [[0, 0]])).toThrow(/each of its 2 axes/);
    expect(() =>
      pad(
        x,
        [
          [2, 0],
          [0, 0],
        ],
        { mode: 'reflect' },
      ),
    ).toThrow(/at most 1 elements/);
    expect(() => concat([])).toThrow(/empty/);
    expect(() => concat([x, input('y', 'float32', [3, 3])], 1)).toThrow(/all other axes/);
    expect(() => split(x, 2, 1)).toThrow(/2 equal parts/);
    expect(() => split(x, [1, 1], 1)).toThrow(/add up to 2/);
    expect(() => tile(x, [2])).toThrow(/one for each/);
    expect(() => roll(x, [1, 2], 0)).toThrow(/2 shifts for 1 axes/);
  });
});
