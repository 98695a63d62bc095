import { expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { hostTensor, input, toNumbers } from '../graph/index.js';
import { mul, sum } from '../ops/index.js';
import { sgd } from '../optim/index.js';
import { TrainStep } from './index.js';

test('a window of nothing but padding is refused before any parameter moves', async () => {
  const p = input('p', 'float32', [2]);
  const step = await TrainStep.create(await testEngine(), {
    parameters: [{ name: 'p', tensor: p, value: hostTensor('float32', [2], [1, 2]) }],
    optimizer: sgd({ lr: 0.1 }),
    trace: ({ x, w }) => ({ loss: sum(mul(mul(p, x!), w!)), weight: sum(w!) }),
  });
  const batch = (w: readonly number[]) => ({
    x: hostTensor('float32', [2], [1, 1]),
    w: hostTensor('float32', [2], w),
  });
  await expect(step.step(batch([0, 0]))).rejects.toThrow(/step: the window weighs 0/);
  expect(toNumbers(await step.variables.read(p))).toEqual([1, 2]);
  // A padded batch among others is fine: it counts nothing.
  const { loss, weight } = await step.step([batch([0, 0]), batch([1, 0])]);
  expect([loss, weight]).toEqual([1, 1]);
});
