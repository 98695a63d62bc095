import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { vjp } from '../autodiff/index.js';
import { hostTensor, input, optimize, print, type Tensor, verify } from '../graph/index.js';
import * as ops from '../ops/index.js';
import { tiledCount, tileElementwise, tileFor } from './tiles.js';

const size = 64;
/** Tiles of one element, so that a tensor of 64 counts as one that no cache holds. */
const tiles = { tile: 1 };

/** Values that differ from element to element, so that a tile out of place is seen. */
function values(shape: readonly number[], seed: number) {
  const data = Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) =>
    Math.sin(1 + i * 0.7 + seed * 1.3),
  );
  return hostTensor('float32', shape, data);
}

/** Evaluates the graph as it is and tiled; both must give the same bits. */
async function agree(outputs: Tensor[], inputs: readonly Tensor[]): Promise<number> {
  const tiled = tileElementwise(optimize(outputs), tiles);
  verify(tiled);
  const feeds = new Map(inputs.map((t, i) => [t, values(t.shape, i)] as const));
  const engine = await testEngine();
  const plain = await engine.evaluate(outputs, feeds);
  const got = await engine.evaluate(tiled, feeds);
  expect(got.map((t) => [t.dtype, t.shape])).toEqual(plain.map((t) => [t.dtype, t.shape]));
  expect(got.map((t) => [...t.data])).toEqual(plain.map((t) => [...t.data]));
  return tiledCount(tiled);
}

const x = input('x', 'float32', [4, 16]);
const y = input('y', 'float32', [4, 16]);
const s = input('s', 'float32', [1, 1]);
const row = input('row', 'float32', [16]);

describe('tiles', () => {
  test('a chain becomes one node and gives the same bits', async () => {
    const chain = ops.mul(ops.add(ops.mul(x, y), 1), ops.exp(x));
    expect(await agree([chain], [x, y])).toBe(1);
  });

  test('scalars of any rank are captured, fed ones too', async () => {
    const chain = ops.sub(ops.mul(ops.mul(x, s), 0.5), ops.expand(s, [4, 16]));
    expect(await agree([chain], [x, s])).toBe(1);
  });

  test('comparisons and choices stay inside', async () => {
    const chain = ops.where(ops.greater(x, y), ops.mul(x, 2), ops.cast(ops.less(y, 0), 'float32'));
    expect(await agree([chain], [x, y])).toBe(1);
  });

  test('a value read from outside ends a chain', async () => {
    const inner = ops.mul(ops.add(ops.mul(x, y), 1), y);
    const outer = ops.mul(ops.sub(ops.mul(inner, x), 3), ops.sum(inner));
    const count = await agree([outer], [x, y]);
    expect(count).toBe(2);
    expect(await agree([outer, inner], [x, y])).toBe(2);
  });

  test('rows that broadcast, and chains of two, are left alone', async () => {
    expect(await agree([ops.mul(ops.add(x, row), row)], [x, row])).toBe(0);
    expect(await agree([ops.relu(ops.add(x, y))], [x, y])).toBe(0);
  });

  test('a size without a useful divisor is left alone', () => {
    const prime = input('p', 'float32', [67]);
    const chain = ops.exp(ops.sin(ops.cos(ops.exp(ops.sin(prime)))));
    expect(tileElementwise([chain], { tile: 8 })[0]).toBe(chain);
  });

  test('what a cache may hold needs a longer chain', () => {
    const short = ops.exp(ops.sin(ops.cos(x)));
    expect(tiledCount(tileElementwise([short], { tile: 4 }))).toBe(0);
    const long = ops.exp(ops.sin(short));
    expect(tiledCount(tileElementwise([long], { tile: 4 }))).toBe(1);
    expect(tiledCount(tileElementwise([long], { tile: 8 }))).toBe(0);
  });

  test('the engine tiles large tensors', async () => {
    const shape = [2048, 1024];
    const [a, b] = [input('a', 'float32', shape), input('b', 'float32', shape)];
    const [dx] = vjp([ops.gelu(a)], [b], [a]);
    expect(tiledCount(tileElementwise([dx!], { tile: tileFor(1) }))).toBe(1);
    const feeds = new Map([a, b].map((t, i) => [t, values(shape, i)] as const));
    const [got] = await (await testEngine()).evaluate([dx!], feeds);
    // Rows on their own are too small for tiles: they are the reference.
    const small = [input('a', 'float32', [1024]), input('b', 'float32', [1024])] as const;
    const [dRow] = vjp([ops.gelu(small[0])], [small[1]], [small[0]]);
    for (const row of [0, 511, 2047]) {
      const cut = (i: number) =>
        hostTensor('float32', [1024], values(shape, i).data.slice(row * 1024, (row + 1) * 1024));
      const rowFeeds = new Map(small.map((t, i) => [t, cut(i)] as const));
      const [want] = await (await testEngine()).evaluate([dRow!], rowFeeds);
      expect([...got!.data.slice(row * 1024, (row + 1) * 1024)]).toEqual([...want!.data]);
    }
  });

  test('a large variable is updated in place, tile by tile', async () => {
    const shape = [2048, 1024];
    const [a, b] = [input('a', 'float32', shape), input('b', 'float32', shape)];
    // Reads the old value at both ends of the chain.
    const next = ops.sub(ops.mul(a, 0.5), ops.mul(ops.div(b, ops.add(ops.square(a), 1)), 0.1));
    expect(tiledCount(tileElementwise([next], { tile: tileFor(1) }))).toBe(1);
    const engine = await testEngine();
    const [before, gradient] = [values(shape, 0), values(shape, 1)];
    const feeds = new Map([
      [a, before],
      [b, gradient],
    ]);
    const [want] = await engine.evaluate([next], feeds);
    const program = await engine.program({ next });
    const state = await engine.runtime.upload({ ...before, data: before.data.slice() });
    await program.run({ a: state, b: gradient }, { next: state });
    const got = await engine.runtime.download(state);
    expect(Buffer.compare(Buffer.from(got.data.buffer), Buffer.from(want!.data.buffer))).toBe(0);
  });

  test('the backward pass of gelu is one node, product included', async () => {
    const dy = input('dy', 'float32', [4, 16]);
    const [dx] = vjp([ops.gelu(x)], [dy], [x]);
    expect(await agree([dx!], [x, dy])).toBe(1);
    expect(print(tileElementwise([dx!], tiles))).toMatch(/tiled/);
  });

  test('random graphs', async () => {
    const steps = fc.array(fc.tuple(fc.nat(5), fc.nat(20), fc.nat(20)), {
      minLength: 3,
      maxLength: 14,
    });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(20), async (list, kept) => {
        const made: Tensor[] = [x, y, s];
        for (const [kind, i, j] of list) {
          const [a, b] = [made[i % made.length]!, made[j % made.length]!];
          const next = [
            () => ops.add(a, b),
            () => ops.mul(a, b),
            () => ops.tanh(a),
            () => ops.maximum(a, b),
            () => ops.sum(a, { axes: [0, 1], keepDims: true }),
            () => ops.sub(ops.sigmoid(a), 0.25),
          ][kind]!();
          made.push(next);
        }
        const outputs = [made.at(-1)!, made[kept % made.length]!].filter((t) => t.size === size);
        if (outputs.length > 0) await agree(outputs, [x, y, s]);
      }),
      { numRuns: 40 },
    );
  });
});
