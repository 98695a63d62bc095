import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { grad, vjp } from '../autodiff/index.js';
import { Engine } from '../engine/index.js';
import {
  constant,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { nodeRuntime } from '../runtime/ort-node.js';
import { bernoulliAt, bitsAt, foldKey, makeKey, normalAt, uniformAt } from '../util/index.js';
import {
  add,
  bernoulli,
  dropout,
  foldIn,
  maskScale,
  mul,
  randomBits,
  randomKey,
  randomNormal,
  randomUniform,
  sum,
} from './index.js';

const key = input('key', 'int32', [2]);
const keyFeed = (seed: number, step: number): [Tensor, HostTensor] => [
  key,
  hostTensor('int32', [2], Int32Array.from(makeKey(seed, step))),
];

async function evaluate(y: Tensor, ...feeds: [Tensor, HostTensor][]): Promise<number[]> {
  const engine = await testEngine();
  return toNumbers((await engine.evaluate([y], new Map(feeds)))[0]!);
}

const indices = (n: number) => Array.from({ length: n }, (_, i) => i);

opContract('maskScale', ([x, keep], { scale }) => maskScale(x!, keep!, scale));

describe("draws are the host's, bit for bit", () => {
  // One row, part of a row, whole rows, a ragged last row, a scalar.
  test.each([[[7]], [[1024]], [[3, 1024]], [[5, 7, 61]], [[]]])('of shape %j', async (shape) => {
    const n = shape.reduce((a, b) => a * b, 1);
    const feed = keyFeed(42, 3);
    const k = makeKey(42, 3);
    expect(await evaluate(randomBits(key, shape), feed)).toEqual(
      indices(n).map((i) => bitsAt(k, i)),
    );
    expect(await evaluate(randomUniform(key, shape), feed)).toEqual(
      indices(n).map((i) => uniformAt(k, i)),
    );
    expect(await evaluate(bernoulli(key, 0.3, shape), feed)).toEqual(
      indices(n).map((i) => Number(bernoulliAt(k, i, 0.3))),
    );
  });

  test('for any key and shape', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer(),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
        async (a, b, shape) => {
          const bits = await evaluate(randomBits(constant([a, b], 'int32', [2]), shape));
          expect(bits).toEqual(bits.map((_, i) => bitsAt([a, b], i)));
        },
      ),
      { numRuns: 25, seed: 1 },
    );
  });

  test('normal numbers agree to the precision of float32', async () => {
    const got = await evaluate(randomNormal(key, [2000], { mean: 3, std: 2 }), keyFeed(1, 2));
    const k = makeKey(1, 2);
    for (const [i, v] of got.entries()) expect(v).toBeCloseTo(3 + 2 * normalAt(k, i), 4);
  });

  test('uniform numbers are scaled, and exact in every type', async () => {
    const k = makeKey(5, 6);
    const scaled = await evaluate(randomUniform(key, [100], { low: -1, high: 3 }), keyFeed(5, 6));
    const f = Math.fround;
    expect(scaled).toEqual(indices(100).map((i) => f(f(uniformAt(k, i) * 4) - 1)));
    const double = randomUniform(key, [100], { dtype: 'float64' });
    expect(await evaluate(double, keyFeed(5, 6))).toEqual(indices(100).map((i) => uniformAt(k, i)));
    const half = await evaluate(randomUniform(key, [4000], { dtype: 'float16' }), keyFeed(5, 6));
    expect(half).toEqual(indices(4000).map((i) => Math.floor(uniformAt(k, i) * 2048) / 2048));
  });
});

describe('keys', () => {
  test("folded in the graph are the host's", async () => {
    const data = input('data', 'int32', []);
    for (const [seed, step] of [
      [0, 0],
      [-5, 7],
      [2 ** 31 - 1, 2 ** 31 - 1],
    ] as const) {
      const want = [...foldKey(foldKey(makeKey(seed, step), 9), 'site')];
      const feed: [Tensor, HostTensor] = [data, hostTensor('int32', [], [step])];
      const seedIn = input('seed', 'int32', []);
      const fed = foldIn(foldIn(randomKey(seedIn, data), 9), 'site');
      expect(await evaluate(fed, feed, [seedIn, hostTensor('int32', [], [seed])])).toEqual(want);
      expect(await evaluate(foldIn(foldIn(randomKey(seed, data), 9), 'site'), feed)).toEqual(want);
      expect(await evaluate(foldIn(foldIn(randomKey(seed, step), 9), 'site'))).toEqual(want);
    }
  });

  test('of another type or shape are refused', () => {
    expect(() => randomBits(input('k', 'int64', [2]), [3])).toThrow(/int32/);
    expect(() => randomBits(input('k', 'int32', [3]), [3])).toThrow(/randomKey/);
    expect(() => foldIn(key, input('d', 'float32', []))).toThrow(/int32/);
  });
});

