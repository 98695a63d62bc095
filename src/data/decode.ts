/**
 * Picture files to pixels (Node). libvips decodes off the main thread: upright by EXIF, 8-bit sRGB,
 * CMYK by its profile, animations by their first frame, transparency over white. White, because
 * that is the page such pictures are drawn for; what lies hidden under alpha is arbitrary.
 *
 * Profiles of RGB and grey pictures are not applied: the pipelines that the bases were trained with
 * (Pillow's) do not look at them either.
 */
import { readFile, stat } from 'node:fs/promises';
import sharp, { type Sharp } from 'sharp';
import { DataError, GraftError } from '../errors.js';
import { readBmp } from './bmp.js';
import type { Pixels } from './image.js';
import { THUMBNAIL, type Thumbnail } from './near-duplicates.js';
import { type PictureFormat, pictureFormat } from './picture-format.js';
import { resample } from './resample.js';
import { applyView, reductionFor, type ViewOf, viewOfReduced } from './view.js';

/** Pixels of the largest picture; more is taken for a bomb: 100 MP are 300 MB when decoded. */
export const MAX_PIXELS = 100_000_000;

/** Bytes of the largest file: an uncompressed picture of 100 MP with 16 bits a channel fits. */
export const MAX_FILE_BYTES = 1024 * 1024 * 1024;

/** A decoded picture that may have been reduced. */
export interface DecodedPicture {
  readonly pixels: Pixels;
  /** Upright size of the picture in the file. */
  readonly width: number;
  readonly height: number;
  /** By how much it was reduced; 1 for a whole picture. */
  readonly reduction: number;
}

/** An error that names the file; what already does so stays as it is. */
function pictureError(name: string, format: string | null, cause: unknown): GraftError {
  if (cause instanceof GraftError && cause.data.file === name) return cause;
  const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  const what = format ? `its ${format.toUpperCase()} data is damaged` : 'it cannot be read';
  return new DataError(
    `${name}: ${what} (${reason}). Replace the file or take it out.`,
    { file: name, reason },
    { code: 'picture', cause },
  );
}

function refused(name: string, reason: string): DataError {
  return new DataError(`${name}: ${reason}`, { file: name, reason }, { code: 'picture' });
}

/** The bytes of a file, unless there are too many of them. */
async function bytesOf(file: string): Promise<Uint8Array> {
  const { size } = await stat(file);
  if (size > MAX_FILE_BYTES)
    throw new Error(`${size} bytes are more than the ${MAX_FILE_BYTES} allowed`);
  return readFile(file);
}

/** Bytes of which the format is known. */
interface Opened {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly format: PictureFormat;
}

async function opened(source: string | Uint8Array, name: string): Promise<Opened> {
  let bytes: Uint8Array;
  try {
    bytes = typeof source === 'string' ? await bytesOf(source) : source;
  } catch (error) {
    throw pictureError(name, null, error);
  }
  const format = pictureFormat(bytes);
  if (format) return { name, bytes, format };
  const reason = bytes.length === 0 ? 'the file is empty.' : 'this is no picture that is known.';
  throw refused(name, `${reason} JPEG, PNG, WebP, GIF, TIFF, AVIF and BMP are read.`);
}

/** The pipeline to upright 8-bit sRGB, and the upright size. */
async function pipeline({ name, bytes, format }: Opened) {
  if (format === 'bmp') {
    const { data, width, height } = readBmp(bytes, MAX_PIXELS);
    return { picture: sharp(data, { raw: { width, height, channels: 3 } }), width, height };
  }
  // A truncated file is an error, a warning (junk behind the picture, an odd tag) is none.
  const options = { failOn: 'error', limitInputPixels: MAX_PIXELS } as const;
  const { space, autoOrient } = await sharp(bytes, options).metadata();
  const { width, height } = autoOrient;
  if (width * height > MAX_PIXELS) {
    throw refused(name, `${width} x ${height} pixels are more than the ${MAX_PIXELS} allowed.`);
  }
  const picture = sharp(bytes, { ...options, ignoreIcc: space !== 'cmyk' })
    .autoOrient()
    .flatten({ background: '#fff' });
  return { picture, width, height };
}

