/** Few signatures for many lengths: each signature is a program of its own. */

/** Shortest length that programs are made for; below it a step costs the same. */
const SHORTEST = 16;

/**
 * The length that `length` is padded to: a power of two, or one and a half of it, so that at most a third of
 * it is padding.
 */
export function bucketed(length: number): number {
  let bucket = SHORTEST;
  while (bucket < length) {
    if (bucket * 1.5 >= length) return bucket * 1.5;
    bucket *= 2;
  }
  return bucket;
}
