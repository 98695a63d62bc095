/**
 * Augmentation as data: what may happen to a picture in training. Every random number comes from
 * the key of (seed, epoch, sample), so that a resumed run sees the pictures of a straight one.
 */
import { ConfigError } from '../errors.js';
import type { KeyedRandom } from '../util/index.js';
import { brightness, contrast, hue, saturation } from './colour.js';
import type { Erasing } from './erase.js';
import { affine, affineMatrix, type Fill, flipHorizontal, flipVertical } from './geometry.js';
import type { Pixels } from './image.js';
import type { Mixing } from './mix.js';
import { type RandAugmentOptions, randAugment, trivialAugment } from './policy.js';
import type { CropRange } from './view.js';

/** How far colours may change: factors 1 - x to 1 + x, for the hue -x to x of a full turn. */
export interface ColourJitter {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
}

/** Turns, shifts and shears, either way. */
export interface RandomAffine {
  readonly degrees: number;
  /** Share of the side. */
  readonly translate: number;
  /** Degrees, along x. */
  readonly shear: number;
}

/** What may happen to a picture in training; null leaves a part out. */
export interface Augmentation {
  /** A random part in place of the evaluation's view. */
  readonly crop: CropRange | null;
  /** Chance to be mirrored left to right, top to bottom. */
  readonly flip: number;
  readonly flipVertical: number;
  readonly affine: RandomAffine | null;
  readonly jitter: ColourJitter | null;
  /** RandAugment with its options, or TrivialAugment. */
  readonly policy: RandAugmentOptions | 'trivial' | null;
  readonly erasing: Erasing | null;
  readonly mixing: Mixing | null;
}

const NONE: Augmentation = {
  crop: null,
  flip: 0,
  flipVertical: 0,
  affine: null,
  jitter: null,
  policy: null,
  erasing: null,
  mixing: null,
};

const RATIO = [3 / 4, 4 / 3] as const;

/**
 * Presets. `default` is mild, as suits little data and a good base: at least 35 % of the picture
 * stays in view (the usual 8 % is made for millions of pictures). `strong` is for long training.
 */
export const AUGMENTATIONS = {
  none: NONE,
  light: { ...NONE, crop: { scale: [0.6, 1], ratio: RATIO }, flip: 0.5 },
  default: {
    ...NONE,
    crop: { scale: [0.35, 1], ratio: RATIO },
    flip: 0.5,
    jitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0 },
  },
  strong: {
    ...NONE,
    crop: { scale: [0.2, 1], ratio: RATIO },
    flip: 0.5,
    policy: { operations: 2, magnitude: 9 },
    erasing: { chance: 0.25, scale: [0.02, 0.33], ratio: [0.3, 3.3], fill: 'noise' },
    mixing: { mixup: 0.2, cutmix: 1, chance: 0.5 },
  },
} as const satisfies Record<string, Augmentation>;

/** Name of a preset. */
export type AugmentationName = keyof typeof AUGMENTATIONS;

/**
 * A preset by name, or an augmentation as it is.
 * @throws ConfigError for an unknown name
 */
export function augmentation(of: string | Augmentation): Augmentation {
  if (typeof of !== 'string') return of;
  if (Object.hasOwn(AUGMENTATIONS, of)) return AUGMENTATIONS[of as AugmentationName];
  throw new ConfigError(
    `There is no augmentation named "${of}"; there are ${Object.keys(AUGMENTATIONS).join(', ')}.`,
    { augmentation: of },
  );
}

/** The four changes of colour in random order, as torchvision's ColorJitter. */
function jittered(pixels: Pixels, random: KeyedRandom, jitter: ColourJitter): Pixels {
  const factor = (i: number, reach: number) => random.uniform(i, Math.max(0, 1 - reach), 1 + reach);
  const changes: readonly ((p: Pixels) => Pixels)[] = [
    (p) => (jitter.brightness > 0 ? brightness(p, factor(0, jitter.brightness)) : p),
    (p) => (jitter.contrast > 0 ? contrast(p, factor(1, jitter.contrast)) : p),
    (p) => (jitter.saturation > 0 ? saturation(p, factor(2, jitter.saturation)) : p),
    (p) => (jitter.hue > 0 ? hue(p, random.uniform(3, -jitter.hue, jitter.hue)) : p),
  ];
  const order = random.fold('order').permutation(changes.length);
  return order.reduce((p, i) => changes[i]!(p), pixels);
}

function moved(pixels: Pixels, random: KeyedRandom, reach: RandomAffine, fill: Fill): Pixels {
  const { degrees, translate, shear } = reach;
  const either = (i: number, limit: number) => random.uniform(i, -limit, limit);
  const matrix = affineMatrix(pixels, {
    degrees: either(0, degrees),
    translate: [
      Math.round(either(1, translate * pixels.width)),
      Math.round(either(2, translate * pixels.height)),
    ],
    shear: [either(3, shear), 0],
  });
  return affine(pixels, matrix, fill);
}

/**
 * What is done to 8-bit pixels, after the view: mirrors, affine, policy, colours. Crops come before
 * (`cropView`), erasing and mixing after normalisation.
 * @param fill colour of what is moved in from outside
 */
export function augmentPixels(
  pixels: Pixels,
  random: KeyedRandom,
  { flip, flipVertical: vertical, affine: reach, policy, jitter }: Augmentation,
  fill: Fill,
): Pixels {
  let out = pixels;
  const coin = random.fold('flip');
  if (coin.bernoulli(0, flip)) out = flipHorizontal(out);
  if (coin.bernoulli(1, vertical)) out = flipVertical(out);
  if (reach) out = moved(out, random.fold('affine'), reach, fill);
  if (policy === 'trivial') out = trivialAugment(out, random.fold('policy'), fill);
  else if (policy) out = randAugment(out, random.fold('policy'), policy, fill);
  if (jitter) out = jittered(out, random.fold('jitter'), jitter);
  return out;
}
