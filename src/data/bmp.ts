/**
 * BMP files, which libvips does not read: uncompressed with 1, 4, 8 (palette), 16, 24 or 32 bits a
 * pixel, or with bit masks. Layout as in Microsoft's BITMAPINFOHEADER to BITMAPV5HEADER.
 */
import { DataError } from '../errors.js';
import type { Pixels } from './image.js';

function fault(message: string): DataError {
  return new DataError(`BMP: ${message}`, {}, { code: 'picture' });
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  /** Red, green, blue, alpha; null where colours come from a palette. */
  readonly masks: readonly [number, number, number, number] | null;
  readonly palette: { readonly at: number; readonly entry: 3 | 4; readonly count: number };
  readonly pixelsAt: number;
}

/** Compression 3 and 6: each channel has a mask. Without one, 16 bits are 5-5-5. */
const MASKS = 3;
const MASKS_WITH_ALPHA = 6;

function readHeader(bytes: Uint8Array): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 26) throw fault('the file ends inside its header.');
  const size = view.getUint32(14, true);
  const core = size === 12;
  if ((!core && size < 40) || size > 1024 || bytes.length < 14 + size) {
    throw fault(`the header says it has ${size} bytes, which none has.`);
  }
  const width = core ? view.getUint16(18, true) : view.getInt32(18, true);
  const rows = core ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? 0 : view.getUint32(30, true);
  const used = core ? 0 : view.getUint32(46, true);
  const masked = compression === MASKS || compression === MASKS_WITH_ALPHA;
  if (compression !== 0 && !(masked && (bits === 16 || bits === 32))) {
    throw fault(`compression ${compression} is not read. Save the picture as PNG or JPEG.`);
  }
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw fault(`${bits} bits a pixel are not read.`);
  if (width < 1 || rows === 0) throw fault(`the size ${width} x ${rows} is none.`);

  let masks: Header['masks'] = null;
  if (masked) {
    // In the short header the masks follow it; in the longer ones they are at the same place.
    const inside = Math.max(size, compression === MASKS_WITH_ALPHA ? 56 : 52);
    if (bytes.length < 14 + inside) throw fault('the file ends inside its header.');
    const alpha = inside >= 56 ? view.getUint32(66, true) : 0;
    masks = [view.getUint32(54, true), view.getUint32(58, true), view.getUint32(62, true), alpha];
  } else if (bits === 16) masks = [0x7c00, 0x3e0, 0x1f, 0];
  else if (bits === 24 || bits === 32) masks = [0xff0000, 0xff00, 0xff, 0];
  const count = bits <= 8 ? Math.min(used || 2 ** bits, 2 ** bits) : 0;
  return {
    width,
    height: Math.abs(rows),
    topDown: rows < 0,
    bits,
    masks,
    palette: { at: 14 + size, entry: core ? 3 : 4, count },
    pixelsAt: view.getUint32(10, true),
  };
}

/** Takes a channel out of a pixel and spreads it over 0..255; without a mask it is 0. */
function channel(mask: number): (pixel: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const most = mask >>> shift;
  return (pixel) => Math.round((((pixel & mask) >>> shift) * 255) / most);
}

function fromPalette(bytes: Uint8Array, header: Header, stride: number, out: Uint8Array): void {
  const { width, height, bits, palette, pixelsAt, topDown } = header;
  const perByte = 8 / bits;
  const low = 2 ** bits - 1;
  for (let y = 0; y < height; y++) {
    const row = pixelsAt + (topDown ? y : height - 1 - y) * stride;
    for (let x = 0, o = y * width * 3; x < width; x++, o += 3) {
      const place = perByte - 1 - (x % perByte);
      const index = (bytes[row + Math.floor(x / perByte)]! >> (place * bits)) & low;
      if (index >= palette.count) throw fault(`colour ${index} of ${palette.count} is used.`);
      const entry = palette.at + index * palette.entry;
      for (let k = 0; k < 3; k++) out[o + k] = bytes[entry + 2 - k]!;
    }
  }
}

function fromMasks(bytes: Uint8Array, header: Header, stride: number, out: Uint8Array): void {
  const { width, height, bits, masks, pixelsAt, topDown } = header;
  const [red, green, blue, alpha] = masks!.map(channel) as [
    (p: number) => number,
    (p: number) => number,
    (p: number) => number,
    (p: number) => number,
  ];
  const step = bits / 8;
  const pixelAt = (at: number) => {
    let pixel = 0;
    for (let k = 0; k < step; k++) pixel |= bytes[at + k]! << (8 * k);
    return pixel;
  };
  const rowAt = (y: number) => pixelsAt + (topDown ? y : height - 1 - y) * stride;
  // Many programs write an alpha channel and leave it 0: such a picture is opaque.
  let visible = false;
  for (let y = 0; masks![3] !== 0 && !visible && y < height; y++) {
    for (let x = 0; !visible && x < width; x++) {
      visible = (pixelAt(rowAt(y) + x * step) & masks![3]) !== 0;
    }
  }
  for (let y = 0; y < height; y++) {
    let at = rowAt(y);
    for (let x = 0, o = y * width * 3; x < width; x++, o += 3, at += step) {
      const pixel = pixelAt(at);
      const a = visible ? alpha(pixel) / 255 : 1;
      out[o] = Math.round(255 + (red(pixel) - 255) * a);
      out[o + 1] = Math.round(255 + (green(pixel) - 255) * a);
      out[o + 2] = Math.round(255 + (blue(pixel) - 255) * a);
    }
  }
}

/**
 * Decodes a BMP file; alpha is laid over white.
 * @param maxPixels a picture with more is refused before anything is allocated
 * @throws DataError for what is damaged or compressed
 */
export function readBmp(bytes: Uint8Array, maxPixels: number): Pixels {
  const header = readHeader(bytes);
  const { width, height, bits, palette, pixelsAt } = header;
  if (width * height > maxPixels) {
    throw fault(`${width} x ${height} pixels are more than the ${maxPixels} allowed.`);
  }
  const stride = Math.ceil((width * bits) / 32) * 4;
  // The last row's padding is often left out.
  const needed = pixelsAt + stride * (height - 1) + Math.ceil((width * bits) / 8);
  if (needed > bytes.length || palette.at + palette.count * palette.entry > bytes.length) {
    throw fault(`the file is truncated: ${bytes.length} of ${needed} bytes.`);
  }
  const data = new Uint8Array(width * height * 3);
  (header.masks ? fromMasks : fromPalette)(bytes, header, stride, data);
  return { width, height, data };
}
