import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { ConfigError, GradientError, ShapeError } from '../errors.js';
import { hostTensor, input, print, type Tensor, toNumbers, toposort } from '../graph/index.js';
import {
  add,
  argmax,
  cast,
  matmul,
  mul,
  neg,
  relu,
  reshape,
  sub,
  sum,
  tanh,
  transpose,
  zerosLike,
} from '../ops/index.js';
import { grad, vjp } from './grad.js';

const x = () => input('x', 'float32', [3]);
const values = hostTensor('float32', [3], [0.5, -1, 2]);

async function numbers(t: Tensor, at: Tensor): Promise<number[]> {
  const [result] = await (await testEngine()).evaluate([t], new Map([[at, values]]));
  return toNumbers(result!);
}

describe('grad', () => {
  test('a tensor used on several paths gathers them all', async () => {
    const t = x();
    const y = add(mul(t, t), mul(t, 3)); // 2 x + 3
    expect(await numbers(grad(sum(y), [t])[0]!, t)).toEqual([4, 1, 7]);
  });

  test('orders go on: the fourth derivative of x^4 is 24', async () => {
    const t = x();
    let y: Tensor = mul(mul(t, t), mul(t, t));
    for (let order = 0; order < 4; order++) y = grad(sum(y), [t])[0]!;
    expect(await numbers(y, t)).toEqual([24, 24, 24]);
  });

  test('a gradient with respect to a tensor in the middle, and to what lies below it', async () => {
    const t = x();
    const middle = mul(t, 2);
    const loss = sum(mul(middle, middle));
    const [dMiddle, dt] = grad(loss, [middle, t]);
    expect(await numbers(dMiddle!, t)).toEqual([2, -4, 8]);
    expect(await numbers(dt!, t)).toEqual([4, -8, 16]);
  });

  test('a tensor between two reshapes, transposes or negations is not passed by', async () => {
    const t = x();
    for (const [middle, y] of [
      [reshape(t, [3, 1]), (m: Tensor) => reshape(m, [1, 3])],
      [transpose(reshape(t, [1, 3])), (m: Tensor) => transpose(m)],
      [neg(t), (m: Tensor) => neg(m)],
    ] as const) {
      const out = y(middle);
      const [d] = grad(sum(mul(out, out)), [middle]);
      expect((await numbers(d!, t)).map(Math.abs)).toEqual([1, 2, 4]);
    }
  });

  test('zeros where the loss does not depend on a tensor', async () => {
    const t = x();
    const other = input('other', 'float32', [2, 2]);
    const [d] = grad(sum(t), [other]);
    expect(d!.shape).toEqual([2, 2]);
    expect(toNumbers((await (await testEngine()).evaluate([d!]))[0]!)).toEqual([0, 0, 0, 0]);
  });

  test('nothing is built below the lowest parameter asked for', () => {
    const data = input('data', 'float32', [4, 8]);
    const frozen = input('frozen', 'float32', [8, 8]);
    const trained = input('trained', 'float32', [8, 2]);
    let h = data;
    for (let layer = 0; layer < 20; layer++) h = tanh(matmul(h, frozen));
    const y = matmul(h, trained);
    const loss = sum(mul(y, y));
    const forward = toposort([loss]).length;
    const [d] = grad(loss, [trained]);
    // dy = 2 y, the transpose of h and one product: the twenty layers below get no gradient.
    const added = toposort([loss, d!]).length - forward;
    expect(added, print([d!])).toBeLessThan(12);
    // The input is used by the gradient of `frozen`, so asking for that builds all of it.
    const [all] = grad(loss, [frozen]);
    expect(toposort([loss, all!]).length - forward).toBeGreaterThan(60);
  });

  test('a chain of 20,000 nodes does not exhaust the stack', () => {
    const t = x();
    let y: Tensor = t;
    for (let i = 0; i < 20_000; i++) y = sub(y, t);
    expect(grad(sum(y), [t])[0]!.shape).toEqual([3]);
  });

  test('an operation without gradient stops the walk or says why, as it is declared', async () => {
    const t = x();
    const picked = cast(argmax(t, 0), 'float32');
    expect(await numbers(grad(add(sum(picked), sum(t)), [t])[0]!, t)).toEqual([1, 1, 1]);
  });

  test('mistakes are named', () => {
    const t = x();
    expect(() => grad(t, [t])).toThrow(GradientError);
    expect(() => grad(t, [t])).toThrow(/float32\[3\].*sum or mean/s);
    expect(() => grad(sum(cast(t, 'int32')), [t])).toThrow(/floating-point/);
    expect(() => vjp([t], [], [t])).toThrow(ConfigError);
    expect(() => vjp([relu(t)], [zerosLike(sum(t))], [t])).toThrow(ShapeError);
  });
});
