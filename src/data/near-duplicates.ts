/**
 * Pictures that are nearly the same: another size, another compression, the next shot of a series.
 * On both sides of a split they would make a validation look better than it is.
 *
 * A difference hash (one bit for each step to the right that gets lighter, on 9 x 8 grey cells)
 * proposes, a comparison of 18 x 16 thumbnails in colour decides.
 */

import { hashBytes } from '../util/index.js';
import { luma } from './colour.js';

/** Size of the thumbnails, pixels: two of them to a cell of the hash. */
export const THUMBNAIL = { width: 18, height: 16 } as const;

/** A tiny picture, [16, 18, 3], whatever the aspect of the picture. */
export type Thumbnail = Uint8Array;

/** 64 bits, as two unsigned halves. */
export type DifferenceHash = readonly [number, number];

/** The difference hash of a thumbnail: bit 8 y + x says that cell x + 1 of row y is lighter than x. */
export function differenceHash(thumbnail: Thumbnail): DifferenceHash {
  const cells = new Uint32Array(72);
  for (let p = 0; p < thumbnail.length / 3; p++) {
    const y = Math.floor(p / THUMBNAIL.width) >> 1;
    const x = (p % THUMBNAIL.width) >> 1;
    const [r, g, b] = thumbnail.subarray(3 * p, 3 * p + 3) as unknown as [number, number, number];
    cells[9 * y + x]! += luma(r, g, b);
  }
  const halves: [number, number] = [0, 0];
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      if (cells[9 * y + x]! < cells[9 * y + x + 1]!) halves[y >> 2]! |= 1 << ((y & 3) * 8 + x);
    }
  }
  return [halves[0] >>> 0, halves[1] >>> 0];
}

function bitsSet(x: number): number {
  let v = x - ((x >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bits in which two hashes differ, 0 to 64. */
export function hashDistance(a: DifferenceHash, b: DifferenceHash): number {
  return bitsSet(a[0] ^ b[0]) + bitsSet(a[1] ^ b[1]);
}

/** Exposure changes from shot to shot: so many grey levels of it are taken out. */
const EXPOSURE = 8;

function meanOf(thumbnail: Thumbnail): number {
  let sum = 0;
  for (let i = 0; i < thumbnail.length; i++) sum += thumbnail[i]!;
  return sum / thumbnail.length;
}

/**
 * Mean difference of two thumbnails, grey levels, once a difference in exposure is taken out.
 * @param shift by how much the mean of `a` exceeds that of `b`
 * @param limit where to stop: from here on the exact difference does not matter
 */
export function thumbnailDifference(
  a: Thumbnail,
  b: Thumbnail,
  shift = meanOf(a) - meanOf(b),
  limit = Number.POSITIVE_INFINITY,
): number {
  const taken = Math.max(-EXPOSURE, Math.min(EXPOSURE, shift));
  const most = limit * a.length;
  let sum = 0;
  for (let i = 0; i < a.length && sum <= most; i++) sum += Math.abs(a[i]! - b[i]! - taken);
  return sum / a.length;
}

/**
 * Limits of what counts as nearly the same. On photographs (Office-Caltech) doubles differ by less
 * than 2 levels and other pictures by more than 5; on digits and X-rays, which all look alike, the
 * hash alone would join thousands, the two together find the doubles only.
 */
const MAX_BITS = 4;
const MAX_DIFFERENCE = 2.5;

/** Bits of each band: hashes that differ in at most 4 bits agree in at least one of 5 bands. */
const BANDS = [13, 13, 13, 13, 12];

/** The bands of a hash, each with its place so that they can share one table. */
function bandsOf([a, b]: DifferenceHash): number[] {
  let from = 0;
  return BANDS.map((bits, i) => {
    let value = 0;
    for (let k = from; k < from + bits; k++) {
      value = value * 2 + (((k < 32 ? a : b) >>> (k & 31)) & 1);
    }
    from += bits;
    return i * 2 ** 13 + value;
  });
}

/** Which of `count` things belong together. */
class Sets {
  readonly #parent: Int32Array;

  constructor(count: number) {
    this.#parent = Int32Array.from({ length: count }, (_, i) => i);
  }

  find(i: number): number {
    const parent = this.#parent;
    let root = i;
    while (parent[root] !== root) {
      parent[root] = parent[parent[root]!]!;
      root = parent[root]!;
    }
    return root;
  }

  /** The smaller number stands for both. */
  join(i: number, j: number): void {
    const [a, b] = [this.find(i), this.find(j)];
    this.#parent[Math.max(a, b)] = Math.min(a, b);
  }
}

/**
 * Finds the sets of pictures that are nearly the same, directly or through others. Only pictures
 * that share a band of their hash are compared, not all pairs.
 * @returns for each picture the first one of its set: its own number when it has no double
 */
export function nearDuplicates(thumbnails: readonly Thumbnail[]): number[] {
  const sets = new Sets(thumbnails.length);
  const firstOf = new Map<string, number>();
  const buckets = new Map<number, number[]>();
  const high = new Int32Array(thumbnails.length);
  const low = new Int32Array(thumbnails.length);
  const means = thumbnails.map(meanOf);
  thumbnails.forEach((thumbnail, i) => {
    const hash = differenceHash(thumbnail);
    [high[i], low[i]] = hash;
    // Equal ones are joined here, so that thousands of blank pages are not compared pairwise.
    const key = hashBytes(thumbnail);
    const first = firstOf.get(key);
    if (first !== undefined) {
      sets.join(first, i);
      return;
    }
    firstOf.set(key, i);
    for (const band of bandsOf(hash)) {
      const bucket = buckets.get(band);
      if (bucket) bucket.push(i);
      else buckets.set(band, [i]);
    }
  });
  const compare = (i: number, j: number) => {
    const shift = means[i]! - means[j]!;
    const [a, b] = [thumbnails[i]!, thumbnails[j]!];
    if (thumbnailDifference(a, b, shift, MAX_DIFFERENCE) <= MAX_DIFFERENCE) sets.join(i, j);
  };
  for (const bucket of buckets.values()) {
    const members = Int32Array.from(bucket);
    for (let x = 1; x < members.length; x++) {
      const i = members[x]!;
      const [a, b] = [high[i]!, low[i]!];
      for (let y = 0; y < x; y++) {
        const j = members[y]!;
        if (bitsSet(a ^ high[j]!) + bitsSet(b ^ low[j]!) > MAX_BITS) continue;
        if (sets.find(i) !== sets.find(j)) compare(i, j);
      }
    }
  }
  return thumbnails.map((_, i) => sets.find(i));
}
