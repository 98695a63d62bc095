import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { input } from '../graph/index.js';
import { gelu, geluSlopeOp } from './index.js';

describe('gelu', () => {
  opContract('gelu', ([x], options) => gelu(x!, options));
  opContract('geluSlope', ([x], { approximate }) => geluSlopeOp.one([x!], { approximate }));

  test('an unknown form of gelu is refused', () => {
    const x = input('x', 'float32', [2]);
    const options = JSON.parse('{"approximate":"fast"}');
    expect(() => gelu(x, options)).toThrow(/gelu: approximate is 'fast'; expected 'none'/);
  });
});