test('one thread and two draw the same', async () => {
  const two = new Engine(await nodeRuntime({ threads: 2 }));
  const one = await testEngine();
  const y = randomUniform(key, [300, 1000]);
  const feeds = new Map([keyFeed(8, 9)]);
  const [a] = await one.evaluate([y], feeds);
  const [b] = await two.evaluate([y], feeds);
  expect(Buffer.from(a!.data.buffer).equals(Buffer.from(b!.data.buffer))).toBe(true);
});

describe('bernoulli', () => {
  test('takes a tensor of chances', async () => {
    const p = constant([0, 0.25, 1], 'float32', [3]);
    const got = await evaluate(bernoulli(key, p, [500, 3]), keyFeed(3, 4));
    const k = makeKey(3, 4);
    expect(got).toEqual(indices(1500).map((i) => Number(uniformAt(k, i) < [0, 0.25, 1][i % 3]!)));
    expect(() => bernoulli(key, p, [4])).toThrow(/broadcast/);
  });

  test('with chance 1 is true and with chance 0 false everywhere', async () => {
    expect(await evaluate(bernoulli(key, 1, [4]))).toEqual([1, 1, 1, 1]);
    expect(await evaluate(bernoulli(key, 0, [4]), keyFeed(1, 1))).toEqual([0, 0, 0, 0]);
    expect(() => bernoulli(key, 1.5, [4])).toThrow(/between 0 and 1/);
  });
});

describe('dropout', () => {
  const x = input('x', 'float32', [60, 50]);
  const values = hostTensor(
    'float32',
    [60, 50],
    indices(3000).map((i) => 1 + (i % 17)),
  );

  test("drops what the host's hash says and keeps the expectation", async () => {
    const y = await evaluate(dropout(x, 0.4, key), [x, values], keyFeed(2, 2));
    const k = makeKey(2, 2);
    let kept = 0;
    for (const [i, v] of y.entries()) {
      const keep = bernoulliAt(k, i, 0.6);
      if (keep) kept++;
      expect(v).toBeCloseTo(keep ? Number(values.data[i]) / 0.6 : 0, 4);
    }
    expect(Math.abs(kept - 1800)).toBeLessThan(4 * Math.sqrt(3000 * 0.24));
  });

  test('uses the mask of the forward pass in the gradient and in the second order', async () => {
    const engine = await testEngine();
    const y = dropout(x, 0.4, key);
    const [dx] = grad(sum(mul(y, y)), [x]);
    const v = input('v', 'float32', [60, 50]);
    const [again] = vjp([dx!], [v], [x]);
    const feeds = new Map([[x, values], [v, values], keyFeed(2, 2)]);
    const [a, b, c] = (await engine.evaluate([y, dx!, again!], feeds)).map(toNumbers);
    for (const [i, out] of a!.entries()) {
      // y = m x, d(y^2) = 2 m y, and that again along v is 2 m^2 v, which here is 2 m y.
      expect(b![i]).toBeCloseTo((out === 0 ? 0 : 2 / 0.6) * out, 3);
      expect(c![i]).toBeCloseTo((out === 0 ? 0 : 2 / 0.6) * out, 3);
    }
  });

  test('draws one mask a key, another for another key, in one program', async () => {
    const engine = await testEngine();
    const program = await engine.program({
      y: dropout(x, 0.5, key),
      z: dropout(x, 0.5, foldIn(key, 1)),
    });
    const run = async (step: number) => {
      const out = await program.run({ x: values, key: keyFeed(1, step)[1] });
      const [y, z] = await Promise.all([out.y!, out.z!].map((t) => engine.runtime.download(t)));
      return [toNumbers(y!).join(), toNumbers(z!).join()];
    };
    const first = await run(1);
    expect(await run(1)).toEqual(first);
    const second = await run(2);
    expect(new Set([...first, ...second]).size).toBe(4);
  });

  test('with a noise shape drops whole rows', async () => {
    const y = await evaluate(dropout(x, 0.5, key, [60, 1]), [x, values], keyFeed(4, 4));
    for (let r = 0; r < 60; r++) {
      const row = y.slice(r * 50, r * 50 + 50);
      expect(new Set(row.map((v) => v === 0)).size).toBe(1);
    }
    expect(new Set(indices(60).map((r) => y[r * 50] === 0)).size).toBe(2);
  });

  test('at rate 0 is the input itself, at rate 1 zero, and refuses anything beyond', async () => {
    expect(dropout(x, 0, key)).toBe(x);
    expect(new Set(await evaluate(add(dropout(x, 1, key), 0)))).toEqual(new Set([0]));
    expect(() => dropout(x, -0.1, key)).toThrow(/between 0 and 1/);
    expect(() => dropout(input('i', 'int32', [2]), 0.1, key)).toThrow(/floating-point/);
  });
});
