import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { ConfigError, ShapeError } from '../errors.js';
import { constant, input, type Tensor } from '../graph/index.js';
import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  avgPool1d,
  avgPool2d,
  globalAvgPool,
  globalMaxPool,
  type MaxPoolAttrs,
  type MaxPoolForm,
  maxPool1d,
  maxPool2d,
  maxPoolGradOp,
  maxPoolOp,
  maxPoolPickOp,
} from './index.js';

const FORMS: readonly MaxPoolForm[] = ['scatter', 'phases'];
const TIES =
  'at equal maxima the function has a kink, where central differences see the mean slope';

/** Max pooling whose gradients take `form`. */
function forced(x: Tensor, kernel: number[], form: MaxPoolForm, options: object): Tensor {
  const y = (x.rank === 3 ? maxPool1d : maxPool2d)(x, kernel, options);
  return maxPoolOp.one([x], { ...(y.node.attrs as MaxPoolAttrs), form });
}

/** The maxima's input is part of a case's arguments: nothing flows to it. */
function fixedInput(x: unknown): Tensor {
  const shape: number[] = [];
  for (let at = x; Array.isArray(at); at = at[0]) shape.push(at.length);
  return constant((x as number[][]).flat(Number.POSITIVE_INFINITY) as number[], 'float32', shape);
}

for (const form of FORMS) {
  describe(`gradient by ${form}`, () => {
    opContract('maxPool', ([x], { kernel, ...o }) => forced(x!, kernel, form, o), {
      skipDifferences: TIES,
    });
    opContract(
      'maxPoolGrad',
      ([g], { x, kernel, ...o }) => {
        const y = forced(fixedInput(x), kernel, form, o);
        return maxPoolGradOp.one(
          [y.node.inputs[0]!, ...y.node.outputs, g!],
          y.node.attrs as MaxPoolAttrs,
        );
      },
      { skipDifferences: 'linear in g; the gradient and its gradient are compared above' },
    );
    opContract(
      'maxPoolPick',
      ([v], { x, kernel, ...o }) => {
        const y = forced(fixedInput(x), kernel, form, o);
        return maxPoolPickOp.one(
          [y.node.inputs[0]!, ...y.node.outputs, v!],
          y.node.attrs as MaxPoolAttrs,
        );
      },
      { skipDifferences: 'linear in v; the gradient and its gradient are compared above' },
    );
  });
}

opContract('avgPool', ([x], { kernel, ...o }) =>
  (x!.rank === 3 ? avgPool1d : avgPool2d)(x!, kernel, o),
);
opContract('adaptiveAvgPool2d', ([x], { size }) => adaptiveAvgPool2d(x!, size));
opContract('adaptiveMaxPool2d', ([x], { size }) => adaptiveMaxPool2d(x!, size), {
  skipDifferences: TIES,
});
opContract('globalAvgPool', ([x]) => globalAvgPool(x!));
opContract('globalMaxPool', ([x]) => globalMaxPool(x!), { skipDifferences: TIES });

describe('pooling checks', () => {
  const x = input('x', 'float32', [1, 2, 5, 5]);

  test('a window longer than the input is refused', () => {
    expect(() => maxPool2d(x, 6)).toThrow(ShapeError);
    expect(() => avgPool2d(x, [6, 2])).toThrow(
      /kernel spans 6 elements of spatial axis 0 .* only 5/,
    );
  });

  test('padding as wide as the window is refused', () => {
    expect(() => maxPool2d(x, 2, { padding: 2 })).toThrow(ConfigError);
    expect(() => avgPool2d(x, 2, { padding: [2, 0] })).toThrow(/must be smaller than the window/);
  });

  test('ranks and sizes are checked', () => {
    expect(() => maxPool1d(x, 2)).toThrow(/maxPool1d: the input must have 3 axes/);
    expect(() => adaptiveAvgPool2d(x, [2, 0])).toThrow(/size must be .* of at least 1/);
    expect(() => globalAvgPool(input('v', 'float32', [2, 3]))).toThrow(/spatial axes/);
    expect(() => globalMaxPool(input('e', 'float32', [2, 3, 0]))).toThrow(/at least one element/);
  });
});
