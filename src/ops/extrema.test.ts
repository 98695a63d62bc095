import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { input, print } from '../graph/index.js';
import { clip, maximum, minimum, mod, pow } from './index.js';

describe('extrema, powers and remainders', () => {
  opContract('minimum', ([a, b]) => minimum(a!, b!));
  opContract('maximum', ([a, b]) => maximum(a!, b!));
  opContract('clip', ([x], bounds) => clip(x!, bounds));
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

  test('a fractional bound of an integer is refused', () => {
    expect(() => clip(input('x', 'int32', [2]), { max: 1.5 })).toThrow(
      /clip: bound 1.5 is not an integer, but x is int32\[2\]/,
    );
  });
});
