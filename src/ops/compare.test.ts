import { describe, expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { input, type Tensor } from '../graph/index.js';
import * as ops from './index.js';

const binary: Record<string, (a: Tensor, b: Tensor) => Tensor> = {
  equal: ops.equal,
  notEqual: ops.notEqual,
  less: ops.less,
  lessEqual: ops.lessEqual,
  greater: ops.greater,
  greaterEqual: ops.greaterEqual,
  logicalAnd: ops.logicalAnd,
  logicalOr: ops.logicalOr,
  logicalXor: ops.logicalXor,
};

describe('comparison and logic', () => {
  for (const [name, fn] of Object.entries(binary)) opContract(name, ([a, b]) => fn(a!, b!));
  opContract('logicalNot', ([x]) => ops.logicalNot(x!));
  opContract('isNaN', ([x]) => ops.isNaN(x!));
  opContract('isInf', ([x]) => ops.isInf(x!));
  opContract('where', ([condition, a, b]) => ops.where(condition!, a!, b!));
  opContract('step', ([x], { low }) => ops.step(x!, low));

  test('bool has no order', () => {
    const b = input('b', 'bool', [2]);
    expect(() => ops.less(b, b)).toThrow(/less: expected numbers, got bool\[2\]/);
  });

  test('a condition must be bool', () => {
    const x = input('x', 'float32', [2]);
    expect(() => ops.where(x, x, x)).toThrow(/where: expected bool, got float32\[2\]/);
  });
});
