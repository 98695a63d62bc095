import { describe, expect, test } from 'vitest';
import { IMAGENET_PREPROCESS } from '../models/index.js';
import { KeyedRandom } from '../util/index.js';
import { AUGMENTATIONS, augmentation, augmentPixels } from './augment.js';
import { eraseBox, erasedBox, randomErase } from './erase.js';
import { flipHorizontal, flipVertical } from './geometry.js';
import type { Pixels } from './image.js';
import { channelsOf, meanColour, normalizer } from './normalize.js';
import { POLICY_OPERATIONS, randAugment, trivialAugment } from './policy.js';

const FILL = [10, 20, 30] as const;
const picture: Pixels = {
  width: 16,
  height: 12,
  data: Uint8Array.from(KeyedRandom.of(4).uniforms(16 * 12 * 3, 0, 256), Math.floor),
};
const same = (a: Pixels, b: Pixels) => Buffer.compare(a.data, b.data) === 0;
const { none } = AUGMENTATIONS;

describe('augmentPixels', () => {
  test('does nothing by the preset none, and never touches its input', () => {
    expect(augmentPixels(picture, KeyedRandom.of(1), none, FILL)).toBe(picture);
    const before = picture.data.slice();
    for (let i = 0; i < 20; i++)
      augmentPixels(picture, KeyedRandom.of(i), AUGMENTATIONS.strong, FILL);
    expect(Buffer.compare(before, picture.data)).toBe(0);
  });

  test('gives the same bits for the same key and others for another', () => {
    for (const name of ['default', 'strong'] as const) {
      const of = (i: number) =>
        augmentPixels(picture, KeyedRandom.of(3).fold(i), augmentation(name), FILL);
      const results = Array.from({ length: 12 }, (_, i) => of(i));
      results.forEach((r, i) => {
        expect(same(r, of(i))).toBe(true);
      });
      expect(
        new Set(results.map((r) => Buffer.from(r.data).toString('base64'))).size,
      ).toBeGreaterThan(6);
    }
  });

  test('mirrors as often as asked, each way on its own', () => {
    const counts = { none: 0, h: 0, v: 0, both: 0 };
    const h = flipHorizontal(picture);
    const v = flipVertical(picture);
    const both = flipVertical(h);
    for (let i = 0; i < 400; i++) {
      const got = augmentPixels(
        picture,
        KeyedRandom.of(9).fold(i),
        { ...none, flip: 0.5, flipVertical: 0.25 },
        FILL,
      );
      if (same(got, picture)) counts.none++;
      else if (same(got, h)) counts.h++;
      else if (same(got, v)) counts.v++;
      else if (same(got, both)) counts.both++;
    }
    expect(counts.none + counts.h + counts.v + counts.both).toBe(400);
    // Four standard deviations of a binomial of 400.
    expect(Math.abs(counts.h + counts.both - 200)).toBeLessThan(40);
    expect(Math.abs(counts.v + counts.both - 100)).toBeLessThan(35);
  });

  test('jitter stays within its range, affine within its reach', () => {
    const grey: Pixels = { width: 4, height: 4, data: new Uint8Array(48).fill(100) };
    const jitter = { brightness: 0.3, contrast: 0, saturation: 0, hue: 0 };
    const levels = Array.from(
      { length: 200 },
      (_, i) => augmentPixels(grey, KeyedRandom.of(i), { ...none, jitter }, FILL).data[0]!,
    );
    expect(Math.min(...levels)).toBeGreaterThanOrEqual(69);
    expect(Math.min(...levels)).toBeLessThan(80);
    expect(Math.max(...levels)).toBeLessThanOrEqual(130);
    expect(Math.max(...levels)).toBeGreaterThan(120);

    const affine = { degrees: 0, translate: 0.25, shear: 0 };
    const shifts = Array.from({ length: 100 }, (_, i) => {
      const { data } = augmentPixels(picture, KeyedRandom.of(i), { ...none, affine }, FILL);
      // Columns that are filled from outside.
      let columns = 0;
      for (let x = 0; x < 16; x++) {
        const filled = Array.from({ length: 12 }, (_, y) => (y * 16 + x) * 3).every(
          (p) => data[p] === 10 && data[p + 1] === 20 && data[p + 2] === 30,
        );
        if (filled) columns++;
      }
      return columns;
    });
    expect(Math.max(...shifts)).toBe(4);
  });

  test('presets are known by name, others are refused with a list', () => {
    expect(augmentation('light')).toBe(AUGMENTATIONS.light);
    expect(augmentation(none)).toBe(none);
    expect(() => augmentation('heavy')).toThrow(/"heavy"; there are none, light, default, strong/);
    expect(() => augmentation('toString')).toThrow(/no augmentation/);
  });
});

