/** Mirroring and affine maps, as Pillow and torchvision define them. */
import type { Pixels } from './image.js';

/** Mirrors left to right. */
export function flipHorizontal({ width, height, data }: Pixels): Pixels {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    let to = (y * width + width - 1) * 3;
    let from = y * width * 3;
    for (let x = 0; x < width; x++, from += 3, to -= 3) {
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return { width, height, data: out };
}

/** Mirrors top to bottom. */
export function flipVertical({ width, height, data }: Pixels): Pixels {
  const out = new Uint8Array(data.length);
  const line = width * 3;
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * line, (y + 1) * line), (height - 1 - y) * line);
  }
  return { width, height, data: out };
}

/** Red, green and blue of what lies outside of a picture, 0..255. */
export type Fill = readonly [number, number, number];

/** Where a point of the result comes from: x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5. */
export type AffineMatrix = readonly [number, number, number, number, number, number];

/** A turn about the middle, then a shift. */
export interface AffineParameters {
  /** Clockwise. */
  readonly degrees: number;
  /** Pixels to the right and down. */
  readonly translate: readonly [number, number];
  /** Along x and y, in degrees. */
  readonly shear: readonly [number, number];
}

/** The matrix of torchvision's `affine` at scale 1, about the middle of the picture. */
export function affineMatrix(
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  { degrees, translate, shear }: AffineParameters,
): AffineMatrix {
  const [turn, sx, sy] = [degrees, ...shear].map((v) => (v * Math.PI) / 180) as [
    number,
    number,
    number,
  ];
  // Turn times shear along y times shear along x; its determinant is 1, so the inverse is plain.
  const a = Math.cos(turn - sy) / Math.cos(sy);
  const b = -a * Math.tan(sx) - Math.sin(turn);
  const c = Math.sin(turn - sy) / Math.cos(sy);
  const d = -c * Math.tan(sx) + Math.cos(turn);
  const [cx, cy] = [width / 2, height / 2];
  const [x, y] = [-cx - translate[0], -cy - translate[1]];
  return [d, -b, d * x - b * y + cx, -c, a, -c * x + a * y + cy];
}

/**
 * An affine map with bilinear interpolation; as in Pillow, values are cut to whole grey levels and
 * the half pixel around the edge repeats the edge.
 */
export function affine(pixels: Pixels, matrix: AffineMatrix, fill: Fill): Pixels {
  const { width, height, data } = pixels;
  const [m0, m1, m2, m3, m4, m5] = matrix;
  const out = new Uint8Array(data.length);
  let o = 0;
  for (let j = 0; j < height; j++) {
    for (let i = 0; i < width; i++, o += 3) {
      const u = m0 * (i + 0.5) + m1 * (j + 0.5) + m2;
      const v = m3 * (i + 0.5) + m4 * (j + 0.5) + m5;
      if (!(u >= 0 && u < width && v >= 0 && v < height)) {
        out[o] = fill[0];
        out[o + 1] = fill[1];
        out[o + 2] = fill[2];
        continue;
      }
      const x = Math.floor(u - 0.5);
      const y = Math.floor(v - 0.5);
      const dx = u - 0.5 - x;
      const dy = v - 0.5 - y;
      const top = Math.max(0, y) * width;
      const bottom = Math.min(height - 1, y + 1) * width;
      const left = Math.max(0, x);
      const right = Math.min(width - 1, x + 1);
      const p = (top + left) * 3;
      const q = (top + right) * 3;
      const r = (bottom + left) * 3;
      const s = (bottom + right) * 3;
      for (let k = 0; k < 3; k++) {
        const above = data[p + k]! + (data[q + k]! - data[p + k]!) * dx;
        const below = data[r + k]! + (data[s + k]! - data[r + k]!) * dx;
        out[o + k] = above + (below - above) * dy;
      }
    }
  }
  return { width, height, data: out };
}

/** Turns by `degrees` counter-clockwise about the middle. */
export function rotate(pixels: Pixels, degrees: number, fill: Fill): Pixels {
  const parameters = { degrees: -degrees, translate: [0, 0], shear: [0, 0] } as const;
  return affine(pixels, affineMatrix(pixels, parameters), fill);
}
