/** From 8-bit pixels to the numbers that a model takes. */
import { ConfigError } from '../errors.js';
import type { ImagePreprocess } from '../models/index.js';
import { luma } from './colour.js';
import type { Fill } from './geometry.js';
import type { Pixels } from './image.js';

/**
 * Channels of the model's input: one (grey) or three (red, green, blue), by the number of means.
 * @throws ConfigError for anything else, or for a deviation that cannot divide
 */
export function channelsOf({ mean, deviation }: ImagePreprocess): 1 | 3 {
  const channels = mean.length;
  if ((channels !== 1 && channels !== 3) || deviation.length !== channels) {
    throw new ConfigError(
      `The preprocessing has ${mean.length} means and ${deviation.length} deviations; pictures have 1 or 3 channels.`,
      { mean, deviation },
    );
  }
  if (deviation.some((d) => !(d > 0))) {
    throw new ConfigError(`A deviation must be positive, got ${deviation.join(', ')}.`, {
      deviation,
    });
  }
  return channels;
}

/** The colour that becomes 0: what is outside of a picture then says nothing to the model. */
export function meanColour({ mean, rescale }: ImagePreprocess): Fill {
  const level = (v: number) => Math.max(0, Math.min(255, Math.round(v / rescale)));
  const [r, g = r, b = r] = mean.map(level) as [number, number?, number?];
  return [r, g, b];
}

/** Writes (value * rescale - mean) / deviation of every value, [channels, height, width]. */
export type Normalizer = (pixels: Pixels, out: Float32Array) => void;

/** Prepares tables for a preprocessing, so that a picture costs one look-up a value. */
export function normalizer(preprocess: ImagePreprocess): Normalizer {
  const channels = channelsOf(preprocess);
  const tables = Array.from({ length: channels }, (_, k) =>
    Float32Array.from(
      { length: 256 },
      (_, v) => (v * preprocess.rescale - preprocess.mean[k]!) / preprocess.deviation[k]!,
    ),
  );
  const [red, green, blue] = tables as [Float32Array, Float32Array, Float32Array];
  return ({ data, width, height }, out) => {
    const area = width * height;
    if (channels === 1) {
      for (let i = 0, p = 0; i < area; i++, p += 3) {
        out[i] = red[luma(data[p]!, data[p + 1]!, data[p + 2]!)]!;
      }
      return;
    }
    for (let i = 0, p = 0; i < area; i++, p += 3) {
      out[i] = red[data[p]!]!;
      out[area + i] = green[data[p + 1]!]!;
      out[2 * area + i] = blue[data[p + 2]!]!;
    }
  };
}
