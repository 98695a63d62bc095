import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IMAGENET_PREPROCESS, type Resample } from '../models/index.js';
import { KeyedRandom } from '../util/index.js';
import type { Pixels } from './image.js';
import { resample } from './resample.js';
import {
  applyView,
  cropView,
  evalView,
  randomBox,
  reductionFor,
  roundHalfEven,
  TEST_VIEWS,
  viewOfReduced,
} from './view.js';

const noise = (width: number, height: number, seed = 1): Pixels => ({
  width,
  height,
  data: Uint8Array.from(KeyedRandom.of(seed).uniforms(width * height * 3, 0, 256), Math.floor),
});

test('halves are rounded to the even neighbour', () => {
  expect([0.5, 1.5, 2.5, -1.5, -2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, -2, -2, 2, 3]);
});

describe('resample', () => {
  const size = fc.integer({ min: 1, max: 24 });
  const filter = fc.constantFrom<Resample>('nearest', 'bilinear', 'bicubic', 'lanczos');

  test('a window of the result is that part of the whole result', () => {
    fc.assert(
      fc.property(
        size,
        size,
        size,
        size,
        filter,
        fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
        (w, h, ow, oh, f, stream) => {
          const draw = () => stream.next().value as number;
          const box = { left: 0, top: 0, width: w, height: h };
          const picture = noise(w, h);
          const whole = resample(picture, {
            box,
            size: { width: ow, height: oh },
            window: { left: 0, top: 0, width: ow, height: oh },
            filter: f,
          });
          const left = Math.floor(draw() * ow);
          const top = Math.floor(draw() * oh);
          const width = 1 + Math.floor(draw() * (ow - left));
          const height = 1 + Math.floor(draw() * (oh - top));
          const part = resample(picture, {
            box,
            size: { width: ow, height: oh },
            window: { left, top, width, height },
            filter: f,
          });
          for (let y = 0; y < height; y++) {
            const row = whole.data.subarray(
              ((top + y) * ow + left) * 3,
              ((top + y) * ow + left + width) * 3,
            );
            expect([...part.data.subarray(y * width * 3, (y + 1) * width * 3)]).toEqual([...row]);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a box reads nothing outside of itself, and equal colours stay as they are', () => {
    fc.assert(
      fc.property(size, size, size, size, filter, fc.nat(255), (w, h, ow, oh, f, level) => {
        const picture = noise(w + 6, h + 5);
        for (let y = 0; y < h; y++)
          picture.data.fill(level, ((y + 2) * (w + 6) + 3) * 3, ((y + 2) * (w + 6) + 3 + w) * 3);
        const options = {
          box: { left: 3, top: 2, width: w, height: h },
          size: { width: ow, height: oh },
          window: { left: 0, top: 0, width: ow, height: oh },
          filter: f,
        };
        expect(resample(picture, options).data.every((v) => v === level)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('random crops', () => {
  const range = { scale: [0.2, 0.9], ratio: [0.75, 4 / 3] } as const;

  test('lie inside, keep area and shape in range, and fall back to the middle', () => {
    for (let seed = 0; seed < 300; seed++) {
      const { left, top, width, height } = randomBox(KeyedRandom.of(seed), 200, 150, range);
      expect(left >= 0 && top >= 0 && left + width <= 200 && top + height <= 150).toBe(true);
      const area = (width * height) / (200 * 150);
      expect(area).toBeGreaterThan(0.19);
      expect(area).toBeLessThan(0.91);
      expect(width / height).toBeGreaterThan(0.73);
      expect(width / height).toBeLessThan(1.37);
    }
    const full = { scale: [1, 1], ratio: [1, 1] } as const;
    expect(randomBox(KeyedRandom.of(1), 30, 10, full)).toEqual({
      left: 10,
      top: 0,
      width: 10,
      height: 10,
    });
    expect(randomBox(KeyedRandom.of(1), 10, 30, full)).toEqual({
      left: 0,
      top: 10,
      width: 10,
      height: 10,
    });
    expect(randomBox(KeyedRandom.of(1), 1, 1, range)).toEqual({
      left: 0,
      top: 0,
      width: 1,
      height: 1,
    });
  });

  test('reach every corner, and are the same for the same key', () => {
    const boxes = Array.from({ length: 400 }, (_, i) =>
      randomBox(KeyedRandom.of(5).fold(i), 100, 100, range),
    );
    expect(Math.min(...boxes.map((b) => b.left))).toBe(0);
    expect(Math.max(...boxes.map((b) => b.left + b.width))).toBe(100);
    const mean = boxes.reduce((a, b) => a + b.width * b.height, 0) / boxes.length / 1e4;
    expect(mean).toBeCloseTo(0.55, 1); // uniform over [0.2, 0.9]
    expect(randomBox(KeyedRandom.of(5).fold(7), 100, 100, range)).toEqual(boxes[7]);
  });

  test('of a reduced picture cover the same part', () => {
    const view = cropView(IMAGENET_PREPROCESS, KeyedRandom.of(2), range)(4001, 3003);
    expect(reductionFor(view)).toBe(4);
    const { box } = viewOfReduced(
      view,
      { width: 4001, height: 3003 },
      { width: 1000, height: 751 },
    );
    expect(Math.abs(box.left - view.box.left / 4)).toBeLessThan(1.5);
    expect(Math.abs(box.width - view.box.width / 4)).toBeLessThan(1.5);
    expect(box.left + box.width).toBeLessThanOrEqual(1000);
    expect(box.top + box.height).toBeLessThanOrEqual(751);
  });
});

describe('views to test on', () => {
  const preprocess = {
    ...IMAGENET_PREPROCESS,
    width: 8,
    height: 8,
    shortSide: 8,
    resample: 'nearest',
  } as const;

  test('five crops lie in the corners and in the middle, with room to move', () => {
    const windows = TEST_VIEWS['five-crop'].map((v) => evalView(preprocess, v)(16, 16));
    expect(windows.map((w) => [w.size.width, w.window.left, w.window.top])).toEqual([
      [8, 0, 0],
      [9, 0, 0],
      [9, 1, 0],
      [9, 0, 1],
      [9, 1, 1],
    ]);
    const squashed = evalView({ ...preprocess, fit: 'squash' }, TEST_VIEWS['five-crop'][4])(30, 10);
    expect(squashed.size).toEqual({ width: 9, height: 9 });
    expect(TEST_VIEWS['ten-crop']).toHaveLength(10);
  });

  test('the mirrored view is the centre, mirrored', () => {
    const picture = noise(13, 9);
    const [plain, mirrored] = TEST_VIEWS.flip.map((v) =>
      applyView(picture, evalView(preprocess, v)(13, 9)),
    );
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 8; x++) {
        const at = (p: Pixels, i: number) => [
          ...p.data.subarray((y * 8 + i) * 3, (y * 8 + i) * 3 + 3),
        ];
        expect(at(mirrored!, 7 - x)).toEqual(at(plain!, x));
      }
    }
  });
});

test('a view that does not lie in the picture is refused', () => {
  const view = evalView(IMAGENET_PREPROCESS)(50, 40);
  expect(() => applyView(noise(30, 40), view)).toThrow(/does not lie in a picture of 30 x 40/);
});
