import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { input, print } from '../graph/index.js';
import { mod, pow } from './index.js';

describe('powers and remainders', () => {
  opContract('pow', ([a, b]) => pow(a!, b!));
  opContract('powConstant', ([x], { exponent }) => pow(x!, exponent));
  opContract('mod', ([a, b], { truncated }) => mod(a!, b!, { truncated }));

  test('common exponents need no Pow', () => {
    const x = input('x', 'float32', [2]);
    for (const exponent of [0, 1, 2, 3, 4, 0.5, -0.5, -1, -2]) {
      expect(print([pow(x, exponent)])).not.toContain('pow(');
    }
    expect(print([pow(x, 2.5)])).toContain('pow(');
  });
});
