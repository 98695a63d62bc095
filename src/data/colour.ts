/**
 * Operations on colours, as Pillow defines them (`ImageEnhance`, `ImageOps`): factors of 1 change
 * nothing, 0 gives black, grey or blurred pictures, more than 1 exaggerates.
 */
import { ConfigError } from '../errors.js';
import type { Pixels } from './image.js';

/** A new value for each of 256 values. */
type Table = Uint8Array;

function table(value: (v: number) => number): Table {
  const out = new Uint8ClampedArray(256);
  for (let v = 0; v < 256; v++) out[v] = Math.trunc(value(v));
  return new Uint8Array(out.buffer);
}

function mapped({ width, height, data }: Pixels, tables: readonly [Table, Table, Table]): Pixels {
  const [r, g, b] = tables;
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 3) {
    out[i] = r[data[i]!]!;
    out[i + 1] = g[data[i + 1]!]!;
    out[i + 2] = b[data[i + 2]!]!;
  }
  return { width, height, data: out };
}

const alike = (pixels: Pixels, t: Table): Pixels => mapped(pixels, [t, t, t]);

/** From `from` towards and past `to`, in single precision and cut as Pillow's `blend` does. */
function blend(from: number, to: number, factor: number): number {
  return Math.fround(from + Math.fround(factor * (to - from)));
}

/** Luma of ITU-R 601 in 16-bit fixed point, the grey that Pillow's mode L has. */
export function luma(r: number, g: number, b: number): number {
  return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
}

/** Lighter or darker: mixed with black. */
export function brightness(pixels: Pixels, factor: number): Pixels {
  const f = Math.fround(factor);
  return alike(
    pixels,
    table((v) => blend(0, v, f)),
  );
}

/** More or less contrast: mixed with the mean grey of the picture. */
export function contrast(pixels: Pixels, factor: number): Pixels {
  const { data } = pixels;
  let sum = 0;
  for (let i = 0; i < data.length; i += 3) sum += luma(data[i]!, data[i + 1]!, data[i + 2]!);
  const mean = Math.trunc((sum * 3) / data.length + 0.5);
  const f = Math.fround(factor);
  return alike(
    pixels,
    table((v) => blend(mean, v, f)),
  );
}

/** More or less colour: mixed with the grey picture. */
export function saturation({ width, height, data }: Pixels, factor: number): Pixels {
  const f = Math.fround(factor);
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    const grey = luma(r, g, b);
    out[i] = Math.trunc(blend(grey, r, f));
    out[i + 1] = Math.trunc(blend(grey, g, f));
    out[i + 2] = Math.trunc(blend(grey, b, f));
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

/** Level of one channel of a colour of value `v`, `k` sixths of the wheel from where it is least. */
function channel(v: number, spread: number, k: number): number {
  return v - spread * Math.max(0, Math.min(k, 4 - k, 1));
}

/**
 * Turns the colour wheel by `turn` of a full turn, -0.5 to 0.5. In floating point, as torchvision
 * does for tensors; Pillow's 8-bit HSV would lose most of a dark picture's hues.
 */
export function hue({ width, height, data }: Pixels, turn: number): Pixels {
  const shift = (turn - Math.floor(turn)) * 6;
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    const v = Math.max(r, g, b);
    const spread = v - Math.min(r, g, b);
    if (spread === 0) {
      out[i] = out[i + 1] = out[i + 2] = v;
      continue;
    }
    let h = v === r ? (g - b) / spread : v === g ? 2 + (b - r) / spread : 4 + (r - g) / spread;
    h += shift;
    if (h < 0) h += 6;
    else if (h >= 6) h -= 6;
    const sector = (n: number) => (h + n >= 6 ? h + n - 6 : h + n);
    out[i] = channel(v, spread, sector(5));
    out[i + 1] = channel(v, spread, sector(3));
    out[i + 2] = channel(v, spread, sector(1));
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

/** Keeps the highest `bits` bits of each value, 1 to 8. */
export function posterize(pixels: Pixels, bits: number): Pixels {
  if (!Number.isInteger(bits) || bits < 1 || bits > 8) {
    throw new ConfigError(`posterize keeps 1 to 8 bits of a value, not ${bits}.`, { bits });
  }
  const mask = 256 - 2 ** (8 - bits);
  return alike(
    pixels,
    table((v) => v & mask),
  );
}

/** Inverts values of `threshold` and more. */
export function solarize(pixels: Pixels, threshold: number): Pixels {
  return alike(
    pixels,
    table((v) => (v < threshold ? v : 255 - v)),
  );
}

/** The negative. */
export function invert(pixels: Pixels): Pixels {
  return solarize(pixels, 0);
}

/** How often each value occurs in channel `k`. */
function histogram({ data }: Pixels, k: number): Int32Array {
  const counts = new Int32Array(256);
  for (let i = k; i < data.length; i += 3) counts[data[i]!]!++;
  return counts;
}

const eachChannel = (pixels: Pixels, tableOf: (counts: Int32Array) => Table): Pixels =>
  mapped(pixels, [0, 1, 2].map((k) => tableOf(histogram(pixels, k))) as [Table, Table, Table]);

const IDENTITY = table((v) => v);

/** Spreads each channel's values evenly: its histogram becomes about flat. */
export function equalize(pixels: Pixels): Pixels {
  return eachChannel(pixels, (counts) => {
    const highest = counts.findLastIndex((n) => n > 0);
    const total = counts.reduce((a, n) => a + n, 0);
    const step = Math.floor((total - counts[highest]!) / 255);
    if (step === 0) return IDENTITY;
    let below = Math.floor(step / 2);
    return table((v) => {
      const level = Math.floor(below / step);
      below += counts[v]!;
      return level;
    });
  });
}

/** Stretches each channel so that its darkest value becomes 0 and its lightest 255. */
export function autocontrast(pixels: Pixels): Pixels {
  return eachChannel(pixels, (counts) => {
    const low = counts.findIndex((n) => n > 0);
    const high = counts.findLastIndex((n) => n > 0);
    if (high <= low) return IDENTITY;
    const scale = 255 / (high - low);
    const shift = -low * scale;
    return table((v) => v * scale + shift);
  });
}

/** Sharper or softer: mixed with a picture smoothed by 3 x 3 weights 1, 1, 1; 1, 5, 1; 1, 1, 1. */
export function sharpness({ width, height, data }: Pixels, factor: number): Pixels {
  const f = Math.fround(factor);
  const line = width * 3;
  const out = new Uint8ClampedArray(data); // the outermost pixels stay as they are
  for (let y = 1; y < height - 1; y++) {
    for (let i = y * line + 3, end = (y + 1) * line - 3; i < end; i++) {
      const above = data[i - line - 3]! + data[i - line]! + data[i - line + 3]!;
      const below = data[i + line - 3]! + data[i + line]! + data[i + line + 3]!;
      const v = data[i]!;
      const sum = above + below + data[i - 3]! + 5 * v + data[i + 3]!;
      out[i] = Math.trunc(blend(Math.floor((2 * sum + 13) / 26), v, f));
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}
