import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { grad } from '../autodiff/index.js';
import { hostTensor, input, scalar, toNumbers } from '../graph/index.js';
import { add, customGradient, mul, reverseGradient, stopGradient, sum } from './index.js';

const skipDifferences = 'the gradient is by design not the derivative of the value';

opContract('stopGradient', ([x]) => add(mul(stopGradient(mul(x!, x!)), x!), x!), {
  skipDifferences,
});
opContract('reverseGradient', ([x], { lambda }) => mul(reverseGradient(mul(x!, x!), lambda), x!), {
  skipDifferences,
});
opContract(
  'customGradient',
  ([x, y]) => {
    const cube = customGradient(
      (a, b) => [mul(mul(a!, a!), a!), mul(a!, b!)],
      ({ inputs: [a, b], dys: [da, db] }) => [
        mul(2, add(mul(mul(3, mul(a!, a!)), da!), mul(b!, db!))),
        mul(mul(3, a!), db!),
      ],
    );
    return cube(x!, y!).map((t) => mul(t, 1.5));
  },
  { skipDifferences },
);

describe('control operations', () => {
  const x = input('x', 'float32', [3]);
  const values = hostTensor('float32', [3], [1, 2, 3]);

  test('results are fetched beside what they stand for', async () => {
    const engine = await testEngine();
    const y = mul(x, 2);
    const out = await engine.evaluate(
      [y, stopGradient(y), reverseGradient(y), stopGradient(x), x, y],
      new Map([[x, values]]),
    );
    expect(out.map(toNumbers)).toEqual([
      [2, 4, 6],
      [2, 4, 6],
      [2, 4, 6],
      [1, 2, 3],
      [1, 2, 3],
      [2, 4, 6],
    ]);
  });

  test('lambda may change from run to run without a gradient of its own', async () => {
    const engine = await testEngine();
    const lambda = input('lambda', 'float32', []);
    const [dx, dl] = grad(sum(reverseGradient(mul(x, x), lambda)), [x, lambda]);
    for (const l of [0, 0.5, 2]) {
      const feeds = new Map([
        [x, values],
        [lambda, hostTensor('float32', [], [l])],
      ]);
      const got = await engine.evaluate([dx!], feeds);
      expect(toNumbers(got[0]!)).toEqual([1, 2, 3].map((v) => -2 * l * v));
    }
    expect(toNumbers((await engine.evaluate([dl!]))[0]!)).toEqual([0]);
  });

  test('a rule sees zeros for results that the loss does not use', async () => {
    const engine = await testEngine();
    const two = customGradient(
      (a) => [mul(a!, 3), mul(a!, 5)],
      ({ dys: [da, db] }) => [add(da!, db!)],
    );
    const [dx] = grad(sum(two(x)[1]!), [x]);
    const got = await engine.evaluate([dx!]);
    expect(toNumbers(got[0]!)).toEqual([1, 1, 1]);
  });

  test('mistakes are named', () => {
    expect(() => reverseGradient(x, input('l', 'float32', [3]))).toThrow(/lambda must have 0 axes/);
    expect(() => reverseGradient(input('i', 'int32', [3]))).toThrow(/floating-point/);
    expect(() => reverseGradient(x, scalar(1, 'float64'))).toThrow(/same/);
    const wrong = customGradient(
      (a, b) => mul(a!, b!),
      ({ dys: [dy] }) => [dy!],
    );
    expect(() => grad(sum(wrong(x, x)), [x])).toThrow(/1 gradients for 2 inputs/);
  });
});
