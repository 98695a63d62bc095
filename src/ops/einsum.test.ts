import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { hostTensor, input } from '../graph/index.js';
import { einsum } from './index.js';

opContract('einsum', (xs, { equation }) => einsum(equation, ...xs));

/** The definition: a loop over all labels. */
function naive(
  terms: readonly string[],
  output: string,
  size: ReadonlyMap<string, number>,
  values: readonly (readonly number[])[],
) {
  const labels = [...size.keys()];
  const shape = [...output].map((l) => size.get(l)!);
  const data = new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0);
  const at = new Map<string, number>();
  const offset = (term: string) =>
    [...term].reduce((n, label) => n * size.get(label)! + at.get(label)!, 0);
  const loop = (depth: number) => {
    if (depth === labels.length) {
      const product = terms.reduce((p, term, i) => p * values[i]![offset(term)]!, 1);
      data[offset(output)] = data[offset(output)]! + product;
      return;
    }
    for (let i = 0; i < size.get(labels[depth]!)!; i++) {
      at.set(labels[depth]!, i);
      loop(depth + 1);
    }
  };
  loop(0);
  return { shape, data };
}

describe('any equation', () => {
  const term = fc.stringMatching(/^[abcd]{0,3}$/);
  const cases = fc
    .tuple(
      fc.array(term, { minLength: 1, maxLength: 3 }),
      fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 }),
      fc.infiniteStream(fc.nat()),
    )
    .map(([terms, lengths, random]) => {
      const used = [...new Set(terms.join(''))];
      const size = new Map(used.map((l) => [l, lengths['abcd'.indexOf(l)]!]));
      const next = () => random.next().value!;
      const output = used.filter(() => next() % 2 === 0);
      if (next() % 2 === 0) output.reverse();
      return { terms, size, output: output.join('') };
    });
  test('is the loop that defines it', async () => {
    const engine = await testEngine();
    await fc.assert(
      fc.asyncProperty(cases, async ({ terms, size, output }) => {
        const shapes = terms.map((t) => [...t].map((l) => size.get(l)!));
        const values = shapes.map((s, k) =>
          Array.from({ length: s.reduce((a, b) => a * b, 1) }, (_, i) => ((i * 7 + k) % 5) - 2),
        );
        const xs = shapes.map((s, i) => input(`x${i}`, 'float32', s));
        const y = einsum(`${terms.join(',')}->${output}`, ...xs);
        const feeds = new Map(xs.map((x, i) => [x, hostTensor('float32', x.shape, values[i]!)]));
        const want = naive(terms, output, size, values);
        expect(y.shape).toEqual(want.shape);
        const [got] = await engine.evaluate([y], feeds);
        // Small integers: sums are exact.
        expectClose('einsum', got!, want, { rtol: 0, atol: 0.5 });
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});

describe('mistakes', () => {
  const a = input('a', 'float32', [2, 3]);
  const b = input('b', 'float32', [4, 5]);
  test('name the label', () => {
    expect(() => einsum('ij,jk->ik', a, b)).toThrow(/label 'j' is 3 long in one place and 4/);
    expect(() => einsum('ij,kl->im', a, b)).toThrow(/output label 'm' is in no input/);
    expect(() => einsum('ij->ii', a)).toThrow(/output label 'i' is there twice/);
    expect(() => einsum('ijk->i', a)).toThrow(/names 3 axes but tensor 0 is float32\[2,3\]/);
    expect(() => einsum('...ijk->i', a)).toThrow(/names 3 axes/);
    expect(() => einsum('ij', a, b)).toThrow(/1 terms for 2 tensors/);
    expect(() => einsum('i1->i', a)).toThrow(/letters and one '...'/);
    expect(() => einsum('...i,...j->...ij', a, b)).toThrow(/an axis of '...' is 2 long/);
  });
});
