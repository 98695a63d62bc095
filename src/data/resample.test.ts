import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Resample } from '../models/index.js';
import type { Pixels } from './image.js';
import { type ResampleOptions, resample } from './resample.js';

const ONE = 2 ** 22;

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const FILTERS: Record<string, { half: number; at: (x: number) => number }> = {
  bilinear: { half: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    half: 2,
    at: (x) => {
      const t = Math.abs(x);
      if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
    },
  },
  lanczos: { half: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Inputs of result `i` of an axis, and their whole weights. */
function inputsOf(input: number, output: number, i: number, filter: Resample) {
  const scale = input / output;
  const center = (i + 0.5) * scale;
  if (filter === 'nearest') return { first: Math.floor(center), weights: [ONE] };
  const { half, at } = FILTERS[filter]!;
  const wide = Math.max(1, scale);
  const first = Math.max(0, Math.trunc(center - half * wide + 0.5));
  const end = Math.min(input, Math.trunc(center + half * wide + 0.5));
  const values = Array.from({ length: end - first }, (_, k) =>
    at((k + first - center + 0.5) * (1 / wide)),
  );
  const sum = values.reduce((a, b) => a + b, 0);
  const weights = values.map((v) => {
    const w = (sum === 0 ? v : v / sum) * ONE;
    return Math.trunc(w < 0 ? w - 0.5 : w + 0.5);
  });
  return { first, weights };
}

type Picture = (x: number, y: number, channel: number) => number;

/** One pass, a value at a time, as the definition has it. */
function pass(input: number, output: number, filter: Resample, read: (i: number) => Picture) {
  const axis = Array.from({ length: output }, (_, i) => inputsOf(input, output, i, filter));
  return (i: number, x: number, y: number, channel: number) => {
    const { first, weights } = axis[i]!;
    const sum = weights.reduce((s, w, k) => s + w * read(first + k)(x, y, channel), ONE / 2);
    return Math.min(255, Math.max(0, Math.floor(sum / ONE)));
  };
}

function reference(pixels: Pixels, { box, size, window, filter }: ResampleOptions): number[] {
  const source: Picture = (x, y, c) =>
    pixels.data[((box.top + y) * pixels.width + box.left + x) * 3 + c]!;
  const along = (axis: 'x' | 'y', from: Picture): Picture => {
    const [input, output] = axis === 'x' ? [box.width, size.width] : [box.height, size.height];
    const value = pass(
      input,
      output,
      filter,
      (i) => (x, y, c) => (axis === 'x' ? from(i, y, c) : from(x, i, c)),
    );
    return (x, y, c) => value(axis === 'x' ? x : y, x, y, c);
  };
  const shrunk = box.height - size.height;
  const columnsFirst = shrunk > 0 && shrunk > 2 * (box.width - size.width);
  const result = columnsFirst ? along('x', along('y', source)) : along('y', along('x', source));
  return Array.from({ length: window.width * window.height * 3 }, (_, n) => {
    const x = window.left + (Math.floor(n / 3) % window.width);
    const y = window.top + Math.floor(n / 3 / window.width);
    return result(x, y, n % 3);
  });
}

const part = (length: number) =>
  fc
    .integer({ min: 0, max: length - 1 })
    .chain((from) =>
      fc.record({ from: fc.constant(from), length: fc.integer({ min: 1, max: length - from }) }),
    );
const side = fc.integer({ min: 1, max: 24 });

/** A picture with noise, the part of it that is resized, to what, and which part of that is wanted. */
const cases = fc
  .record({ width: side, height: side, toWidth: side, toHeight: side })
  .chain(({ width, height, toWidth, toHeight }) =>
    fc.record({
      pixels: fc
        .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
        .map((data): Pixels => ({ width, height, data })),
      size: fc.constant({ width: toWidth, height: toHeight }),
      boxX: part(width),
      boxY: part(height),
      windowX: part(toWidth),
      windowY: part(toHeight),
      filter: fc.constantFrom<Resample>('nearest', 'bilinear', 'bicubic', 'lanczos'),
    }),
  );

/** Resizes one side of a picture, from so many pixels to so many. */
type Side = { readonly from: number; readonly to: number; readonly filter: Resample };

/** Resizings whose outermost or innermost pixels are sums of so many. */
function withTaps(count: number): Side[] {
  const found: Side[] = [];
  for (const filter of ['nearest', 'bilinear', 'bicubic', 'lanczos'] as const) {
    for (let from = 1; from <= 12; from++) {
      for (let to = 1; to <= 12; to++) {
        const taps = Array.from({ length: to }, (_, x) => inputsOf(from, to, x, filter));
        if (taps.some(({ weights }) => weights.length === count)) found.push({ from, to, filter });
      }
    }
  }
  return found;
}

// Loops of their own for up to two and up to four; longer ones go by pairs, with one left or none.
test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'gives the bits of the plain definition by %i taps',
  (count) => {
    const sides = withTaps(count);
    expect(sides.length).toBeGreaterThan(0);
    for (const { from, to, filter } of sides) {
      const data = Uint8Array.from({ length: from * from * 3 }, (_, i) => (i * 89 + 31) % 256);
      const pixels = { width: from, height: from, data };
      const whole = (length: number) => ({ left: 0, top: 0, width: length, height: length });
      const size = { width: to, height: to };
      const options: ResampleOptions = { box: whole(from), size, window: whole(to), filter };
      expect([...resample(pixels, options).data]).toEqual(reference(pixels, options));
    }
  },
);

test('gives the bits of the plain definition', () => {
  fc.assert(
    fc.property(cases, ({ pixels, size, boxX, boxY, windowX, windowY, filter }) => {
      const options: ResampleOptions = {
        box: { left: boxX.from, top: boxY.from, width: boxX.length, height: boxY.length },
        size,
        window: {
          left: windowX.from,
          top: windowY.from,
          width: windowX.length,
          height: windowY.length,
        },
        filter,
      };
      expect([...resample(pixels, options).data]).toEqual(reference(pixels, options));
    }),
    { numRuns: 400 },
  );
});
