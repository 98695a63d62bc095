/** Operations that compute in every number type, also where ONNX Runtime has no kernel of its own. */
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { type DType, hostTensor, input, type Tensor, toNumbers } from '../graph/index.js';
import * as ops from './index.js';

const integers: DType[] = ['int64', 'int32', 'int16', 'int8', 'uint32', 'uint16', 'uint8'];
const numbers: DType[] = ['float32', 'float64', 'float16', ...integers];

interface Case {
  readonly build: (x: Tensor, y: Tensor) => Tensor;
  readonly want: readonly number[];
  readonly dtypes?: readonly DType[];
}

const x = [7, 3, 9, 1, 9, 4];
const y = [2, 3, 5, 4, 9, 1];

const cases: Record<string, Case> = {
  add: { build: ops.add, want: [9, 6, 14, 5, 18, 5] },
  mul: { build: ops.mul, want: [14, 9, 45, 4, 81, 4] },
  minimum: { build: ops.minimum, want: [2, 3, 5, 1, 9, 1] },
  maximum: { build: ops.maximum, want: [7, 3, 9, 4, 9, 4] },
  mod: { build: (a, b) => ops.mod(a, b), want: [1, 0, 4, 1, 0, 0] },
  div: { build: ops.div, want: [3, 1, 1, 0, 1, 4], dtypes: integers },
  pow: { build: ops.pow, want: [49, 27, 59049, 1, 387420489, 4], dtypes: ['int64', 'int32'] },
  less: { build: ops.less, want: [0, 0, 0, 1, 0, 0] },
  equal: { build: ops.equal, want: [0, 1, 0, 0, 1, 0] },
  where: { build: (a, b) => ops.where(ops.greater(a, b), a, b), want: [7, 3, 9, 4, 9, 4] },
  clip: { build: (a) => ops.clip(a, { min: 3, max: 7 }), want: [7, 3, 7, 3, 7, 4] },
  abs: { build: (a) => ops.abs(a), want: x },
  sign: { build: (a) => ops.sign(a), want: [1, 1, 1, 1, 1, 1] },
  square: { build: (a) => ops.square(a), want: [49, 9, 81, 1, 81, 16] },
  sum: { build: (a) => ops.sum(a), want: [33] },
  max: { build: (a) => ops.max(a), want: [9] },
  min: { build: (a) => ops.min(a), want: [1] },
  prod: { build: (a) => ops.prod(ops.clip(a, { max: 2 })), want: [32] },
  cumsum: { build: (a) => ops.cumsum(a, 0), want: [7, 10, 19, 20, 29, 33] },
  argmax: { build: (a) => ops.argmax(a, 0), want: [2] },
  argmin: { build: (a) => ops.argmin(a, 0), want: [3] },
  topK: { build: (a) => ops.topK(a, 3).values, want: [9, 9, 7] },
};

describe('every number type', () => {
  for (const [name, { build, want, dtypes = numbers }] of Object.entries(cases)) {
    test.each(dtypes)(`${name} of %s`, async (dtype) => {
      const a = input('a', dtype, [6]);
      const b = input('b', dtype, [6]);
      const result = build(a, b);
      const feeds = new Map([
        [a, hostTensor(dtype, [6], x)],
        [b, hostTensor(dtype, [6], y)],
      ]);
      const [got] = await (await testEngine()).evaluate([result], feeds);
      expect(got!.dtype).toBe(result.dtype);
      expect(toNumbers(got!)).toEqual(want);
    });
  }

  test.each(['uint32', 'uint16', 'uint8'] as const)(
    'large %s are not taken for negative',
    async (dtype) => {
      const large = { uint32: 2 ** 32 - 2, uint16: 2 ** 16 - 2, uint8: 2 ** 8 - 2 }[dtype];
      const a = input('a', dtype, [3]);
      const feeds = new Map([[a, hostTensor(dtype, [3], [1, large, 5])]]);
      const outputs = [ops.max(a), ops.maximum(a, 7), ops.argmax(a, 0), ops.clip(a, { min: 3 })];
      const got = await (await testEngine()).evaluate(outputs, feeds);
      expect(got.map(toNumbers)).toEqual([[large], [7, large, 7], [1], [3, large, 5]]);
    },
  );

  test.each(['float64', 'float16'] as const)('x sigmoid(x) of %s', async (dtype) => {
    const a = input('a', dtype, [2]);
    const product = ops.mul(a, ops.sigmoid(a));
    const feeds = new Map([[a, hostTensor(dtype, [2], [0, 1])]]);
    const [got, fused] = await (await testEngine()).evaluate([product, ops.silu(a)], feeds);
    expect(toNumbers(got!)[1]).toBeCloseTo(0.7310585786, dtype === 'float64' ? 9 : 3);
    expect(toNumbers(fused!)[1]).toBeCloseTo(0.7310585786, dtype === 'float64' ? 9 : 3);
  });

  test('bool is refused where arithmetic is meant', () => {
    const b = input('b', 'bool', [2]);
    expect(() => ops.sum(b)).toThrow(/sum: expected numbers, got bool\[2\]. Cast it/);
    expect(() => ops.prod(b)).toThrow(/prod: expected numbers/);
    expect(() => ops.cumsum(b, 0)).toThrow(/cumsum: expected numbers/);
  });
});
