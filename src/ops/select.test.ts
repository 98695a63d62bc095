import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { input } from '../graph/index.js';
import { argmax, argmin, cumsum, oneHot, topK } from './index.js';

describe('running sums and selection', () => {
  opContract('cumsum', ([x], { axis, ...options }) => cumsum(x!, axis, options));
  opContract('argmax', ([x], { axis, ...options }) => argmax(x!, axis, options));
  opContract('argmin', ([x], { axis, ...options }) => argmin(x!, axis, options));
  opContract('topK', ([x], { k, ...options }) => {
    const { values, indices } = topK(x!, k, options);
    return [values, indices];
  });
  opContract('oneHot', ([indices], { depth, ...options }) => oneHot(indices!, depth, options));

  test('more than there is cannot be taken', () => {
    expect(() => topK(input('x', 'float32', [2, 3]), 4)).toThrow(
      /topK: k is 4, but axis 1 of float32\[2,3\] has 3 elements/,
    );
  });
});
