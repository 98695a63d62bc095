/**
 * Random policies over the same list of operations: RandAugment (Cubuk et al., arXiv:1909.13719)
 * and TrivialAugment (Mueller and Hutter, arXiv:2103.10158), with the ranges of torchvision.
 */
import { ConfigError } from '../errors.js';
import type { KeyedRandom } from '../util/index.js';
import {
  autocontrast,
  brightness,
  contrast,
  equalize,
  posterize,
  saturation,
  sharpness,
  solarize,
} from './colour.js';
import { type AffineMatrix, affine, type Fill, rotate } from './geometry.js';
import type { Pixels } from './image.js';

/** Steps from no effect to the strongest. */
const BINS = 31;

/** What a policy can do to a picture; `magnitude` has the unit of its operation. */
type Operation = (pixels: Pixels, magnitude: number, fill: Fill) => Pixels;

const shift = (dx: number, dy: number): AffineMatrix => [1, 0, -dx, 0, 1, -dy];
const around = (operation: (pixels: Pixels, factor: number) => Pixels): Operation => {
  return (pixels, magnitude) => operation(pixels, 1 + magnitude);
};

/**
 * The operations by name. Shears are slopes, translations pixels, rotations degrees
 * counter-clockwise; magnitudes of colours are added to a factor of 1.
 */
export const POLICY_OPERATIONS = {
  identity: (pixels) => pixels,
  'shear-x': (pixels, m, fill) => affine(pixels, [1, m, 0, 0, 1, 0], fill),
  'shear-y': (pixels, m, fill) => affine(pixels, [1, 0, 0, m, 1, 0], fill),
  'translate-x': (pixels, m, fill) => affine(pixels, shift(Math.trunc(m), 0), fill),
  'translate-y': (pixels, m, fill) => affine(pixels, shift(0, Math.trunc(m)), fill),
  rotate,
  brightness: around(brightness),
  saturation: around(saturation),
  contrast: around(contrast),
  sharpness: around(sharpness),
  posterize: (pixels, m) => posterize(pixels, Math.trunc(m)),
  solarize,
  autocontrast: (pixels) => autocontrast(pixels),
  equalize: (pixels) => equalize(pixels),
} as const satisfies Record<string, Operation>;

/** Name of an operation of a policy. */
export type PolicyOperation = keyof typeof POLICY_OPERATIONS;

const NAMES = Object.keys(POLICY_OPERATIONS) as PolicyOperation[];
const SIGNED: ReadonlySet<PolicyOperation> = new Set<PolicyOperation>([
  'shear-x',
  'shear-y',
  'translate-x',
  'translate-y',
  'rotate',
  'brightness',
  'saturation',
  'contrast',
  'sharpness',
]);

/** The largest magnitudes of a policy. */
interface Reach {
  readonly shear: number;
  /** Pixels, of a picture of that length. */
  readonly translate: (length: number) => number;
  readonly rotate: number;
  readonly colour: number;
  /** Bits that `posterize` takes away at most. */
  readonly bits: number;
}

const RAND: Reach = {
  shear: 0.3,
  translate: (length) => (150 / 331) * length,
  rotate: 30,
  colour: 0.9,
  bits: 4,
};
const TRIVIAL: Reach = { shear: 0.99, translate: () => 32, rotate: 135, colour: 0.99, bits: 6 };

/** The magnitude of an operation at step `bin` of 0 to 30. */
function magnitudeOf(name: PolicyOperation, bin: number, reach: Reach, pixels: Pixels): number {
  const share = bin / (BINS - 1);
  switch (name) {
    case 'shear-x':
    case 'shear-y':
      return share * reach.shear;
    case 'translate-x':
      return share * reach.translate(pixels.width);
    case 'translate-y':
      return share * reach.translate(pixels.height);
    case 'rotate':
      return share * reach.rotate;
    case 'posterize':
      return 8 - Math.round(share * reach.bits);
    case 'solarize':
      return 255 - share * 255;
    case 'brightness':
    case 'saturation':
    case 'contrast':
    case 'sharpness':
      return share * reach.colour;
    default:
      return 0;
  }
}

/** Options of {@link randAugment}. */
export interface RandAugmentOptions {
  /** Operations in a row. */
  readonly operations: number;
  /** Strength of each, 0 to 30. */
  readonly magnitude: number;
}

function step(pixels: Pixels, random: KeyedRandom, fill: Fill, reach: Reach, bin: number): Pixels {
  const name = NAMES[random.integer(0, NAMES.length)]!;
  const magnitude = magnitudeOf(name, bin, reach, pixels);
  const sign = SIGNED.has(name) && random.bernoulli(1, 0.5) ? -1 : 1;
  return POLICY_OPERATIONS[name](pixels, sign * magnitude, fill);
}

/**
 * Some operations drawn at random, all of the same strength. Geometric ones interpolate (torchvision
 * takes the nearest pixel unless told otherwise), so that edges stay smooth.
 * @param fill colour of what is moved in from outside
 */
export function randAugment(
  pixels: Pixels,
  random: KeyedRandom,
  { operations, magnitude }: RandAugmentOptions,
  fill: Fill,
): Pixels {
  if (!Number.isInteger(magnitude) || magnitude < 0 || magnitude >= BINS) {
    throw new ConfigError(
      `RandAugment's magnitude is a whole number from 0 to ${BINS - 1}, not ${magnitude}.`,
      { magnitude },
    );
  }
  let out = pixels;
  for (let i = 0; i < operations; i++) out = step(out, random.fold(i), fill, RAND, magnitude);
  return out;
}

/** One operation of random strength: nothing to tune. */
export function trivialAugment(pixels: Pixels, random: KeyedRandom, fill: Fill): Pixels {
  return step(pixels, random, fill, TRIVIAL, random.integer(2, BINS));
}
