/** Heat maps laid over pictures (Node: sharp). */
import sharp from 'sharp';
import { ConfigError } from '../../errors.js';
import type { ReportAttention, ReportHeat } from './report-data.js';

/** Pictures that a report shows: nothing but what a browser decodes as a picture. */
const DATA_URI = /^data:image\/(?:jpeg|png|webp);base64,[A-Za-z0-9+/]+={0,2}$/;
/** Largest side of a heat map and of the picture under it: thumbnails, not photographs. */
const MAX_SIDE = 2048;
/** Colours from cold to hot: five points of matplotlib's "inferno", whose lightness grows evenly. */
const COLOURS = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
] as const;
/** Share of the colour at the hottest place; the picture must stay visible under it. */
const STRENGTH = 0.7;

/** Whether a report shows this text as a picture. */
export function isPicture(uri: string | undefined): uri is string {
  return uri !== undefined && DATA_URI.test(uri);
}

/** The colour of a value from 0 to 1. */
function colourOf(value: number): readonly [number, number, number] {
  const at = Math.min(Math.max(value, 0), 1) * (COLOURS.length - 1);
  const low = COLOURS[Math.floor(at)]!;
  const high = COLOURS[Math.ceil(at)]!;
  const mix = (i: 0 | 1 | 2) => low[i] + (at - Math.floor(at)) * (high[i] - low[i]);
  return [mix(0), mix(1), mix(2)];
}

/** The map as grey values, brightest at its maximum. */
function greyOf({ height, width, values }: ReportHeat, id: string): Uint8Array {
  const sound = [height, width].every((n) => Number.isInteger(n) && n > 0 && n <= MAX_SIDE);
  if (!sound || values.length !== height * width || !values.every((v) => Number.isFinite(v))) {
    throw new ConfigError(
      `The heat map of ${id} has ${values.length} values for ${height} x ${width}; ` +
        `expected height x width finite values, with sides up to ${MAX_SIDE}.`,
      { id, height, width, values: values.length },
    );
  }
  let most = 0;
  for (const v of values) most = Math.max(most, v);
  return Uint8Array.from(values, (v) => (most > 0 ? (255 * Math.max(v, 0)) / most : 0));
}

/**
 * The sample's thumbnail under its heat map, as a JPEG data URI.
 * @throws ConfigError when the map does not fit its size or the thumbnail is no picture
 */
export async function overlay({ id, thumbnail, heat }: ReportAttention): Promise<string> {
  const grey = greyOf(heat, id);
  if (!isPicture(thumbnail)) {
    throw new ConfigError(`The thumbnail of ${id} is no data URI of a JPEG, PNG or WebP picture.`, {
      id,
    });
  }
  const bytes = Buffer.from(thumbnail.slice(thumbnail.indexOf(',') + 1), 'base64');
  const { data, info } = await sharp(bytes, { limitInputPixels: MAX_SIDE ** 2 })
    .flatten({ background: '#fff' })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw new ConfigError(`The thumbnail of ${id} cannot be decoded: ${cause}`, { id });
    });
  const { width, height, channels } = info;
  const spread = await sharp(grey, {
    raw: { width: heat.width, height: heat.height, channels: 1 },
  })
    .resize(width, height, { fit: 'fill', kernel: 'cubic' })
    .toColourspace('b-w')
    .raw()
    .toBuffer();
  for (let i = 0; i < width * height; i++) {
    const value = spread[i]! / 255;
    // Cold places keep their colours.
    const alpha = STRENGTH * value ** 0.75;
    for (const [c, colour] of colourOf(value).entries()) {
      const at = i * channels + c;
      data[at] = data[at]! * (1 - alpha) + colour * alpha;
    }
  }
  const jpeg = await sharp(data, { raw: { width, height, channels } })
    .jpeg({ quality: 82 })
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}