describe('policies', () => {
  test('use every operation, with both signs', () => {
    const seen = new Set<string>();
    // Dull, so that autocontrast shows, and large enough for equalize, which needs 256 pixels.
    const data = Uint8Array.from(KeyedRandom.of(4).uniforms(24 * 20 * 3, 30, 150), Math.floor);
    const dull = { width: 24, height: 20, data };
    for (let i = 0; i < 400; i++) {
      const out = randAugment(dull, KeyedRandom.of(i), { operations: 1, magnitude: 30 }, FILL);
      seen.add(Buffer.from(out.data).toString('base64'));
    }
    // 14 operations, 9 of them either way: 23 results, if no two agree by chance.
    expect(seen.size).toBe(23);
    expect(Object.keys(POLICY_OPERATIONS)).toHaveLength(14);
  });

  test('magnitude 0 changes next to nothing, what cannot be is refused', () => {
    for (let i = 0; i < 60; i++) {
      const out = randAugment(picture, KeyedRandom.of(i), { operations: 1, magnitude: 0 }, FILL);
      const [untouched, equal, contrast] = [
        picture,
        POLICY_OPERATIONS.equalize(picture),
        POLICY_OPERATIONS.autocontrast(picture),
      ];
      const solar = POLICY_OPERATIONS.solarize(picture, 255);
      expect([untouched, equal, contrast, solar].some((p) => same(p, out))).toBe(true);
    }
    expect(() =>
      randAugment(picture, KeyedRandom.of(1), { operations: 1, magnitude: 31 }, FILL),
    ).toThrow(/0 to 30/);
  });

  test('TrivialAugment draws the strength too', () => {
    const results = Array.from({ length: 300 }, (_, i) =>
      trivialAugment(picture, KeyedRandom.of(i), FILL),
    );
    expect(
      new Set(results.map((r) => Buffer.from(r.data).toString('base64'))).size,
    ).toBeGreaterThan(120);
  });
});

describe('erasing', () => {
  const options = { scale: [0.02, 0.33], ratio: [0.3, 3.3] } as const;

  test('boxes are as large and as long as asked, and lie inside', () => {
    for (let i = 0; i < 200; i++) {
      const box = erasedBox(KeyedRandom.of(i), 50, 40, options)!;
      const area = (box.width * box.height) / 2000;
      expect(area).toBeGreaterThan(0.01);
      expect(area).toBeLessThan(0.36);
      expect(box.left >= 0 && box.left + box.width <= 50).toBe(true);
      expect(box.top >= 0 && box.top + box.height <= 40).toBe(true);
    }
    expect(erasedBox(KeyedRandom.of(1), 50, 40, { scale: [1, 1], ratio: [1, 1] })).toBeNull();
  });

  test('fills the box in every channel and nothing else', () => {
    const data = new Float32Array(3 * 4 * 5).fill(7);
    const box = { left: 1, top: 2, width: 3, height: 1 };
    eraseBox(data, 5, 4, box);
    const want = Array.from({ length: 60 }, (_, i) => {
      const [y, x] = [Math.floor((i % 20) / 5), i % 5];
      return y === 2 && x >= 1 && x < 4 ? 0 : 7;
    });
    expect([...data]).toEqual(want);
    eraseBox(data, 5, 4, box, KeyedRandom.of(2));
    const noise = [0, 1, 2].flatMap((k) => [...data.subarray(k * 20 + 11, k * 20 + 14)]);
    expect(new Set(noise).size).toBe(9);
    expect(noise.every((v) => Math.abs(v) < 6)).toBe(true);
  });

  test('happens as often as asked', () => {
    let erased = 0;
    for (let i = 0; i < 400; i++) {
      const data = new Float32Array(100).fill(1);
      randomErase(data, 10, 10, KeyedRandom.of(i), { ...options, chance: 0.25, fill: 'mean' });
      if (data.includes(0)) erased++;
    }
    expect(Math.abs(erased - 100)).toBeLessThan(35);
  });
});

describe('normalize', () => {
  test('is (value * rescale - mean) / deviation, channel by channel', () => {
    const out = new Float32Array(3 * 16 * 12);
    normalizer(IMAGENET_PREPROCESS)(picture, out);
    for (const p of [0, 37, 191]) {
      for (const k of [0, 1, 2]) {
        const want =
          (picture.data[3 * p + k]! / 255 - IMAGENET_PREPROCESS.mean[k]!) /
          IMAGENET_PREPROCESS.deviation[k]!;
        expect(out[k * 192 + p]).toBeCloseTo(want, 5);
      }
    }
    expect(meanColour(IMAGENET_PREPROCESS)).toEqual([124, 116, 104]);
  });

  test('one mean makes a grey picture of one channel', () => {
    const grey = { ...IMAGENET_PREPROCESS, mean: [0.5], deviation: [0.5] };
    expect(channelsOf(grey)).toBe(1);
    const out = new Float32Array(192);
    normalizer(grey)(picture, out);
    const [r, g, b] = picture.data.subarray(0, 3) as unknown as [number, number, number];
    const luma = Math.round(0.299 * r + 0.587 * g + 0.114 * b);
    expect(out[0]).toBeCloseTo((luma / 255 - 0.5) / 0.5, 1);
    expect(meanColour(grey)).toEqual([128, 128, 128]);
  });

  test('refuses means and deviations that fit no picture', () => {
    expect(() => channelsOf({ ...IMAGENET_PREPROCESS, mean: [0, 0] })).toThrow(
      /2 means and 3 deviations/,
    );
    expect(() => channelsOf({ ...IMAGENET_PREPROCESS, deviation: [1, 0, 1] })).toThrow(
      /must be positive/,
    );
  });
});
