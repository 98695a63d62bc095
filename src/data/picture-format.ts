/** What kind of picture a file holds, by its first bytes: names lie too often. */

/** Formats that are decoded. */
export type PictureFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'tiff' | 'avif' | 'bmp';

/** Endings of files that are taken for pictures in a folder, lower case. */
export const PICTURE_ENDINGS: ReadonlySet<string> = new Set([
  'jpg',
  'jpeg',
  'jpe',
  'jfif',
  'png',
  'gif',
  'webp',
  'tif',
  'tiff',
  'avif',
  'bmp',
]);

/** The ending of a file name, lower case, without the dot; empty when there is none. */
export function endingOf(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}

/**
 * The format of a picture; null for everything else, SVG among it: it is a program more than a
 * picture, and may name other files.
 */
export function pictureFormat(bytes: Uint8Array): PictureFormat | null {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 6) === 'GIF87a' || text(0, 6) === 'GIF89a') return 'gif';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  const magic = text(0, 4);
  if (magic === 'II*\0' || magic === 'MM\0*' || magic === 'II+\0' || magic === 'MM\0+') {
    return 'tiff';
  }
  if (text(4, 8) === 'ftyp' && /^(avif|avis|mif1|miaf)/.test(text(8, 12))) return 'avif';
  return bytes[0] === 0x42 && bytes[1] === 0x4d ? 'bmp' : null;
}
