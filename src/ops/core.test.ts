import { describe } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { add, cast, div, expand, matmul, mul, neg, reshape, sub, sum, transpose } from './index.js';

describe('arithmetic', () => {
  opContract('add', ([a, b]) => add(a!, b!));
  opContract('sub', ([a, b]) => sub(a!, b!));
  opContract('mul', ([a, b]) => mul(a!, b!));
  opContract('div', ([a, b]) => div(a!, b!));
  opContract('neg', ([x]) => neg(x!));
});

describe('layout', () => {
  opContract('cast', ([x], { to }) => cast(x!, to));
  opContract('reshape', ([x], { shape }) => reshape(x!, shape));
  opContract('transpose', ([x], { perm }) => transpose(x!, perm));
  opContract('expand', ([x], { shape }) => expand(x!, shape));
  opContract('reduceSum', ([x], args) => sum(x!, args));
});

describe('matmul', () => {
  opContract('matmul', ([a, b]) => matmul(a!, b!));
});
