/** Small pictures on disk for tests of data. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { KeyedRandom } from '../../src/util/index.js';

/** A temporary folder, and how to remove it. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'pictures-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Smooth random colours: no two seeds look alike, and JPEG keeps them well. */
export function randomPixels(width: number, height: number, seed: number): Uint8Array {
  const random = KeyedRandom.of(seed).fold('picture');
  const data = new Uint8Array(width * height * 3);
  const wave = Array.from({ length: 3 }, (_, k) =>
    random
      .fold(k)
      .uniforms(6)
      .map((v, i) => (i < 4 ? v * 7 : v * 6)),
  );
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let k = 0; k < 3; k++) {
        const [a, b, c, d, p, q] = wave[k] as unknown as [
          number,
          number,
          number,
          number,
          number,
          number,
        ];
        const [u, v] = [x / width, y / height];
        data[(y * width + x) * 3 + k] =
          128 + 70 * Math.sin(a * u + b * v + p) + 55 * Math.sin(c * v - d * u + q);
      }
    }
  }
  return data;
}

/** A sharp pipeline of {@link randomPixels}. */
export function randomPicture(width: number, height: number, seed: number) {
  const raw = { width, height, channels: 3 } as const;
  return sharp(randomPixels(width, height, seed), { raw });
}

/** Writes files below `root`, making their folders. */
export function writeFiles(root: string, files: Record<string, string | Uint8Array>): void {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

/** PNG files of random pictures below `root`, each name with a seed of its own. */
export async function writePictures(
  root: string,
  names: readonly string[],
  { width = 24, height = 20, from = 1 }: { width?: number; height?: number; from?: number } = {},
): Promise<void> {
  const files: Record<string, Uint8Array> = {};
  for (const [i, name] of names.entries()) {
    const picture = randomPicture(width, height, from + i);
    files[name] = await (/\.jpe?g$/.test(name)
      ? picture.jpeg({ quality: 95 })
      : picture.png()
    ).toBuffer();
  }
  writeFiles(root, files);
}
