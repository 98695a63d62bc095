/** Random erasing (Zhong et al., arXiv:1708.04896): a rectangle of the input is blotted out. */
import type { KeyedRandom } from '../util/index.js';
import type { Box } from './resample.js';
import { type CropRange, roundHalfEven } from './view.js';

/** Options of random erasing. */
export interface Erasing extends CropRange {
  /** Chance that anything is erased. */
  readonly chance: number;
  /**
   * `mean`: zeros, which is the mean after normalisation; `noise`: a normal number for every value,
   * as the paper recommends.
   */
  readonly fill: 'mean' | 'noise';
}

/**
 * The box to erase, as torchvision's RandomErasing chooses it; null when ten attempts gave none
 * that fits.
 */
export function erasedBox(
  random: KeyedRandom,
  width: number,
  height: number,
  { scale, ratio }: CropRange,
): Box | null {
  const [low, high] = [Math.log(ratio[0]), Math.log(ratio[1])];
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * random.uniform(4 * attempt, scale[0], scale[1]);
    const shape = Math.exp(random.uniform(4 * attempt + 1, low, high));
    const h = roundHalfEven(Math.sqrt(area * shape));
    const w = roundHalfEven(Math.sqrt(area / shape));
    if (h >= height || w >= width) continue;
    const top = random.integer(4 * attempt + 2, height - h + 1);
    const left = random.integer(4 * attempt + 3, width - w + 1);
    return { left, top, width: w, height: h };
  }
  return null;
}

/**
 * Erases a box of a normalised picture in place.
 * @param data [channels, height, width]
 * @param noise where the normal numbers come from; without it the box becomes 0
 */
export function eraseBox(
  data: Float32Array,
  width: number,
  height: number,
  box: Box,
  noise?: KeyedRandom,
): void {
  const channels = data.length / (width * height);
  const values = noise?.normals(channels * box.width * box.height);
  let from = 0;
  for (let k = 0; k < channels; k++) {
    for (let y = box.top; y < box.top + box.height; y++) {
      const start = (k * height + y) * width + box.left;
      const end = start + box.width;
      if (values) data.set(values.subarray(from, from + box.width), start);
      else data.fill(0, start, end);
      from += box.width;
    }
  }
}

/** Erases a box of a normalised picture in place, or nothing, as chance has it. */
export function randomErase(
  data: Float32Array,
  width: number,
  height: number,
  random: KeyedRandom,
  options: Erasing,
): void {
  if (!random.bernoulli(0, options.chance)) return;
  const box = erasedBox(random.fold('box'), width, height, options);
  if (!box) return;
  eraseBox(data, width, height, box, options.fill === 'noise' ? random.fold('noise') : undefined);
}
