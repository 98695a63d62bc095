/**
 * Batches mixed within themselves: MixUp (Zhang et al., arXiv:1710.09412) blends two pictures,
 * CutMix (Yun et al., arXiv:1905.04899) sets a part of one into the other; targets are mixed alike.
 */
import { ConfigError } from '../errors.js';
import type { KeyedRandom } from '../util/index.js';
import type { Box } from './resample.js';

/** How batches are mixed. */
export interface Mixing {
  /** Parameter of the Beta distribution of MixUp's shares; 0 leaves MixUp out. */
  readonly mixup: number;
  /** The same for CutMix. */
  readonly cutmix: number;
  /** Chance that a batch is mixed at all. */
  readonly chance: number;
}

/** A batch to be mixed in place. */
export interface MixedBatch {
  /** [batch, channels, height, width] */
  readonly pixels: Float32Array;
  /** [batch, classes] */
  readonly targets: Float32Array;
  /** [batch] */
  readonly weights: Float32Array;
  readonly width: number;
  readonly height: number;
  /** Rows that are no padding; each is mixed with the next of them. */
  readonly rows: readonly number[];
}

/** Marsaglia and Tsang's method (2000); shapes below 1 by the power of a uniform number. */
function gamma(random: KeyedRandom, shape: number): number {
  if (shape < 1) {
    const u = random.fold('boost').uniform() + 2 ** -25; // never 0
    return gamma(random, shape + 1) * u ** (1 / shape);
  }
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (let i = 0; ; i++) {
    const x = random.normal(2 * i);
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    const u = random.fold('accept').uniform(i) + 2 ** -25;
    if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/**
 * A number of the Beta distribution with both parameters `alpha`.
 * @throws ConfigError when alpha is not positive
 */
export function betaAt(random: KeyedRandom, alpha: number): number {
  if (!(alpha > 0)) {
    throw new ConfigError(`A Beta distribution needs a positive parameter, got ${alpha}.`, {
      alpha,
    });
  }
  const a = gamma(random.fold('a'), alpha);
  const b = gamma(random.fold('b'), alpha);
  // Both can vanish for a tiny alpha, where the distribution is a coin.
  return a + b > 0 ? a / (a + b) : random.bernoulli(0, 0.5) ? 1 : 0;
}

/** The part that CutMix replaces, of about the share 1 - `keep`, cut at the edges (torchvision). */
export function cutmixBox(random: KeyedRandom, width: number, height: number, keep: number): Box {
  const half = 0.5 * Math.sqrt(1 - keep);
  const x = random.integer(0, width);
  const y = random.integer(1, height);
  const [dx, dy] = [Math.trunc(half * width), Math.trunc(half * height)];
  const left = Math.max(0, x - dx);
  const top = Math.max(0, y - dy);
  return {
    left,
    top,
    width: Math.min(width, x + dx) - left,
    height: Math.min(height, y + dy) - top,
  };
}

/** Adds `1 - keep` of the next row to every row; `rows` of `width` values. */
function blendRows(data: Float32Array, width: number, rows: readonly number[], keep: number): void {
  const first = data.slice(rows[0]! * width, (rows[0]! + 1) * width);
  rows.forEach((row, i) => {
    const next = rows[i + 1];
    const other = next === undefined ? first : data.subarray(next * width, (next + 1) * width);
    const at = row * width;
    for (let k = 0; k < width; k++) data[at + k] = keep * data[at + k]! + (1 - keep) * other[k]!;
  });
}

/** Sets the box of the next row into every row. */
function pasteRows({ pixels, width, height, rows, weights }: MixedBatch, box: Box): void {
  const row = pixels.length / weights.length;
  const first = pixels.slice(rows[0]! * row, (rows[0]! + 1) * row);
  rows.forEach((r, i) => {
    const next = rows[i + 1];
    const other = next === undefined ? first : pixels.subarray(next * row, (next + 1) * row);
    for (let start = 0; start < row; start += width * height) {
      for (let y = box.top; y < box.top + box.height; y++) {
        const from = start + y * width + box.left;
        pixels.set(other.subarray(from, from + box.width), r * row + from);
      }
    }
  });
}

/**
 * Mixes a batch in place, or leaves it, as chance has it. One share holds for the whole batch; the
 * weights are mixed with the targets.
 */
export function mixBatch(batch: MixedBatch, random: KeyedRandom, mixing: Mixing): void {
  const { pixels, targets, weights, width, height, rows } = batch;
  const { mixup, cutmix, chance } = mixing;
  if (rows.length < 2 || (mixup <= 0 && cutmix <= 0) || !random.bernoulli(0, chance)) return;
  const cut = cutmix > 0 && (mixup <= 0 || random.bernoulli(1, 0.5));
  let keep = betaAt(random.fold('share'), cut ? cutmix : mixup);
  if (cut) {
    const box = cutmixBox(random.fold('box'), width, height, keep);
    pasteRows(batch, box);
    keep = 1 - (box.width * box.height) / (width * height);
  } else blendRows(pixels, pixels.length / weights.length, rows, keep);
  blendRows(targets, targets.length / weights.length, rows, keep);
  blendRows(weights, 1, rows, keep);
}
