/** Sizes to trace a model with, so that what depends on them can be told from what does not. */
import { ConfigError } from '../errors.js';
import type { Sizes } from '../onnx/index.js';

/** An axis of any length, or up to some. */
export interface FreeAxis {
  readonly name: string;
  /** Tokens there are positions for; null where any number may come. */
  readonly most: number | null;
  /** Rows of a batch may be many: nothing as large as their number is ever held. */
  readonly batch?: true;
}

/**
 * Sequences are traced below this length: masks have its square. More than twice as long as the distances
 * that relative positions tell apart (T5: 128).
 */
const LONGEST = 1024;
/** Batches begin here: longer than any sequence, so that the two are never mistaken for one another. */
const FIRST_BATCH = 5000;
/** Numbers below this stand everywhere in a graph: ranks, axes, heads. */
const SMALLEST = 5;

function isPrime(n: number): boolean {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}

/** The next primes from `from` on, up or down, that are not taken; they are then. */
function primes(from: number, step: 1 | -1, count: number, taken: Set<number>): number[] {
  const found: number[] = [];
  for (let n = from; found.length < count && n >= SMALLEST; n += step) {
    if (isPrime(n) && !taken.has(n)) {
      found.push(n);
      taken.add(n);
    }
  }
  return found;
}

/**
 * Sizes for `freeAxes`: first some, then for each axis others for it alone, then others for all. All are
 * different primes that no parameter has as a length.
 * @param lengths of the axes of all parameters
 * @throws ConfigError when an axis is too short for three lengths to be found
 */
export function tracingSizes(axes: readonly FreeAxis[], lengths: Iterable<number>): Sizes[] {
  const taken = new Set(lengths);
  const found = axes.map(({ name, most, batch }) => {
    // Below the most, as a part of a table is something else than the whole.
    const longest = Math.min(LONGEST, (most ?? LONGEST) - 1);
    const sizes = batch ? primes(FIRST_BATCH, 1, 3, taken) : primes(longest, -1, 3, taken);
    if (sizes.length < 3) {
      throw new ConfigError(
        `A model of ${most} positions is too short for its ${name} to be left free: export it for fixed sizes.`,
        { axis: name, most },
        'batch-dependent',
      );
    }
    return sizes as [number, number, number];
  });
  const at = (which: (axis: number) => 0 | 1 | 2): Sizes =>
    Object.fromEntries(axes.map(({ name }, i) => [name, found[i]![which(i)]]));
  return [at(() => 0), ...axes.map((_, varied) => at((i) => (i === varied ? 1 : 0))), at(() => 2)];
}
