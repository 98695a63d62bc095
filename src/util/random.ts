/**
 * Keyed, stateless random numbers. A key is two 32-bit words; folding a seed, a step or a site into
 * a key gives another key, and the number at an index of a key is always the same. There is no
 * state to save: a resumed run draws what a straight run draws.
 *
 * The hash is made of addition, multiplication and right shift modulo 2^32 only: they are what every
 * execution provider has for uint32 (WebGPU's has no xor), so that a graph draws the same bits on
 * every device. `ops/random.ts` is its twin in graph operations.
 */
import { ConfigError } from '../errors.js';

/** Two 32-bit words as signed integers: what a graph is fed as int32[2]. */
export type RandomKey = readonly [number, number];

/** The numbers that define the hash; the graph's twin is built from the same. */
export const RANDOM_HASH = {
  /** Shift of every mixing pass. */
  shift: 16,
  /** Odd constants of the four rounds of the word hash. */
  rounds: [0x21f0aaad, 0xd35a2d97, 0x85ebca6b, 0xc2b2ae35],
  /** Index multiplier of the words that rows and columns are made of. */
  wordIndex: 0x9e3779b9,
  /** Data multipliers and offsets of the two lanes of a folded key, apart from those of words. */
  foldLanes: [0xc2b2ae3d, 0x27d4eb2f],
  foldOffsets: [0x243f6a88, 0x85a308d3],
  /** The key that every seed is folded into. */
  root: [0x13198a2e, 0x03707344],
  /** What the key of a normal number's angle is folded with: nothing that a site is numbered with. */
  angle: 0x616e676c,
  /**
   * Bits lie in rows of this length: the bits at an index mix a hash of their row with a hash of
   * their column. A graph so computes full-strength hashes for rows + columns words only, and
   * three or four cheap passes over all elements.
   */
  rowLength: 1024,
} as const;

/**
 * Adds the high bits to the low ones. Products carry upwards only, so the two in turn reach every
 * bit.
 */
function fall(x: number): number {
  return (x + (x >>> RANDOM_HASH.shift)) | 0;
}

/** x (2x + c) is a permutation of the words for odd c, and far from linear. */
function round(x: number, c: number): number {
  return fall(Math.imul(x, (x + x + c) | 0));
}

function mixWord(start: number, injected: number): number {
  const [c0, c1, c2, c3] = RANDOM_HASH.rounds;
  return round(round(round((round(start, c0) + injected) | 0, c1), c2), c3);
}

/** Word `j` of a key; full-strength: any bit of key or index flips each bit of it with chance 1/2. */
function wordAt([k0, k1]: RandomKey, j: number): number {
  return mixWord((Math.imul(j, RANDOM_HASH.wordIndex) + k0) | 0, k1);
}

/** A 32-bit number for a name, so that sites can be told apart by their path. */
export function hashText(text: string): number {
  let h = text.length;
  for (let i = 0; i < text.length; i++)
    h = round((h + text.charCodeAt(i)) | 0, RANDOM_HASH.rounds[i & 3]!);
  return round(h, RANDOM_HASH.rounds[0]) >>> 0;
}

/** The key that `data` (a step, an index modulo 2^32, or a site's name) leads to from `key`. */
export function foldKey([k0, k1]: RandomKey, data: number | string): RandomKey {
  const d = typeof data === 'string' ? hashText(data) : data;
  return [
    mixWord((Math.imul(d, RANDOM_HASH.foldLanes[0]) + RANDOM_HASH.foldOffsets[0] + k0) | 0, k1),
    mixWord((Math.imul(d, RANDOM_HASH.foldLanes[1]) + RANDOM_HASH.foldOffsets[1] + k1) | 0, k0),
  ];
}

/**
 * The key of a seed and, if given, a step.
 * @param seed an integer; beyond 32 bits both halves count
 * @throws ConfigError when the seed is not an integer that a number holds exactly
 */
export function makeKey(seed: number, step?: number): RandomKey {
  if (!Number.isSafeInteger(seed)) {
    throw new ConfigError(
      `random: the seed must be an integer below 2^53, got ${seed}. Use Math.floor, or another seed.`,
      { seed },
    );
  }
  let key = foldKey(RANDOM_HASH.root, seed | 0);
  // Seeds of 32 bits, the usual ones, take one fold: a graph that is fed an int32 seed agrees.
  if (seed !== (seed | 0) && seed !== seed >>> 0) key = foldKey(key, Math.floor(seed / 2 ** 32));
  return step === undefined ? key : foldKey(key, step);
}

/**
 * The bits at `index` before the last pass, which serves the low eight bits only: what looks at
 * the high 24 (masks, uniform numbers) reads these.
 */
