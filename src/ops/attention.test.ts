import { expect, test } from 'vitest';
import { opContract } from '../../test/support/op-contract.js';
import { DTypeError, ShapeError } from '../errors.js';
import { input } from '../graph/index.js';
import { encode } from '../onnx/index.js';
import { type FusedAttentionAttrs, fusedAttention } from './attention.js';

opContract('fusedAttention', ([query, key, value, bias], args: FusedAttentionAttrs) =>
  fusedAttention({ query: query!, key: key!, value: value!, bias: bias ?? null }, args),
);

const attrs = { heads: 2, scale: 1 };
const texts = (tokens: number, width: number) => input('x', 'float32', [2, tokens, width]);

test('what does not fit is refused with the shapes that were expected', () => {
  const [query, key, value] = [texts(3, 4), texts(5, 4), texts(5, 6)];
  expect(() => fusedAttention({ query, key: texts(5, 6), value }, attrs)).toThrow(ShapeError);
  expect(() => fusedAttention({ query, key: texts(4, 4), value }, attrs)).toThrow(ShapeError);
  expect(() => fusedAttention({ query, key, value }, { ...attrs, heads: 4 })).toThrow(/4 heads/);
  const wide = input('b', 'float32', [2, 2, 4, 5]);
  expect(() => fusedAttention({ query, key, value, bias: wide }, attrs)).toThrow(ShapeError);
  const more = input('b', 'float32', [1, 2, 2, 3, 5]);
  expect(() => fusedAttention({ query, key, value, bias: more }, attrs)).toThrow(ShapeError);
  const whole = input('b', 'int32', [5]);
  expect(() => fusedAttention({ query, key, value, bias: whole }, attrs)).toThrow(DTypeError);
});

test('one node on the CPU, operators of the standard in a file for any runtime', () => {
  const x = texts(3, 4);
  const y = fusedAttention({ query: x, key: x, value: x }, attrs);
  const written = (target: 'cpu' | 'portable') =>
    Buffer.from(encode({ outputs: { y }, target }).bytes).includes('MultiHeadAttention');
  expect(written('cpu')).toBe(true);
  expect(written('portable')).toBe(false);
});
