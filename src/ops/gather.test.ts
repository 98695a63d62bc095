import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { Engine } from '../engine/index.js';
import { constant, constantValue, hostTensor, input, optimize, toNumbers } from '../graph/index.js';
import { nodeRuntime } from '../runtime/ort-node.js';
import {
  embedding,
  gather,
  gatherElements,
  gatherND,
  indexAdd,
  mul,
  pickAlong,
  scatterAdd,
  scatterElements,
  scatterND,
  sum,
} from './index.js';

describe('slices by index', () => {
  opContract('gather', ([x, i], { axis }) => gather(x!, i!, axis));
  opContract('indexAdd', ([i, u], { size, axis }) => indexAdd(i!, u!, size, axis));
  opContract('embedding', ([table, ids]) => embedding(table!, ids!));
});

describe('elements and tuples by index', () => {
  opContract('gatherElements', ([x, i], { axis }) => gatherElements(x!, i!, axis));
  opContract('scatterAdd', ([x, i, u], { axis }) => scatterAdd(x!, i!, u!, axis));
  opContract('scatterElements', ([x, i, u], { axis }) => scatterElements(x!, i!, u!, axis));
  opContract('gatherND', ([x, i], args) => gatherND(x!, i!, args));
  opContract('scatterND', ([x, i, u], args) => scatterND(x!, i!, u!, args));
  opContract('pickAlong', ([x, i], { axis }) => pickAlong(x!, i!, axis));
});

describe('gather and indexAdd', () => {
  // <gather(x, i), u> = <x, indexAdd(i, u)>: each is the other's transpose. Integers keep it exact.
  test('are dual for any shape, axis and indices', async () => {
    const engine = await testEngine();
    const length = fc.integer({ min: 1, max: 4 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(length, { minLength: 1, maxLength: 3 }),
        fc.nat(2),
        fc.constantFrom(3, 530),
        fc.array(fc.integer({ min: -3, max: 2 }), { minLength: 1, maxLength: 6 }),
        async (shape, at, rows, indices) => {
          const axis = at % shape.length;
          const full = shape.with(axis, rows);
          const whole = (s: readonly number[], step: number) => {
            const size = s.reduce((a, b) => a * b, 1);
            return constant(
              Array.from({ length: size }, (_, i) => ((i * step) % 7) - 3),
              'float32',
              s,
            );
          };
          const x = whole(full, 3);
          const i = constant(indices, 'int64', [indices.length]);
          const u = whole(full.with(axis, indices.length), 5);
          const left = sum(mul(gather(x, i, axis), u));
          const right = sum(mul(x, indexAdd(i, u, rows, axis)));
          const [a, b] = await engine.evaluate([left, right]);
          expect(Math.abs(toNumbers(a!)[0]! - toNumbers(b!)[0]!)).toBe(0);
        },
      ),
      { numRuns: 40, seed: 3 },
    );
  });
});

describe('repeated indices', () => {
  // Two threads and enough updates to spread over them, were the operation one that does.
  test.each([
    [3000, 4],
    [3000, 600],
    [3000, 5000],
    [700, 5000],
  ])('%i of them all add up in a table of %i rows', async (count, rows) => {
    const engine = new Engine(await nodeRuntime({ threads: 2 }));
    const ids = input('ids', 'int64', [count]);
    const updates = input('updates', 'float32', [count, 64]);
    const target = rows - 1;
    const feeds = new Map([
      [ids, hostTensor('int64', [count], new Array(count).fill(target))],
      [updates, hostTensor('float32', [count, 64], new Array(count * 64).fill(1))],
    ]);
    const [y] = await engine.evaluate([indexAdd(ids, updates, rows)], feeds);
    const want = new Array(rows * 64).fill(0).fill(count, target * 64);
    expect(toNumbers(y!)).toEqual(want);
  });
});

describe('folding', () => {
  const table = constant([10, 20, 30, 40, 50, 60], 'int64', [3, 2]);
  const folded = (i: readonly number[], shape: readonly number[], axis: number) =>
    constantValue(optimize([gather(table, constant(i, 'int64', shape), axis)])[0]!);
  test('picks on the host what ONNX Runtime would', () => {
    expect(toNumbers(folded([2, -3], [2], 0)!)).toEqual([50, 60, 10, 20]);
    expect(toNumbers(folded([1, 0, -1, 1], [2, 2], 1)!)).toEqual([
      20, 10, 20, 20, 40, 30, 40, 40, 60, 50, 60, 60,
    ]);
    expect(folded([1], [], 0)).toMatchObject({ shape: [2] });
  });
  test('leaves an index out of range to the run, which reports it', async () => {
    expect(folded([3], [1], 0)).toBeNull();
    const y = gather(table, constant([3], 'int64', [1]));
    await expect((await testEngine()).evaluate([y])).rejects.toThrow(/out of data bounds, idx=3/);
  });
});

describe('mistakes', () => {
  const x = input('x', 'float32', [3, 4]);
  const i = input('i', 'int64', [2, 2]);
  test('name the tensors and what to do', () => {
    expect(() => gather(x, x)).toThrow(/expected int64 or int32, got float32\[3,4\]/);
    expect(() => gather(x, i, 2)).toThrow(/axis 2 is out of range/);
    expect(() => embedding(input('t', 'float32', [3]), i)).toThrow(/\[vocabulary, dim\]/);
    expect(() => indexAdd(i, x, 3)).toThrow(/must have the axes of indices/);
    expect(() => gatherElements(x, input('j', 'int64', [2]))).toThrow(/do not fit/);
    expect(() => scatterAdd(x, i, x)).toThrow(/must have the shape of indices/);
    expect(() => gatherND(x, input('j', 'int64', [2, 3]))).toThrow(/do not fit/);
    expect(() => scatterND(x, i, x)).toThrow(/need \[2\]/);
  });
});
