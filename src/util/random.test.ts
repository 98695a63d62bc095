import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bernoulliAt,
  bitsAt,
  foldKey,
  hashText,
  KeyedRandom,
  makeKey,
  normalAt,
  RANDOM_HASH,
  type RandomKey,
  uniformAt,
} from './random.js';

const ROW_LENGTH = RANDOM_HASH.rowLength;

// All keys are fixed, so every statistic below is a fixed number: a test fails only when the hash
// changes. The bounds are in standard deviations of a perfect generator.

/** Deviation of a chi-square statistic from its expectation, in standard deviations. */
function chiSquare(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  let statistic = 0;
  for (let i = 0; i < counts.length; i++) statistic += (counts[i]! - expected) ** 2 / expected;
  const freedom = counts.length - 1;
  return (statistic - freedom) / Math.sqrt(2 * freedom);
}

/** Deviation of a count of heads from a fair coin's, in standard deviations. */
function coin(heads: number, tosses: number): number {
  return (heads - tosses / 2) / Math.sqrt(tosses / 4);
}

function bitsOf(key: RandomKey, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => bitsAt(key, i));
}

const ROWS = 192;
const keys: Record<string, RandomKey> = {
  zero: [0, 0],
  small: [1, 2],
  seeded: makeKey(42, 7),
};

describe.each(Object.entries(keys))('bits of key %s', (_, key) => {
  const n = ROWS * ROW_LENGTH;
  const bits = bitsOf(key, n);

  test('are uniform in every byte', () => {
    for (const shift of [0, 8, 16, 24]) {
      const counts = new Uint32Array(256);
      for (const b of bits) counts[(b >>> shift) & 255]!++;
      expect(Math.abs(chiSquare(counts, n)), `byte at ${shift}`).toBeLessThan(4);
    }
  });

  test('are independent of their neighbours along rows and columns', () => {
    for (const lag of [1, 2, 3, 64, ROW_LENGTH - 1, ROW_LENGTH, ROW_LENGTH + 1, 16 * ROW_LENGTH]) {
      for (const shift of [0, 12, 28]) {
        const counts = new Uint32Array(256);
        for (let i = 0; i + lag < n; i++) {
          counts[((bits[i]! >>> shift) & 15) * 16 + ((bits[i + lag]! >>> shift) & 15)]!++;
        }
        expect(Math.abs(chiSquare(counts, n - lag)), `lag ${lag}, bit ${shift}`).toBeLessThan(4.5);
      }
    }
  });

  // A hash of row and column can hide its structure from pairs, but not from rectangles.
  test('have no structure in the corners of rectangles', () => {
    for (const [down, right] of [
      [1, 1],
      [1, 2],
      [2, 1],
      [16, 16],
      [1, 512],
      [128, 1],
    ] as const) {
      const odd = new Uint32Array(32);
      let total = 0;
      for (let r = 0; r + down < ROWS; r++) {
        for (let c = 0; c + right < ROW_LENGTH; c++) {
          const at = r * ROW_LENGTH + c;
          const below = at + down * ROW_LENGTH;
          const parity = bits[at]! ^ bits[at + right]! ^ bits[below]! ^ bits[below + right]!;
          for (let b = 0; b < 32; b++) odd[b]! += (parity >>> b) & 1;
          total++;
        }
      }
      for (let b = 0; b < 32; b++) {
        expect(Math.abs(coin(odd[b]!, total)), `${down}x${right}, bit ${b}`).toBeLessThan(4.5);
      }
    }
  });

  test('drop as many units of each row and each column as chance does', () => {
    for (const p of [0.1, 0.5]) {
      const rows = new Float64Array(ROWS);
      const columns = new Float64Array(ROW_LENGTH);
      for (let i = 0; i < n; i++) {
        if (!bernoulliAt(key, i, p)) continue;
        rows[Math.floor(i / ROW_LENGTH)]!++;
        columns[i % ROW_LENGTH]!++;
      }
      for (const [sums, length] of [
        [rows, ROW_LENGTH],
        [columns, ROWS],
      ] as const) {
        let statistic = 0;
        for (const s of sums) statistic += (s - length * p) ** 2 / (length * p * (1 - p));
        const z = (statistic - sums.length) / Math.sqrt(2 * sums.length);
        expect(Math.abs(z), `p ${p}, lines of ${length}`).toBeLessThan(4);
      }
    }
  });

  // The largest of 16 110 correlations of perfect noise is 4.2 deviations on average.
  test('have no two correlated rows or columns', () => {
    const sign = (r: number, c: number) => (bits[r * ROW_LENGTH + c]! >>> 31 ? 1 : -1);
    const lines = 180;
    for (const get of [sign, (c: number, r: number) => sign(r, c)]) {
      let worst = 0;
      let squares = 0;
      for (let a = 0; a < lines; a++) {
        for (let b = 0; b < a; b++) {
          let dot = 0;
          for (let k = 0; k < ROWS; k++) dot += get(a, k) * get(b, k);
          squares += dot ** 2 / ROWS;
          worst = Math.max(worst, Math.abs(dot) / Math.sqrt(ROWS));
        }
      }
      const pairs = (lines * (lines - 1)) / 2;
      expect(worst).toBeLessThan(5.5);
      expect(Math.abs(squares - pairs) / Math.sqrt(2 * pairs)).toBeLessThan(4);
    }
  });
});

