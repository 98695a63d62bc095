/** The demo pictures: what was promised of them, and that colour does not give the class away. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { drawPicture, PARTS } from '../../scripts/assets/demo/picture.js';
import { type Labelled, LinearProbe } from '../../scripts/pretrain/linear-probe.js';

const ROOT = new URL('../../assets/demo/', import.meta.url);
const CLASSES = ['bicycle', 'fish', 'guitar', 'house', 'mug', 'umbrella'];

interface Picture {
  readonly name: string;
  readonly label: number;
  readonly file: URL;
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] */
  readonly pixels: Buffer;
}

async function read(part: string): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const [label, folder] of CLASSES.entries()) {
    for (const name of readdirSync(new URL(`${part}/${folder}/`, ROOT)).sort()) {
      const file = new URL(`${part}/${folder}/${name}`, ROOT);
      const decoded = await sharp(readFileSync(file)).raw().toBuffer({ resolveWithObject: true });
      const { width, height, channels } = decoded.info;
      expect(channels).toBe(3);
      pictures.push({ name, label, file, width, height, pixels: decoded.data });
    }
  }
  return pictures;
}

function meanColour({ pixels }: Picture): number[] {
  const sums = [0, 0, 0];
  for (const [i, v] of pixels.entries()) sums[i % 3]! += v;
  return sums.map((s) => (3 * s) / pixels.length);
}

/** Shares of 4 x 4 x 4 colours. */
function histogram({ pixels }: Picture): number[] {
  const bins = new Array<number>(64).fill(0);
  const step = 3 / pixels.length;
  for (let i = 0; i < pixels.length; i += 3) {
    const [r, g, b] = [pixels[i]! >> 6, pixels[i + 1]! >> 6, pixels[i + 2]! >> 6];
    bins[16 * r + 4 * g + b]! += step;
  }
  return bins;
}

function labelled(
  pictures: readonly Picture[],
  describePicture: (picture: Picture) => readonly number[],
): Labelled {
  const rows = pictures.map(describePicture);
  return {
    features: Float32Array.from(rows.flat()),
    width: rows[0]!.length,
    labels: pictures.map((p) => p.label),
  };
}

/** Few features need little decay. */
const PROBE = { decay: 1e-3, steps: 500 };

describe('demo pictures', () => {
  let train: Picture[];
  let valid: Picture[];
  beforeAll(async () => {
    train = await read('train');
    valid = await read('valid');
  });

  it('are the promised number, size and weight', () => {
    for (const [part, pictures] of [
      ['train', train],
      ['valid', valid],
    ] as const) {
      expect(readdirSync(new URL(`${part}/`, ROOT)).sort()).toEqual(CLASSES);
      const perClass = CLASSES.map((_, c) => pictures.filter((p) => p.label === c).length);
      expect(perClass).toEqual(CLASSES.map(() => PARTS[part]));
      for (const { width, height } of pictures) expect(Math.max(width, height)).toBe(160);
    }
    const bytes = [...train, ...valid].reduce((sum, p) => sum + statSync(p.file).size, 0);
    expect(bytes).toBeLessThanOrEqual(1.2e6);
    const different = new Set([...train, ...valid].map((p) => p.pixels.toString('base64')));
    expect(different.size).toBe(144);
  });

  // Chance is 1/6; three standard deviations of a guesser on 144 pictures are 0.093.
  it.each([
    ['the mean colour', meanColour],
    ['a colour histogram', histogram],
  ] as const)('are not told apart by %s', (_, describePicture) => {
    const [a, b] = [labelled(train, describePicture), labelled(valid, describePicture)];
    const forth = LinearProbe.fit(a, PROBE).accuracy(b);
    const back = LinearProbe.fit(b, PROBE).accuracy(a);
    expect((forth * b.labels.length + back * a.labels.length) / 144).toBeLessThan(1 / 6 + 0.093);
  });

  it('would be caught by that probe if colour told', () => {
    const tinted = (p: Picture) => meanColour(p).map((v, j) => v + 25 * ((p.label >> j) & 1));
    const probe = LinearProbe.fit(labelled(train, tinted), PROBE);
    const accuracy = probe.accuracy(labelled(valid, tinted));
    expect(accuracy).toBeGreaterThan(1 / 6 + 0.093);
  });

  it.each([
    ['train', 'guitar', 4],
    ['valid', 'house', 2],
  ] as const)('are drawn again by their script: %s %s', async (part, folder, index) => {
    const drawn = await sharp(await drawPicture(part, folder, index))
      .raw()
      .toBuffer();
    const stored = (part === 'train' ? train : valid).filter((p) => CLASSES[p.label] === folder);
    const { pixels } = stored[index]!;
    expect(drawn.length).toBe(pixels.length);
    let difference = 0;
    for (const [i, v] of pixels.entries()) difference += Math.abs(v - drawn[i]!);
    // Not bit for bit: renderers round differently from processor to processor.
    expect(difference / pixels.length).toBeLessThan(3);
  });
});
