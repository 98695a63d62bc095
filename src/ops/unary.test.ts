import { describe, expect, test } from 'vitest';
import { type ContractOptions, opContract } from '../../test/support/op-contract.js';
import { input, type Tensor } from '../graph/index.js';
import * as ops from './index.js';

const functions: Record<string, (x: Tensor) => Tensor> = {
  exp: ops.exp,
  log: ops.log,
  log1p: ops.log1p,
  expm1: ops.expm1,
  sqrt: ops.sqrt,
  rsqrt: ops.rsqrt,
  reciprocal: ops.reciprocal,
  square: ops.square,
  abs: ops.abs,
  sign: ops.sign,
  erf: ops.erf,
  sin: ops.sin,
  cos: ops.cos,
  tan: ops.tan,
  asin: ops.asin,
  acos: ops.acos,
  atan: ops.atan,
  sinh: ops.sinh,
  cosh: ops.cosh,
  asinh: ops.asinh,
  acosh: ops.acosh,
  atanh: ops.atanh,
  floor: ops.floor,
  ceil: ops.ceil,
  round: ops.round,
};

// Small arguments are what log1p and expm1 are for: there the relative error counts, not 1e-6.
const precise: ContractOptions = { value: { rtol: 1e-5, atol: 1e-12 } };

describe('elementary functions', () => {
  for (const [name, fn] of Object.entries(functions)) {
    opContract(name, ([x]) => fn(x!), name === 'log1p' || name === 'expm1' ? precise : {});
  }

  test('integers where only floats make sense are refused with a cure', () => {
    const x = input('x', 'int64', [2]);
    expect(() => ops.exp(x)).toThrow(/exp: expected a floating-point input, got int64\[2\]. Cast/);
    expect(() => ops.abs(input('b', 'bool', [2]))).toThrow(/abs: expected numbers, got bool\[2\]/);
  });
});
