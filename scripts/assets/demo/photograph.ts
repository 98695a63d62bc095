/** From a scene to a photograph: lens, sensor, exposure, JPEG. */
import sharp from 'sharp';
import type { Dice } from './dice.js';
import { SCENE } from './scene.js';
import { MARGIN } from './sheet.js';

/** Longest side of a picture, pixels. */
export const LONG_SIDE = 160;

const CLAMP = (v: number) => Math.min(255, Math.max(0, Math.round(v)));

/** Exposure, white balance, vignette and noise on 8-bit RGB, in place. */
function expose(dice: Dice, data: Buffer, width: number, height: number): void {
  const gamma = dice.range('gamma', 0.75, 1.35);
  const gain = dice.range('gain', 0.82, 1.12);
  const warmth = dice.range('warmth', -0.08, 0.08);
  const balance = [gain * (1 + warmth), gain, gain * (1 - warmth)];
  const vignette = dice.range('vignette', 0, 0.5);
  const noise = dice.range('noise', 1, 7);
  const luma = dice.normals('luma', width * height);
  const chroma = dice.normals('chroma', width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const r2 = ((2 * x) / width - 1) ** 2 + ((2 * y) / height - 1) ** 2;
      const falloff = 1 - (vignette * r2) / 2;
      for (let c = 0; c < 3; c++) {
        const value = (data[3 * at + c]! / 255) ** gamma * balance[c]! * falloff;
        const grain = noise * (luma[at]! + 0.4 * chroma[3 * at + c]!);
        data[3 * at + c] = CLAMP(255 * value + grain);
      }
    }
  }
}

/**
 * A photograph of a scene.
 * @param svg the scene, `SCENE` pixels square
 * @returns a JPEG whose longest side is {@link LONG_SIDE}
 */
export async function photograph(dice: Dice, svg: string): Promise<Buffer> {
  const [w, h] = dice.pick('format', [
    [1, 1],
    [1, 0.8],
    [0.8, 1],
    [1, 0.875],
  ] as const);
  const [width, height] = [Math.round(w * LONG_SIDE), Math.round(h * LONG_SIDE)];
  // Rendered to pixels first: sharp would otherwise let librsvg draw at the small size.
  const full = await sharp(Buffer.from(svg)).flatten().removeAlpha().raw().toBuffer();
  const side = SCENE + 2 * MARGIN;
  const data = await sharp(full, { raw: { width: side, height: side, channels: 3 } })
    .blur(dice.range('lens', 0.4, 1.6))
    .extract({
      left: Math.round(MARGIN + (SCENE * (1 - w)) / 2),
      top: Math.round(MARGIN + (SCENE * (1 - h)) / 2),
      width: Math.round(SCENE * w),
      height: Math.round(SCENE * h),
    })
    .resize(width, height, { kernel: 'lanczos3' })
    .raw()
    .toBuffer();
  expose(dice.at('sensor'), data, width, height);
  return sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 82, chromaSubsampling: '4:2:0' })
    .toBuffer();
}
