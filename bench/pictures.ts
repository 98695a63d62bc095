/** Draws photo-like JPEG files, so that decoding and augmenting cost what they cost on photographs. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { ImageSample } from '../src/data/index.js';
import { KeyedRandom } from '../src/util/index.js';

/** Classes, one folder each. */
export const CLASSES = 10;
const WIDTH = 640;
const HEIGHT = 480;
const QUALITY = 90;
/** Soft-edged shapes in a picture. */
const SHAPES = 12;
/** Deviation of the grain, of 255: with it a file has the 100 KB of a photograph of this size. */
const GRAIN = 6.5;

/** Soft light from two corners, soft-edged ellipses with a wavy surface, grain over all. */
function draw(random: KeyedRandom): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(WIDTH * HEIGHT * 3);
  const shapes = Array.from({ length: SHAPES }, (_, i) => {
    const at = random.fold(i);
    return {
      x: at.uniform(0, 0, WIDTH),
      y: at.uniform(1, 0, HEIGHT),
      rx: at.uniform(2, 30, 180),
      ry: at.uniform(3, 30, 180),
      wave: at.uniform(4, 0.05, 0.6),
      colour: [at.uniform(5, -90, 90), at.uniform(6, -90, 90), at.uniform(7, -90, 90)] as const,
    };
  });
  const noises = random.fold('grain').normals(WIDTH * HEIGHT);
  for (let y = 0, p = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++, p += 3) {
      let [r, g, b] = [70 + x / 8 + y / 10, 90 + y / 8, 150 - y / 6 + x / 20];
      for (const s of shapes) {
        const d = ((x - s.x) / s.rx) ** 2 + ((y - s.y) / s.ry) ** 2;
        if (d >= 1) continue;
        const light = Math.min(1, (1 - d) * 4) * (0.8 + 0.2 * Math.sin(s.wave * (x + 0.7 * y)));
        r += light * s.colour[0];
        g += light * s.colour[1];
        b += light * s.colour[2];
      }
      // The grain of a sensor is mostly of brightness.
      const noise = noises[y * WIDTH + x]! * GRAIN;
      pixels[p] = r + noise;
      pixels[p + 1] = g + noise;
      pixels[p + 2] = b + noise;
    }
  }
  return pixels;
}

/** Writes so many pictures of 640 x 480 to class folders in `folder`; the same ones every time. */
export async function drawPictures(folder: string, count: number): Promise<ImageSample[]> {
  const samples: ImageSample[] = [];
  for (let i = 0; i < count; i++) {
    const label = i % CLASSES;
    const id = `class${label}/${i}.jpg`;
    const file = join(folder, id);
    await mkdir(join(folder, `class${label}`), { recursive: true });
    await sharp(draw(KeyedRandom.of(i)), { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
      .jpeg({ quality: QUALITY })
      .toFile(file);
    samples.push({ id, file, label });
  }
  return samples;
}
