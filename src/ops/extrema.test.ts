import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { input } from '../graph/index.js';
import { clip, maximum, minimum } from './index.js';

describe('extrema', () => {
  opContract('minimum', ([a, b]) => minimum(a!, b!));
  opContract('maximum', ([a, b]) => maximum(a!, b!));
  opContract('clip', ([x], bounds) => clip(x!, bounds));

  test('a fractional bound of an integer is refused', () => {
    expect(() => clip(input('x', 'int32', [2]), { max: 1.5 })).toThrow(
      /clip: bound 1.5 is not an integer, but x is int32\[2\]/,
    );
  });
});
