import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { constant, type DType, input } from '../graph/index.js';
import {
  absoluteError,
  binaryCrossEntropy,
  crossEntropy,
  distillation,
  huber,
  softCrossEntropy,
  squaredError,
} from './index.js';

/** The arguments of a case with its lists made tensors: weights as a vector or, of rows, a column. */
// biome-ignore lint/suspicious/noExplicitAny: arguments are whatever the golden file holds.
function options(args: any, dtype: DType, column = false) {
  const vector = (values: number[], as: boolean) =>
    constant(values, dtype, as ? [values.length, 1] : [values.length]);
  return {
    ...args,
    ...(args.weights ? { weights: vector(args.weights, column) } : {}),
    ...(args.classWeights ? { classWeights: vector(args.classWeights, false) } : {}),
  };
}

describe('losses', () => {
  opContract('crossEntropy', ([x, y], args) => crossEntropy(x!, y!, options(args, x!.dtype)));
  opContract('softCrossEntropy', ([x, t], args) => softCrossEntropy(x!, t!, args));
  opContract('distillation', ([s, t], args) => distillation(s!, t!, args));
  opContract('binaryCrossEntropy', ([x, t], { targets, ...args }) =>
    binaryCrossEntropy(x!, t ?? constant(targets, x!.dtype, x!.shape), args),
  );
  opContract('squaredError', ([x, y], args) => squaredError(x!, y!, options(args, x!.dtype, true)));
  opContract('absoluteError', ([x, y], args) => absoluteError(x!, y!, args));
  opContract('huber', ([x, y], args) => huber(x!, y!, args));
});

describe('mistakes', () => {
  const x = input('x', 'float32', [2, 3, 4]);
  const labels = input('labels', 'int64', [2, 4]);
  test('name the tensors and what to do', () => {
    expect(() => crossEntropy(x, labels)).toThrow(/need labels \[2,3\], got int64\[2,4\]/);
    expect(() => crossEntropy(x, labels, { axis: 1, labelSmoothing: 2 })).toThrow(/from 0 to 1/);
    expect(() => crossEntropy(x, input('y', 'float32', [2, 3]))).toThrow(/expected int64 or int32/);
    expect(() => squaredError(x, labels)).toThrow(/must have the same type/);
    const other = input('other', 'float32', [2, 3, 4]);
    // @ts-expect-error a name that does not exist
    expect(() => squaredError(x, other, { reduction: 'average' })).toThrow(/none of mean, sum/);
  });
});