describe('keys', () => {
  test('each bit of key and data flips each bit of the folded key half of the time', () => {
    const trials = 3000;
    for (let flipped = 0; flipped < 96; flipped++) {
      const changes = new Uint32Array(64);
      for (let i = 0; i < trials; i++) {
        const words = [Math.imul(i + 1, 0x9e3779b1), Math.imul(i, 0x85ebca77), i];
        const before = foldKey([words[0]!, words[1]!], words[2]!);
        words[flipped >> 5]! ^= 1 << (flipped & 31);
        const after = foldKey([words[0]!, words[1]!], words[2]!);
        for (let b = 0; b < 64; b++) {
          changes[b]! += ((before[b >> 5]! ^ after[b >> 5]!) >>> (b & 31)) & 1;
        }
      }
      for (let b = 0; b < 64; b++) {
        expect(Math.abs(coin(changes[b]!, trials)), `bit ${flipped} -> ${b}`).toBeLessThan(5);
      }
    }
  });

  test.each([
    ['steps', (i: number) => makeKey(3, i)],
    ['seeds', (i: number) => makeKey(i)],
    ['sites', (i: number) => foldKey([9, 9], `layer.${i}`)],
    ['first word', (i: number): RandomKey => [i, 5]],
    ['second word', (i: number): RandomKey => [5, i]],
  ])('neighbouring %s share nothing', (_, keyAt) => {
    const n = 4096;
    let before = bitsOf(keyAt(0), n);
    for (let i = 1; i <= 12; i++) {
      const bits = bitsOf(keyAt(i), n);
      const different = new Uint32Array(32);
      for (let k = 0; k < n; k++) {
        const change = bits[k]! ^ before[k]!;
        for (let b = 0; b < 32; b++) different[b]! += (change >>> b) & 1;
      }
      for (let b = 0; b < 32; b++) expect(Math.abs(coin(different[b]!, n))).toBeLessThan(4.5);
      before = bits;
    }
  });

  test('one index over many steps is uniform', () => {
    const steps = 40_000;
    for (const index of [0, 1, ROW_LENGTH, 5000]) {
      const counts = new Uint32Array(256);
      for (let s = 0; s < steps; s++) counts[bitsAt(foldKey([7, 8], s), index) >>> 24]!++;
      expect(Math.abs(chiSquare(counts, steps))).toBeLessThan(4);
    }
  });

  test('a hundred thousand folds collide nowhere', () => {
    const seen = new Set<bigint>();
    for (let i = 0; i < 100_000; i++) {
      const [a, b] = foldKey([3, 4], i);
      seen.add((BigInt(a) << 32n) | BigInt(b >>> 0));
    }
    expect(seen.size).toBe(100_000);
  });

  test('seeds of 32 bits agree signed and unsigned, larger ones count in full', () => {
    expect(makeKey(-1)).toEqual(makeKey(2 ** 32 - 1));
    expect(makeKey(2 ** 32 + 5)).not.toEqual(makeKey(5));
    expect(makeKey(2 ** 33 + 5)).not.toEqual(makeKey(2 ** 32 + 5));
    expect(() => makeKey(0.5)).toThrow(/integer/);
  });

  test('bits are the ones of the first release', () => {
    // Changing these breaks resuming and repeating runs made before.
    const key = makeKey(42, 7);
    expect(key).toMatchInlineSnapshot(`
      [
        -2090379909,
        -1127720639,
      ]
    `);
    expect([0, 1, 1023, 1024, 70_000].map((i) => bitsAt(key, i))).toMatchInlineSnapshot(`
      [
        3537913243,
        3504518048,
        3047629218,
        4274117835,
        2041195745,
      ]
    `);
    expect(hashText('encoder.layer.0.dropout')).toMatchInlineSnapshot(`4168565260`);
  });
});

