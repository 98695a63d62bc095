/**
 * Pictures that are nearly the same: another size, another compression, another exposure. On both
 * sides of a split they would make a validation look better than it is.
 *
 * A difference hash (one bit for each step to the right that gets lighter, on 9 x 8 cells)
 * proposes, a comparison of the cells decides.
 */
import { hashBytes } from '../util/index.js';
import { luma } from './colour.js';

/** Size of the thumbnails, pixels. */
export const THUMBNAIL = { width: 9, height: 8 } as const;

/** A tiny picture, [8, 9, 3], whatever the aspect of the picture. */
export type Thumbnail = Uint8Array;

const CELLS = THUMBNAIL.width * THUMBNAIL.height;

/** 64 bits, as two unsigned halves. */
export type DifferenceHash = readonly [number, number];

/** The grey levels of a thumbnail. */
function greyOf(thumbnail: Thumbnail): Uint8Array {
  const grey = new Uint8Array(CELLS);
  for (let i = 0, p = 0; i < CELLS; i++, p += 3) {
    grey[i] = luma(thumbnail[p]!, thumbnail[p + 1]!, thumbnail[p + 2]!);
  }
  return grey;
}

/** The difference hash of a thumbnail: bit 8 y + x says that cell x + 1 of row y is lighter than x. */
export function differenceHash(thumbnail: Thumbnail): DifferenceHash {
  const grey = greyOf(thumbnail);
  const halves: [number, number] = [0, 0];
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      if (grey[9 * y + x]! < grey[9 * y + x + 1]!) halves[y >> 2]! |= 1 << ((y & 3) * 8 + x);
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

/** By how much one exposure may stretch the grey levels of another. */
const GAIN = 1.15;

/** A thumbnail, prepared to be compared with many. */
interface Prepared {
  readonly thumbnail: Thumbnail;
  /** Grey levels less their mean. */
  readonly grey: Float64Array;
  /** Sum of their squares. */
  readonly energy: number;
}

function prepared(thumbnail: Thumbnail): Prepared {
  const grey = Float64Array.from(greyOf(thumbnail));
  const mean = grey.reduce((a, v) => a + v, 0) / CELLS;
  for (let i = 0; i < CELLS; i++) grey[i]! -= mean;
  return { thumbnail, grey, energy: grey.reduce((a, v) => a + v * v, 0) };
}

/** Mean difference of grey levels when the exposure of `b` is brought to that of `a`. */
function greyDifference(a: Prepared, b: Prepared): number {
  const [x, y] = [a.grey, b.grey];
  let joint = 0;
  for (let i = 0; i < CELLS; i++) joint += x[i]! * y[i]!;
  const gain = Math.max(1 / GAIN, Math.min(GAIN, b.energy > 0 ? joint / b.energy : 1));
  let sum = 0;
  for (let i = 0; i < CELLS; i++) sum += Math.abs(x[i]! - gain * y[i]!);
  return sum / CELLS;
}

/** Mean difference of red - green and blue - green. */
function colourDifference(a: Thumbnail, b: Thumbnail): number {
  let sum = 0;
  for (let p = 0; p < a.length; p += 3) {
    const green = a[p + 1]! - b[p + 1]!;
    sum += Math.abs(a[p]! - b[p]! - green) + Math.abs(a[p + 2]! - b[p + 2]! - green);
  }
  return sum / (2 * CELLS);
}

/**
 * How far two thumbnails are apart once a difference in exposure is taken out.
 * @returns mean difference of grey levels, and of colours (red - green, blue - green)
 */
export function thumbnailDifference(
  a: Thumbnail,
  b: Thumbnail,
): { readonly grey: number; readonly colour: number } {
  return { grey: greyDifference(prepared(a), prepared(b)), colour: colourDifference(a, b) };
}

/**
 * Limits of what counts as nearly the same. Photographs that were halved, doubled, compressed or
 * brightened differ by 0.2 to 1.5 grey levels, different ones (Office-Caltech, CIFAR) by more than 4.
 * On digits and X-rays, which all look alike, the hash alone would join thousands.
 */
const MAX_BITS = 5;
const MAX_GREY = 1.5;
const MAX_COLOUR = 8;

/** Bits of each band: hashes that differ in at most 5 bits agree in at least one of 6 bands. */
const BANDS = [11, 11, 11, 11, 10, 10];

/** The bands of a hash, each with its place so that they can share one table. */
function bandsOf([a, b]: DifferenceHash): number[] {
  let from = 0;
  return BANDS.map((bits, i) => {
    let value = 0;
    for (let k = from; k < from + bits; k++) {
      value = value * 2 + (((k < 32 ? a : b) >>> (k & 31)) & 1);
    }
    from += bits;
    return i * 2 ** 11 + value;
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
  const all = thumbnails.map(prepared);
  const compare = (i: number, j: number) => {
    if (greyDifference(all[i]!, all[j]!) > MAX_GREY) return;
    if (colourDifference(thumbnails[i]!, thumbnails[j]!) <= MAX_COLOUR) sets.join(i, j);
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
