import fc from 'fast-check';
import { expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { encode } from '../onnx/index.js';
import { add, div, mul, neg, reshape, sub, sum, transpose } from '../ops/index.js';
import {
  constant,
  type HostTensor,
  hostTensor,
  input,
  inputName,
  optimize,
  type Tensor,
  toposort,
  verify,
} from './index.js';

/** One step of a random program: which operation, on which of the values made so far. */
type Step = readonly [op: number, a: number, b: number, value: number];

const operations: ((a: Tensor, b: Tensor, value: number) => Tensor)[] = [
  (a, b) => add(a, b),
  (a, b) => sub(a, b),
  (a, b) => mul(a, b),
  (a) => neg(a),
  (a) => reshape(transpose(reshape(a, [2, 3])), [3, 2]),
  (a) => add(a, sum(a, { axes: 1, keepDims: true })),
  (a, _, value) => mul(a, value),
  // Constants of the full shape, and constant arithmetic to fold.
  (a, _, value) => sub(a, constant([value, 1, -1, 0, -0, value], 'float32', [3, 2])),
  (a, _, value) =>
    add(a, mul(constant([value, 2], 'float32', [2]), neg(constant([3], 'float32', [1])))),
  (a, _, value) => div(a, constant([value === 0 ? 1 : value], 'float32', [])),
];

function build(steps: readonly Step[], leaves: readonly Tensor[]): Tensor[] {
  const made = [...leaves];
  for (const [op, a, b, value] of steps) {
    made.push(
      operations[op % operations.length]!(made[a % made.length]!, made[b % made.length]!, value),
    );
  }
  return made.slice(leaves.length);
}

test('a random graph gives the same values optimised and not, in fewer or as many nodes', async () => {
  const engine = await testEngine();
  const { runtime } = engine;
  const leaves = ['x', 'y'].map((name) => input(name, 'float32', [3, 2]));
  const values: Record<string, HostTensor> = {
    x: hostTensor('float32', [3, 2], [1, -2, 3, 0.5, 0, -0.25]),
    y: hostTensor('float32', [3, 2], [2, 2, -1, 4, 1, 0]),
  };
  /** Runs the graph as it stands; the engine would optimise it first. */
  const run = async (outputs: readonly Tensor[]) => {
    const model = encode({ outputs: Object.fromEntries(outputs.map((t, i) => [`${i}`, t])) });
    const session = await runtime.load(model);
    const feeds: Record<string, Awaited<ReturnType<typeof runtime.upload>>> = {};
    for (const { name, onnxName } of model.inputs) {
      feeds[onnxName] = await runtime.upload(values[name]!);
    }
    const fetches = Object.fromEntries(model.outputs.map((o) => [o.onnxName, null]));
    const results = await session.run(feeds, fetches);
    const read = [];
    for (const { onnxName } of model.outputs) {
      read.push(Array.from((await runtime.download(results[onnxName]!)).data as Float32Array));
    }
    await session.release();
    return read;
  };
  const step = fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99), fc.integer({ min: -3, max: 3 }));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), async (steps) => {
      const outputs = build(steps, leaves);
      // The same program traced twice is one program.
      const both = [...outputs, ...build(steps, leaves)];
      const optimized = optimize(both);
      verify(optimized);
      for (const [i, t] of outputs.entries()) {
        expect(optimized[i], `output ${i}`).toBe(optimized[i + outputs.length]);
        expect([optimized[i]!.dtype, optimized[i]!.shape]).toEqual([t.dtype, t.shape]);
      }
      const before = toposort(outputs).length;
      expect(toposort(optimized).length).toBeLessThanOrEqual(before);
      expect(optimize(optimized), 'optimising again changes nothing').toEqual(optimized);
      const seen = (ts: readonly Tensor[]) =>
        toposort(ts)
          .flatMap((n) => inputName(n.outputs[0]!) ?? [])
          .sort();
      expect(seen(outputs)).toEqual(expect.arrayContaining(seen(optimized)));
      // Folding computes in double and rounds once, a kernel rounds each step: so close, not equal.
      const got = await run(optimized.slice(0, outputs.length));
      for (const [i, want] of (await run(outputs)).entries()) {
        for (const [j, w] of want.entries()) {
          const g = got[i]![j]!;
          if (Object.is(g, w) || g === w) continue;
          expect(Math.abs(g - w)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(w)));
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a transpose that moves only axes of length 1 is a reshape, and falls together with others', () => {
  const x = input('x', 'float32', [4, 1, 6]);
  const opsOf = (t: Tensor) => toposort(optimize([t])).map((node) => node.op.name);
  expect(opsOf(transpose(x, [1, 0, 2]))).toEqual(['input', 'reshape']);
  expect(opsOf(reshape(transpose(reshape(x, [4, 1, 6, 1]), [3, 0, 1, 2]), [24]))).toEqual([
    'input',
    'reshape',
  ]);
  expect(opsOf(transpose(x, [2, 1, 0]))).toEqual(['input', 'transpose']);
});
