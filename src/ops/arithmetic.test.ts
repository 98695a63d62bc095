import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { hostTensor, input, toNumbers } from '../graph/index.js';
import { encode } from '../onnx/index.js';
import { add, div, mul } from './index.js';

describe('shapes that end in axes of length 1', () => {
  const x = input('x', 'float32', [2, 3, 1, 1]);
  const s = input('s', 'float32', []);
  const values = [1, 2, 3, 4, 5, 6];

  test('take operands of lower rank, fed or constant', async () => {
    const engine = await testEngine();
    const row = input('row', 'float32', [3, 1, 1]);
    const [y, z] = await engine.evaluate(
      [div(add(mul(x, s), 1), 2), mul(row, x)],
      new Map([
        [x, hostTensor('float32', x.shape, values)],
        [s, hostTensor('float32', [], [10])],
        [row, hostTensor('float32', row.shape, [1, 10, 100])],
      ]),
    );
    expect([y!.shape, z!.shape]).toEqual([x.shape, x.shape]);
    expect(toNumbers(y!)).toEqual(values.map((v) => (10 * v + 1) / 2));
    expect(toNumbers(z!)).toEqual([1, 20, 300, 4, 50, 600]);
  });

  test('are multiplied in one loop, which needs operands of equal rank', () => {
    const aligned = encode({ outputs: { y: mul(x, s) } });
    const flat = encode({ outputs: { y: mul(input('x', 'float32', [2, 3]), s) } });
    const ops = (m: typeof aligned) => [...m.origins.keys()].map((name) => name.split('_')[1]);
    expect(ops(aligned)).toEqual(['Reshape', 'Mul']);
    expect(ops(flat)).toEqual(['Mul']);
  });
});
