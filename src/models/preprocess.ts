/** How pictures become the pixels that a model was trained on; it travels with the weights. */
import { ConfigError } from '../errors.js';

/** Resampling filters, by the names of Pillow. */
export type Resample = 'nearest' | 'bilinear' | 'bicubic' | 'lanczos';

/** Filters in the order of Pillow's numbers for them, which preprocessor files hold. */
export const PILLOW_FILTERS: readonly Resample[] = ['nearest', 'lanczos', 'bilinear', 'bicubic'];

/** From a decoded picture to the input of a model. */
export interface ImagePreprocess {
  /** Size of the model's input, pixels. */
  readonly height: number;
  readonly width: number;
  /**
   * `squash`: resize to the input's size whatever the aspect; `crop`: resize so that the short side
   * is `shortSide`, then cut the centre.
   */
  readonly fit: 'squash' | 'crop';
  /** Short side before the centre is cut, pixels; only for `crop`. */
  readonly shortSide?: number;
  /**
   * Only for `squash`: a size [height, width] larger than the input's that pictures are squashed
   * to before the centre is cut, as DeiT's and some EfficientNets' are. Absent: nothing is cut.
   */
  readonly squashTo?: readonly [number, number];
  readonly resample: Resample;
  /** Factor from 0..255 to the range that mean and deviation speak of; 1/255 nearly always. */
  readonly rescale: number;
  /** A value a channel: (value * rescale - mean) / deviation. */
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** Mean of ImageNet's red, green and blue, of 1: what models of torchvision and timm subtract. */
export const IMAGENET_MEAN = [0.485, 0.456, 0.406] as const;
/** Deviation of ImageNet's red, green and blue, which they divide by. */
export const IMAGENET_DEVIATION = [0.229, 0.224, 0.225] as const;

/** torchvision's evaluation: short side 256, centre 224, ImageNet's mean and deviation. */
export const IMAGENET_PREPROCESS: ImagePreprocess = {
  height: 224,
  width: 224,
  fit: 'crop',
  shortSide: 256,
  resample: 'bilinear',
  rescale: 1 / 255,
  mean: IMAGENET_MEAN,
  deviation: IMAGENET_DEVIATION,
};

/** The same preprocessing for inputs of another size; the short side keeps its proportion. */
export function resized(preprocess: ImagePreprocess, size: number): ImagePreprocess {
  if (!Number.isInteger(size) || size < 1) {
    throw new ConfigError(`The image size must be a positive whole number, got ${size}.`, { size });
  }
  const { shortSide, squashTo, height, width } = preprocess;
  const scaled = (n: number) => Math.round((n * size) / Math.min(height, width));
  return {
    ...preprocess,
    height: size,
    width: size,
    ...(shortSide ? { shortSide: scaled(shortSide) } : {}),
    ...(squashTo ? { squashTo: [scaled(squashTo[0]), scaled(squashTo[1])] } : {}),
  };
}

/** The same preprocessing for pictures of so many channels: each gets the average of the others' numbers. */
export function forChannels(preprocess: ImagePreprocess, channels: number): ImagePreprocess {
  const { mean, deviation } = preprocess;
  if (mean.length === channels) return preprocess;
  const spread = (values: readonly number[]) =>
    new Array<number>(channels).fill(values.reduce((a, b) => a + b, 0) / values.length);
  return { ...preprocess, mean: spread(mean), deviation: spread(deviation) };
}
