import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../errors.js';
import { hostTensor, toNumbers } from '../graph/index.js';
import { bytesOf, fromStored, toFloat16 } from './stored-tensor.js';

describe('float16 for storage', () => {
  test('halves floats and leaves the rest', () => {
    const half = toFloat16(hostTensor('float32', [2, 2], [1, -2.5, 65504, 2 ** -24]));
    expect(half).toEqual({
      dtype: 'float16',
      shape: [2, 2],
      data: Uint16Array.from([0x3c00, 0xc100, 0x7bff, 0x0001]),
    });
    expect(toFloat16(hostTensor('float64', [1], [0.1]))).toMatchObject({ dtype: 'float16' });
    const whole = hostTensor('int64', [1], [5]);
    expect(toFloat16(whole)).toBe(whole);
    expect(toFloat16(half)).toBe(half);
  });

  test('keeps infinities and NaN', () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    expect(toNumbers(toFloat16(hostTensor('float32', [3], values)))).toEqual(values);
  });

  test.each([65520, -1e6, 1e30])('refuses %d, which would become infinite', (value) => {
    expect(() => toFloat16(hostTensor('float32', [2], [0, value]))).toThrow(WeightsError);
    expect(() => toFloat16(hostTensor('float32', [2], [0, value]))).toThrow(/at position 1/);
  });

  test('is exact to eleven bits', () => {
    fc.assert(
      fc.property(fc.float({ min: 2 ** -14, max: 65504, noNaN: true }), (value) => {
        const [stored] = toNumbers(toFloat16(hostTensor('float32', [1], [value])));
        expect(Math.abs(stored! - value)).toBeLessThanOrEqual(value * 2 ** -11);
      }),
    );
  });
});

test('stored bytes at any alignment give the tensor', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 64 }), fc.nat(7), (bytes, shift) => {
      const raw = bytes.subarray(0, bytes.length & ~7);
      const moved = new Uint8Array(raw.length + shift).subarray(shift);
      moved.set(raw);
      for (const stored of ['int64', 'int16', 'uint8', 'float16'] as const) {
        const width = { int64: 8, int16: 2, uint8: 1, float16: 2 }[stored];
        expect(bytesOf(fromStored(stored, [raw.length / width], moved))).toEqual(raw);
      }
      const wide = fromStored('bfloat16', [raw.length / 2], moved);
      const top = Uint8Array.from(
        { length: raw.length },
        (_, i) => bytesOf(wide)[i * 2 - (i % 2) + 2]!,
      );
      expect(wide.dtype).toBe('float32');
      expect(top).toEqual(raw);
    }),
  );
});
