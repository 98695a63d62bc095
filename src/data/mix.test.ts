import { describe, expect, test } from 'vitest';
import { KeyedRandom } from '../util/index.js';
import { betaAt, cutmixBox, mixBatch } from './mix.js';

const moments = (values: number[]) => {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return { mean, variance: values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length };
};

test('shares are of the Beta distribution', () => {
  for (const alpha of [0.2, 0.5, 1, 4]) {
    const draws = Array.from({ length: 4000 }, (_, i) => betaAt(KeyedRandom.of(8).fold(i), alpha));
    const { mean, variance } = moments(draws);
    expect(draws.every((v) => v >= 0 && v <= 1)).toBe(true);
    expect(mean, `mean at ${alpha}`).toBeCloseTo(0.5, 1);
    expect(variance / (1 / (4 * (2 * alpha + 1))), `variance at ${alpha}`).toBeCloseTo(1, 0.8);
  }
  // Of Beta(1, 1) every tenth is as full as any other.
  const tenths = new Array<number>(10).fill(0);
  for (let i = 0; i < 4000; i++) tenths[Math.floor(betaAt(KeyedRandom.of(1).fold(i), 1) * 10)]!++;
  for (const n of tenths) expect(Math.abs(n - 400)).toBeLessThan(80);
  expect(() => betaAt(KeyedRandom.of(1), 0)).toThrow(/positive/);
});

test('the boxes of CutMix lie inside and have about the area asked for', () => {
  for (let i = 0; i < 200; i++) {
    const box = cutmixBox(KeyedRandom.of(i), 40, 30, 0.75);
    expect(box.left >= 0 && box.left + box.width <= 40).toBe(true);
    expect(box.top >= 0 && box.top + box.height <= 30).toBe(true);
    expect((box.width * box.height) / 1200).toBeLessThanOrEqual(0.25);
  }
  expect(cutmixBox(KeyedRandom.of(1), 40, 30, 1)).toMatchObject({ width: 0, height: 0 });
});

describe('mixBatch', () => {
  const [width, height, channels, classes] = [4, 3, 2, 3];
  /** Row r holds the value r + 1 everywhere; row 2 is padding. */
  const make = () => {
    const rows = [0, 1, 3];
    const pixels = new Float32Array(4 * channels * 12).map((_, i) => Math.floor(i / 24) + 1);
    const targets = new Float32Array(4 * classes);
    rows.forEach((r, i) => {
      targets[r * classes + i] = 1;
    });
    const weights = Float32Array.of(1, 2, 0, 4);
    return { pixels, targets, weights, width, height, rows };
  };

  test('MixUp blends each picture, target and weight with the next by one share', () => {
    const batch = make();
    mixBatch(batch, KeyedRandom.of(3), { mixup: 1, cutmix: 0, chance: 1 });
    const keep = batch.targets[0]!;
    expect(keep).toBeGreaterThan(0);
    expect(keep).toBeLessThan(1);
    expect(batch.targets[1]).toBeCloseTo(1 - keep, 5);
    expect(batch.pixels[0]).toBeCloseTo(keep * 1 + (1 - keep) * 2, 5);
    expect(batch.pixels[24]).toBeCloseTo(keep * 2 + (1 - keep) * 4, 5);
    expect(batch.pixels[72]).toBeCloseTo(keep * 4 + (1 - keep) * 1, 5); // the last with the first as it was
    expect(batch.weights[3]).toBeCloseTo(keep * 4 + (1 - keep) * 1, 5);
    // Padding stays out of it.
    expect(batch.pixels.subarray(48, 72).every((v) => v === 3)).toBe(true);
    expect([...batch.targets.subarray(6, 9), batch.weights[2]]).toEqual([0, 0, 0, 0]);
  });

  test('CutMix sets a part of the next picture in, and the target has its area', () => {
    let cut = 0;
    for (let seed = 0; seed < 30; seed++) {
      const batch = make();
      mixBatch(batch, KeyedRandom.of(seed), { mixup: 0, cutmix: 1, chance: 1 });
      const first = batch.pixels.subarray(0, 12);
      const pasted = first.filter((v) => v === 2).length;
      expect(first.every((v) => v === 1 || v === 2)).toBe(true);
      expect(batch.pixels.subarray(12, 24)).toEqual(first); // alike in every channel
      expect(batch.targets[0]).toBeCloseTo(1 - pasted / 12, 5);
      expect(batch.targets[1]).toBeCloseTo(pasted / 12, 5);
      expect(batch.pixels.subarray(72, 84).filter((v) => v === 1)).toHaveLength(pasted);
      if (pasted > 0) cut++;
    }
    expect(cut).toBeGreaterThan(10);
  });

  test('both take turns, chance decides, one picture alone stays as it is', () => {
    const kinds = new Set<string>();
    let mixed = 0;
    for (let seed = 0; seed < 200; seed++) {
      const batch = make();
      mixBatch(batch, KeyedRandom.of(seed), { mixup: 1, cutmix: 1, chance: 0.5 });
      const values = new Set(batch.pixels.subarray(0, 24));
      if (values.has(1) && values.size === 1) continue;
      mixed++;
      kinds.add([...values].every(Number.isInteger) ? 'cut' : 'blend');
    }
    expect(kinds.size).toBe(2);
    expect(mixed).toBeGreaterThan(60);
    expect(mixed).toBeLessThan(125);
    const alone = { ...make(), rows: [1] };
    mixBatch(alone, KeyedRandom.of(1), { mixup: 1, cutmix: 1, chance: 1 });
    expect(alone.pixels).toEqual(make().pixels);
  });
});
