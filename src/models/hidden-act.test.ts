/** Every activation that `hidden_act` may name has the values and the slopes of transformers' ACT2FN. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { vjp } from '../autodiff/index.js';
import { constantOf, filled, hostTensor, input } from '../graph/index.js';
import { HIDDEN_ACTS, hiddenAct } from './hidden-act.js';

const golden: {
  readonly x: number[];
  readonly acts: Readonly<Record<string, { readonly y: number[]; readonly slope: number[] }>>;
} = JSON.parse(readFileSync(new URL('../../test/golden/hidden-act.json', import.meta.url), 'utf8'));

test('values and slopes of all names', async () => {
  expect([...HIDDEN_ACTS].sort()).toEqual(Object.keys(golden.acts).sort());
  const shape = [golden.x.length];
  const x = input('x', 'float32', shape);
  const ys = HIDDEN_ACTS.map((name) => hiddenAct(name)(x));
  const ones = constantOf(filled('float32', shape, 1));
  const slopes = ys.map((y) => vjp([y], [ones], [x])[0]!);
  const feeds = new Map([[x, hostTensor('float32', shape, golden.x)]]);
  const got = await (await testEngine()).evaluate([...ys, ...slopes], feeds);
  for (const [i, name] of HIDDEN_ACTS.entries()) {
    const { y, slope } = golden.acts[name]!;
    const close = { rtol: 2e-5, atol: 1e-6 };
    expectClose(name, got[i]!, { shape, data: y }, close);
    expectClose(`${name} slope`, got[HIDDEN_ACTS.length + i]!, { shape, data: slope }, close);
  }
});