describe('KeyedRandom', () => {
  const random = KeyedRandom.of(11).fold('test');

  test('bulk draws are the single ones', () => {
    for (const count of [0, 1, 5, ROW_LENGTH, ROW_LENGTH + 3, 2 * ROW_LENGTH]) {
      const single = (at: (key: RandomKey, i: number) => number) =>
        Float32Array.from({ length: count }, (_, i) => at(random.key, i));
      expect(random.uniforms(count)).toEqual(single(uniformAt));
      expect(random.normals(count)).toEqual(single(normalAt));
    }
  });

  test('uniform numbers have the moments and bounds of [low, high)', () => {
    const values = random.uniforms(50_000, -2, 6);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean - 2)).toBeLessThan(0.04);
    expect(Math.abs(variance - 64 / 12)).toBeLessThan(0.1);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...values)).toBeLessThan(6);
  });

  test('normal numbers fall into equally likely intervals equally often', () => {
    // Deciles of the standard normal distribution.
    const deciles = [
      -1.281552, -0.841621, -0.524401, -0.253347, 0, 0.253347, 0.524401, 0.841621, 1.281552,
    ];
    const counts = new Uint32Array(10);
    const values = random.normals(50_000);
    for (const v of values) counts[deciles.filter((d) => d < v).length]!++;
    expect(Math.abs(chiSquare(counts, values.length))).toBeLessThan(4);
    expect(random.normal(3, 10, 0)).toBe(10);
  });

  test('integers are uniform and below their bound', () => {
    const counts = new Uint32Array(7);
    for (let i = 0; i < 20_000; i++) counts[random.integer(i, 7)]!++;
    expect(counts.length).toBe(7);
    expect(Math.abs(chiSquare(counts, 20_000))).toBeLessThan(4);
  });

  test('every order of four items is equally likely', () => {
    const counts = new Map<string, number>();
    const trials = 12_000;
    for (let i = 0; i < trials; i++) {
      const order = random.fold(i).permutation(4).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    expect(Math.abs(chiSquare([...counts.values()], trials))).toBeLessThan(4);
  });

  test('a shuffle keeps all items', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.integer(), (items, seed) => {
        const shuffled = KeyedRandom.of(seed).shuffle([...items]);
        const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
        expect(sorted(shuffled)).toEqual(sorted(items));
      }),
    );
  });

  test('chances are met', () => {
    const n = 20_000;
    for (const p of [0, 0.03, 0.9, 1]) {
      let hits = 0;
      for (let i = 0; i < n; i++) if (random.bernoulli(i, p)) hits++;
      expect(Math.abs(hits - n * p)).toBeLessThanOrEqual(4 * Math.sqrt(n * p * (1 - p)));
    }
  });
});
