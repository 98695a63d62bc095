import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { ConfigError, ShapeError } from '../errors.js';
import { input } from '../graph/index.js';
import { resize } from './index.js';

opContract('resize', ([x], args) => resize(x!, args));

describe('resize checks', () => {
  const x = input('x', 'float32', [1, 2, 4, 6]);

  test('the same size is the tensor itself', () => {
    expect(resize(x, { size: [4, 6], mode: 'bilinear' })).toBe(x);
  });

  test('contradicting options are refused', () => {
    expect(() => resize(x, { mode: 'nearest' })).toThrow(/either size or scale/);
    expect(() => resize(x, { mode: 'nearest', size: 2, scale: 2 })).toThrow(ConfigError);
    expect(() => resize(x, { mode: 'nearest', size: 2, alignCorners: true })).toThrow(
      /alignCorners goes with mode bilinear/,
    );
    expect(() =>
      resize(x, { mode: 'bilinear', size: 2, alignCorners: true, coordinates: 'half-pixel' }),
    ).toThrow(ConfigError);
    expect(() => resize(x, { mode: 'cubic' as never, size: 2 })).toThrow(/'cubic' is not known/);
  });

  test('a result without elements is refused', () => {
    expect(() => resize(x, { mode: 'nearest', scale: 0.2 })).toThrow(/at least one element/);
    expect(() => resize(x, { mode: 'nearest', size: 0 })).toThrow(/at least 1/);
    expect(() => resize(input('v', 'float32', [2, 3]), { mode: 'nearest', size: 2 })).toThrow(
      ShapeError,
    );
  });
});
