import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { constant, input, type Tensor } from '../graph/index.js';
import * as ops from './index.js';

const reductions: Record<string, (x: Tensor, options: ops.ReduceOptions) => Tensor> = {
  reduceMean: ops.mean,
  reduceMax: ops.max,
  reduceMin: ops.min,
  reduceProd: ops.prod,
  reduceSumSquare: ops.sumSquare,
  variance: ops.variance,
  standardDeviation: ops.standardDeviation,
};

describe('reductions', () => {
  for (const [name, fn] of Object.entries(reductions)) {
    opContract(name, ([x], options) => fn(x!, options));
  }
  opContract('reduceLogSumExp', ([x], { rows, ...options }) =>
    ops.logSumExp(rows ? ops.gather(x!, constant(rows, 'int64', [rows.length])) : x!, options),
  );

  test('nothing has no maximum', () => {
    const x = input('x', 'float32', [2, 0]);
    expect(() => ops.max(x, { axes: 1 })).toThrow(/max: float32\[2,0\] has no elements/);
  });

  test('a variance needs more elements than its correction', () => {
    const x = input('x', 'float32', [2, 1]);
    expect(() => ops.variance(x, { axes: 1, correction: 1 })).toThrow(/variance: 1 elements/);
  });
});
