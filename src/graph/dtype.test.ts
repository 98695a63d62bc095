import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DTypeError, ShapeError } from '../errors.js';
import {
  byteSize,
  DTYPES,
  dtypeInfo,
  filled,
  formatType,
  fromFloat16Bits,
  hostTensor,
  toFloat16Bits,
  toNumbers,
} from './index.js';

describe('float16', () => {
  // The value by definition: sign, then 2^-14 (mantissa / 1024) or 2^(exponent - 15) (1 + mantissa / 1024).
  const reference = (bits: number): number => {
    const [sign, exponent, mantissa] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
    const magnitude =
      exponent === 31
        ? mantissa
          ? Number.NaN
          : Number.POSITIVE_INFINITY
        : exponent === 0
          ? 2 ** -14 * (mantissa / 1024)
          : 2 ** (exponent - 15) * (1 + mantissa / 1024);
    return sign ? -magnitude : magnitude;
  };

  test('all 65536 bit patterns have their value and come back', () => {
    let wrong = 0;
    for (let bits = 0; bits < 65536; bits++) {
      const value = reference(bits);
      if (!Object.is(fromFloat16Bits(bits), value)) wrong++;
      const back = toFloat16Bits(value);
      if (Number.isNaN(value) ? !Number.isNaN(fromFloat16Bits(back)) : back !== bits) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test('a number between two neighbours goes to the nearer one, a tie to the even one', () => {
    let wrong = 0;
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = reference(bits);
      const high = reference(bits + 1);
      const middle = (low + high) / 2;
      const even = bits % 2 === 0 ? bits : bits + 1;
      // So near the tie that rounding to single precision first would land on it.
      const nudge = (high - low) * 2 ** -32;
      for (const sign of [1, -1]) {
        const flag = sign < 0 ? 0x8000 : 0;
        if (toFloat16Bits(sign * middle) !== (even | flag)) wrong++;
        if (toFloat16Bits(sign * (middle - nudge)) !== (bits | flag)) wrong++;
        if (toFloat16Bits(sign * (middle + nudge)) !== ((bits + 1) | flag)) wrong++;
      }
    }
    expect(wrong).toBe(0);
  });

  test('overflow starts halfway past the largest number; tiny numbers keep their sign', () => {
    expect(toFloat16Bits(65519.999)).toBe(0x7bff);
    expect(toFloat16Bits(65520)).toBe(0x7c00);
    expect(toFloat16Bits(-1e300)).toBe(0xfc00);
    expect(toFloat16Bits(-1e-300)).toBe(0x8000);
  });
});

describe('hostTensor', () => {
  test('keeps the typed array of its dtype and converts others', () => {
    for (const dtype of DTYPES) {
      const own = new (dtypeInfo(dtype).array)(3);
      expect(hostTensor(dtype, [3], own).data).toBe(own);
      const made = hostTensor(dtype, [2], [1, 0]);
      expect(made.data).toBeInstanceOf(dtypeInfo(dtype).array);
      expect(toNumbers(made)).toEqual([1, 0]);
      expect(byteSize(made)).toBe(made.data.byteLength);
    }
    expect(toNumbers(hostTensor('float32', [2], [3n, -4n]))).toEqual([3, -4]);
    expect(hostTensor('bool', [3], [0, 2, -0.5]).data).toEqual(Uint8Array.of(0, 1, 1));
    expect(filled('bool', [2], 7).data).toEqual(Uint8Array.of(1, 1));
    expect(fromFloat16Bits(Number(filled('float16', [], 0.5).data[0]))).toBe(0.5);
  });

  test('a count that does not fit the shape is a ShapeError', () => {
    expect(() => hostTensor('float32', [2, 3], [1, 2, 3])).toThrow(
      'hostTensor: 3 values were given for shape [2,3], which holds 6.',
    );
    expect(() => hostTensor('int64', [0], [1])).toThrow(ShapeError);
  });

  test('an integer type refuses what it cannot hold instead of wrapping', () => {
    for (const [dtype, value] of [
      ['int8', 128],
      ['uint8', -1],
      ['int32', 2 ** 31],
      ['int32', 1.5],
      ['int32', Number.NaN],
      ['int64', 0.5],
      ['int64', 2n ** 63n],
      ['uint64', -1n],
    ] as const) {
      expect(() => hostTensor(dtype, [2], [0, value] as number[]), `${dtype} ${value}`).toThrow(
        DTypeError,
      );
    }
    expect(() => hostTensor('int8', [2], [0, 300])).toThrow(
      'hostTensor: value 300 at position 1 cannot be stored as int8.',
    );
  });

  test('integers of up to 53 bits survive int64', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeInteger(), { maxLength: 8 }), (values) => {
        expect(toNumbers(hostTensor('int64', [values.length], values))).toEqual(
          values.map((v) => v + 0),
        );
      }),
    );
  });
});

test('types are written as dtype[axes]', () => {
  expect(formatType({ dtype: 'int64', shape: [] })).toBe('int64[]');
  expect(formatType({ dtype: 'float32', shape: [2, 3] })).toBe('float32[2,3]');
});