async function rgb(picture: Sharp): Promise<Pixels> {
  const { data, info } = await picture
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (channels === 3) return { width, height, data: bytes };
  // Grey that stayed grey, or a channel too many (TIFF may hold any number).
  const out = new Uint8Array(width * height * 3);
  for (let i = 0, p = 0; p < out.length; i += channels, p += 3) {
    for (let k = 0; k < 3; k++) out[p + k] = bytes[i + (channels < 3 ? 0 : k)]!;
  }
  return { width, height, data: out };
}

/**
 * Decodes a picture, reduced while that is done: a large JPEG then costs a fraction of the time and
 * memory.
 * @param reduction how much a picture of a size may be reduced
 * @throws DataError `picture`, naming the file
 */
export async function decodeReduced(
  source: string | Uint8Array,
  reduction: (width: number, height: number) => number,
  name = typeof source === 'string' ? source : 'the picture',
): Promise<DecodedPicture> {
  const file = await opened(source, name);
  try {
    const { picture, width, height } = await pipeline(file);
    const by = reduction(width, height);
    if (by > 1) {
      const size = (length: number) => Math.max(1, Math.round(length / by));
      picture.resize(size(width), size(height), { fit: 'fill', kernel: 'linear' });
    }
    return { pixels: await rgb(picture), width, height, reduction: by };
  } catch (error) {
    throw pictureError(name, file.format, error);
  }
}

/**
 * Decodes a picture and takes a view of it; without a view, all of it.
 * @param source a file, or the bytes of one
 * @param name what errors call it
 * @throws DataError `picture`, naming the file
 * @example
 * const pixels = await decodeImage('cat.jpg', evalView(IMAGENET_PREPROCESS)); // 224 x 224
 */
export async function decodeImage(
  source: string | Uint8Array,
  viewOf?: ViewOf,
  name?: string,
): Promise<Pixels> {
  const by = (w: number, h: number) => (viewOf ? reductionFor(viewOf(w, h)) : 1);
  const decoded = await decodeReduced(source, by, name);
  return viewOf ? viewPicture(decoded, viewOf) : decoded.pixels;
}

/** The view of a decoded picture. */
export function viewPicture(decoded: DecodedPicture, viewOf: ViewOf): Pixels {
  const { pixels, width, height, reduction } = decoded;
  const view = viewOf(width, height);
  return applyView(pixels, reduction > 1 ? viewOfReduced(view, decoded, pixels) : view);
}

/** A tiny picture of a file, and the size of the picture in it. */
export interface PictureSummary {
  readonly width: number;
  readonly height: number;
  readonly thumbnail: Thumbnail;
}

/** Short side from which a thumbnail is made: what comes before must not show in it. */
const BEFORE_THUMBNAIL = 64;

/**
 * Reads all of a picture, which finds damage, but decodes only as much of it as a thumbnail needs.
 * @throws DataError `picture`, naming the file
 */
export async function decodeThumbnail(file: string, name = file): Promise<PictureSummary> {
  const spare = (w: number, h: number) => Math.log2(Math.min(w, h) / BEFORE_THUMBNAIL);
  const picture = await decodeReduced(
    file,
    (w, h) => 2 ** Math.max(0, Math.floor(spare(w, h))),
    name,
  );
  const { pixels, width, height } = picture;
  const { data } = resample(pixels, {
    box: { left: 0, top: 0, width: pixels.width, height: pixels.height },
    size: THUMBNAIL,
    window: { left: 0, top: 0, ...THUMBNAIL },
    filter: 'bilinear',
  });
  return { width, height, thumbnail: data };
}
