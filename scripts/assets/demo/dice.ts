/** Draws by name: each site has a number of its own, so a new site changes none of the others. */
import { KeyedRandom } from '../../../src/util/index.js';

/** Random choices of one picture or one thing in it. */
export class Dice {
  private readonly random: KeyedRandom;

  constructor(random: KeyedRandom) {
    this.random = random;
  }

  /** The dice of a picture. */
  static of(seed: number, ...path: readonly (number | string)[]): Dice {
    return new Dice(path.reduce<KeyedRandom>((r, part) => r.fold(part), KeyedRandom.of(seed)));
  }

  /** Dice of a part. */
  at(part: number | string): Dice {
    return new Dice(this.random.fold(part));
  }

  /** A number in [low, high). */
  range(site: string, low: number, high: number): number {
    return this.random.fold(site).uniform(0, low, high);
  }

  /** A whole number from `low` to `high`, both included. */
  whole(site: string, low: number, high: number): number {
    return low + this.random.fold(site).integer(0, high - low + 1);
  }

  /** True with chance `p`. */
  chance(site: string, p: number): boolean {
    return this.random.fold(site).bernoulli(0, p);
  }

  /** One of some. */
  pick<T>(site: string, choices: readonly T[]): T {
    return choices[this.random.fold(site).integer(0, choices.length)]!;
  }

  /** The numbers 0 to n - 1 in random order. */
  order(site: string, n: number): number[] {
    return this.random.fold(site).permutation(n);
  }

  /** Normal numbers of mean 0 and deviation 1. */
  normals(site: string, count: number): Float32Array {
    return this.random.fold(site).normals(count);
  }
}
