import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hostTensor } from '../graph/index.js';
import { fromInt8Rows, INT8_SCALE, toInt8Rows, withInt8Rows } from './int8-weights.js';
import { memorySource } from './tensor-source.js';

const rows = fc
  .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 7 }))
  .chain(([r, c]) =>
    fc
      .array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e3, max: 1e3 }), {
        minLength: r * c,
        maxLength: r * c,
      })
      .map((values) => hostTensor('float32', [r, c], values)),
  );

describe('weights in bytes', () => {
  test('are off by at most half a step of their row', () => {
    fc.assert(
      fc.property(rows, (tensor) => {
        const stored = toInt8Rows(tensor);
        const back = fromInt8Rows(stored);
        const width = tensor.shape[1]!;
        for (const [i, v] of (tensor.data as Float32Array).entries()) {
          const step = Number(stored.scales.data[Math.floor(i / width)]);
          expect(Math.abs(Number(back.data[i]) - v)).toBeLessThanOrEqual(step * 0.5001 + 1e-30);
        }
        expect(toInt8Rows(back).values).toEqual(stored.values);
      }),
    );
  });

  test('are seen and read as float32, others as they are', async () => {
    const table = hostTensor('float32', [2, 2], [1, -2, 0, 0.5]);
    const { values, scales } = toInt8Rows(table);
    const bias = hostTensor('float32', [2], [3, 4]);
    const stored = new Map([
      ['table', values],
      [`table${INT8_SCALE}`, scales],
      ['bias', bias],
    ]);
    const source = withInt8Rows(memorySource(stored));
    expect([...source.types]).toEqual([
      ['table', { dtype: 'float32', shape: [2, 2] }],
      ['bias', { dtype: 'float32', shape: [2] }],
    ]);
    const read = await source.read('table');
    expect(read.data[1]).toBeCloseTo(-2, 6);
    expect(read.data[2]).toBe(0);
    expect(await source.read('bias')).toBe(bias);
  });

  test('whose scales do not fit are refused', () => {
    const { values } = toInt8Rows(hostTensor('float32', [2, 2], [1, 2, 3, 4]));
    const scales = hostTensor('float32', [3], [1, 1, 1]);
    const stored = new Map([
      ['x', values],
      [`x${INT8_SCALE}`, scales],
    ]);
    expect(() => withInt8Rows(memorySource(stored))).toThrow(/one float32 scale for each row/);
    const alone = new Map([[`y${INT8_SCALE}`, scales]]);
    expect(() => withInt8Rows(memorySource(alone))).toThrow(/not there/);
  });
});
