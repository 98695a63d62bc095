import { describe, expect, test } from 'vitest';
import { KeyedRandom } from '../util/index.js';
import {
  differenceHash,
  hashDistance,
  nearDuplicates,
  THUMBNAIL,
  type Thumbnail,
  thumbnailDifference,
} from './near-duplicates.js';

const VALUES = THUMBNAIL.width * THUMBNAIL.height * 3;

/** Smooth random colours. */
function picture(seed: number): Thumbnail {
  const w = KeyedRandom.of(seed).uniforms(24, -3, 3);
  return Uint8Array.from({ length: VALUES }, (_, i) => {
    const k = i % 3;
    const p = Math.floor(i / 3);
    const [x, y] = [(p % THUMBNAIL.width) / 9, Math.floor(p / THUMBNAIL.width) / 8];
    const wave = (j: number) =>
      Math.sin(w[8 * k + j]! * 3 * x + w[8 * k + j + 1]! * 3 * y + w[8 * k + j + 2]!);
    return 128 + 60 * wave(0) + 50 * wave(4);
  });
}

/** The same with noise of up to `amount` levels and another exposure. */
function shot(thumbnail: Thumbnail, seed: number, amount: number, exposure = 0): Thumbnail {
  const noise = KeyedRandom.of(seed).uniforms(VALUES, -amount, amount);
  return thumbnail.map((v, i) => Math.max(0, Math.min(255, v + exposure + noise[i]!)));
}

test('the hash says where it gets lighter to the right', () => {
  const rising = Uint8Array.from({ length: VALUES }, (_, i) => (Math.floor(i / 3) % 9) * 20);
  const falling = rising.map((v) => 255 - v);
  expect(differenceHash(rising)).toEqual([0xffffffff, 0xffffffff]);
  expect(differenceHash(falling)).toEqual([0, 0]);
  expect(hashDistance(differenceHash(rising), differenceHash(falling))).toBe(64);
  expect(hashDistance([0b1011, 0x80000000], [0b0001, 0])).toBe(3);
});

test('the difference takes exposure out, but no more, and sees colours', () => {
  const a = picture(1);
  expect(thumbnailDifference(a, a)).toEqual({ grey: 0, colour: 0 });
  expect(
    thumbnailDifference(
      a,
      a.map((v) => v / 1.1 + 5),
    ).grey,
  ).toBeLessThan(0.6);
  expect(
    thumbnailDifference(
      a,
      a.map((v) => v / 2),
    ).grey,
  ).toBeGreaterThan(8);
  const red = a.map((v, i) => (i % 3 === 0 ? v + 12 : v - 6));
  const { grey, colour } = thumbnailDifference(a, red);
  expect(grey).toBeLessThan(1);
  expect(colour).toBeCloseTo(9, 5);
});

describe('nearDuplicates', () => {
  test('joins shots of one thing, and pictures that another one links', () => {
    const [a, b] = [picture(1), picture(2)];
    const near = shot(a, 10, 2, 4);
    const nearer = shot(near, 11, 2, 3); // further from the first
    expect(nearDuplicates([a, b, near, picture(3), nearer, shot(b, 12, 1)])).toEqual([
      0, 1, 0, 3, 0, 1,
    ]);
  });

  test('tells colours apart that are equally light', () => {
    const fill = (colour: number[]) =>
      Uint8Array.from({ length: VALUES }, (_, i) => colour[i % 3]!);
    const [red, green] = [fill([200, 20, 20]), fill([20, 110, 20])];
    expect(nearDuplicates([red, green, red, green.map((v) => v + 2)])).toEqual([0, 1, 0, 1]);
  });

  test('finds by bands what comparing all pairs finds', () => {
    const pictures = Array.from({ length: 150 }, (_, i) => {
      const source = picture(i % 60);
      return i < 60 ? source : shot(source, i, (i % 5) + 0.5, (i % 7) - 3);
    });
    const want = pictures.map((_, i) => i);
    const hashes = pictures.map(differenceHash);
    for (let changed = true; changed; ) {
      changed = false;
      for (let i = 0; i < pictures.length; i++) {
        for (let j = 0; j < i; j++) {
          if (want[i] === want[j] || hashDistance(hashes[i]!, hashes[j]!) > 5) continue;
          const { grey, colour } = thumbnailDifference(pictures[i]!, pictures[j]!);
          if (grey > 1.5 || colour > 8) continue;
          want[i] = want[j] = Math.min(want[i]!, want[j]!);
          changed = true;
        }
      }
    }
    const found = nearDuplicates(pictures);
    expect(found).toEqual(want);
    expect(new Set(found).size).toBeLessThan(110); // it joined many
    expect(new Set(found).size).toBeGreaterThanOrEqual(60);
  });

  test('thousands of blank pages are one set, quickly', () => {
    const blank = new Uint8Array(VALUES).fill(250);
    expect(new Set(nearDuplicates(new Array(20_000).fill(blank)))).toEqual(new Set([0]));
    expect(nearDuplicates([])).toEqual([]);
  });
});