function cellAt(key: RandomKey, index: number): number {
  const row = 4 * Math.floor(index / RANDOM_HASH.rowLength);
  const column = 4 * (index % RANDOM_HASH.rowLength);
  const sum = (wordAt(key, row) + wordAt(key, column + 2)) | 0;
  const inner = fall(Math.imul(sum, 2 * wordAt(key, row + 1) + 1));
  return Math.imul(inner, 2 * wordAt(key, column + 3) + 1);
}

/** 32 random bits at `index` of `key`, as an unsigned integer. */
export function bitsAt(key: RandomKey, index: number): number {
  return fall(cellAt(key, index)) >>> 0;
}

/** A number in [0, 1) at `index` of `key`: a multiple of 2^-24, exact in float32. */
export function uniformAt(key: RandomKey, index: number): number {
  return (cellAt(key, index) >>> 8) * 2 ** -24;
}

/** True with chance `p` at `index` of `key`; `bernoulli` in a graph draws the same. */
export function bernoulliAt(key: RandomKey, index: number, p: number): boolean {
  return cellAt(key, index) >>> 0 < Math.round(p * 2 ** 32);
}

/** Box-Muller: a normal number from two cells; the radius' logarithm never meets 0. */
function gauss(radius: number, angle: number): number {
  const r = Math.sqrt(-2 * Math.log((radius >>> 8) * 2 ** -24 + 2 ** -25));
  return r * Math.cos(2 * Math.PI * (angle >>> 8) * 2 ** -24);
}

/** A standard normal number at `index` of `key`. */
export function normalAt(key: RandomKey, index: number): number {
  return gauss(cellAt(key, index), cellAt(foldKey(key, RANDOM_HASH.angle), index));
}

/** The cells at the indices 0 to count - 1, with one hash a row and a column. */
function cellsOf(key: RandomKey, count: number): Int32Array {
  const out = new Int32Array(count);
  const width = Math.min(count, RANDOM_HASH.rowLength);
  const addends = Int32Array.from({ length: width }, (_, c) => wordAt(key, 4 * c + 2));
  const factors = Int32Array.from({ length: width }, (_, c) => 2 * wordAt(key, 4 * c + 3) + 1);
  for (let start = 0; start < count; start += RANDOM_HASH.rowLength) {
    const row = (4 * start) / RANDOM_HASH.rowLength;
    const addend = wordAt(key, row);
    const factor = 2 * wordAt(key, row + 1) + 1;
    const end = Math.min(width, count - start);
    for (let c = 0; c < end; c++) {
      out[start + c] = Math.imul(fall(Math.imul(addend + addends[c]!, factor)), factors[c]!);
    }
  }
  return out;
}

/**
 * Random numbers of one key, for initial weights, shuffles and augmentation.
 * @example
 * const order = KeyedRandom.of(seed).fold('shuffle').fold(epoch).permutation(samples);
 */
export class KeyedRandom {
  readonly key: RandomKey;

  constructor(key: RandomKey) {
    this.key = key;
  }

  /** Random numbers of a seed and, if given, a step. */
  static of(seed: number, step?: number): KeyedRandom {
    return new KeyedRandom(makeKey(seed, step));
  }

  /** Other random numbers, for a site (a name) or an index (epoch, sample) of their own. */
  fold(data: number | string): KeyedRandom {
    return new KeyedRandom(foldKey(this.key, data));
  }

  /** 32 random bits, unsigned. */
  bits(index = 0): number {
    return bitsAt(this.key, index);
  }

  /** A number in [low, high). */
  uniform(index = 0, low = 0, high = 1): number {
    return low + uniformAt(this.key, index) * (high - low);
  }

  /** A normal number. */
  normal(index = 0, mean = 0, std = 1): number {
    return mean + normalAt(this.key, index) * std;
  }

  /** An integer in [0, bound), for bounds up to 2^32. */
  integer(index: number, bound: number): number {
    return Math.floor(bitsAt(this.key, index) * 2 ** -32 * bound);
  }

  /** True with chance `p`. */
  bernoulli(index: number, p: number): boolean {
    return bernoulliAt(this.key, index, p);
  }

  /** `count` uniform numbers in [low, high): those at the indices 0 to count - 1. */
  uniforms(count: number, low = 0, high = 1): Float32Array {
    const cells = cellsOf(this.key, count);
    return Float32Array.from(cells, (cell) => low + (cell >>> 8) * 2 ** -24 * (high - low));
  }

  /** `count` normal numbers: those at the indices 0 to count - 1. */
  normals(count: number, mean = 0, std = 1): Float32Array {
    const radii = cellsOf(this.key, count);
    const angles = cellsOf(foldKey(this.key, RANDOM_HASH.angle), count);
    return Float32Array.from(radii, (cell, i) => mean + gauss(cell, angles[i]!) * std);
  }

  /** Shuffles `items` in place: every order is equally likely. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.integer(i, i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
    return items;
  }

  /** The numbers 0 to n - 1 in random order. */
  permutation(n: number): number[] {
    return this.shuffle(Array.from({ length: n }, (_, i) => i));
  }
}
