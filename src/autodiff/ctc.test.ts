import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { constant, hostTensor, input, type Tensor, toNumbers } from '../graph/index.js';
import { logSoftmax, sum } from '../ops/index.js';
import { checkpoint, ctcLoss, grad } from './index.js';

opContract('ctcLoss', ([logits, targets, inputLengths, targetLengths], options) =>
  ctcLoss(logSoftmax(logits!, -1), targets!, inputLengths!, targetLengths!, options),
);

describe('ctcLoss', () => {
  test('an impossible target makes no gradient, and none that is not a number', async () => {
    const engine = await testEngine();
    const x = input('x', 'float32', [2, 1, 3]);
    const loss = ctcLoss(
      logSoftmax(x, -1),
      constant([1, 1], 'int32', [1, 2]),
      constant([2], 'int32', [1]),
      constant([2], 'int32', [1]),
    );
    const [dx] = grad(sum(loss), [x]);
    const feeds = new Map([[x, hostTensor('float32', [2, 1, 3], [1, 2, 3, 4, 5, 6])]]);
    const [value, gradient] = await engine.evaluate([loss, dx!], feeds);
    expect(toNumbers(value!)).toEqual([Number.POSITIVE_INFINITY]);
    expect(toNumbers(gradient!).map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('keeps its gradient inside a checkpoint', async () => {
    const engine = await testEngine();
    const x = input('x', 'float32', [4, 1, 3]);
    const ids = constant([2, 1], 'int64', [1, 2]);
    const loss = (t: Tensor) =>
      ctcLoss(logSoftmax(t, -1), ids, constant([4], 'int64', [1]), constant([2], 'int64', [1]));
    const feeds = new Map([
      [x, hostTensor('float32', [4, 1, 3], [1, 2, 0, 0, 1, 3, 2, 0, 1, 1, 1, 0])],
    ]);
    const [plain] = grad(loss(x), [x]);
    const [marked] = grad(
      checkpoint((t) => loss(t!), [x]),
      [x],
    );
    const [want, got] = (await engine.evaluate([plain!, marked!], feeds)).map(toNumbers);
    for (const [i, w] of want!.entries()) expect(got![i]).toBeCloseTo(w, 6);
    expect(Math.max(...want!)).toBeGreaterThan(0.01);
  });

  test('mistakes are named', () => {
    const x = input('x', 'float32', [4, 2, 3]);
    const ids = (shape: number[]) => input('ids', 'int64', shape);
    const lengths = input('lengths', 'int64', [2]);
    expect(() => ctcLoss(x, ids([3, 2]), lengths, lengths)).toThrow(/\[2, symbols\]/);
    expect(() => ctcLoss(x, ids([2, 2]), ids([3]), lengths)).toThrow(/lengths must be \[2\]/);
    expect(() => ctcLoss(x, ids([2, 2]), lengths, lengths, { blank: 3 })).toThrow(/3 classes/);
    const floats = input('f', 'float32', [2, 2]);
    expect(() => ctcLoss(x, floats, lengths, lengths)).toThrow(/int64 or int32/);
    expect(() => ctcLoss(floats, ids([2, 2]), lengths, lengths)).toThrow(/Transpose/);
    const half = input('h', 'float16', [4, 2, 3]);
    expect(() => ctcLoss(half, ids([2, 2]), lengths, lengths)).toThrow(/cast/);
  });
});
