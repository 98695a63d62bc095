import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  randomPicture,
  randomPixels,
  temporaryFolder,
  writeFiles,
} from '../../test/support/pictures.js';
import { DataError } from '../errors.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from '../models/index.js';
import { KeyedRandom } from '../util/index.js';
import { decodeImage, decodeReduced, decodeThumbnail } from './decode.js';
import type { Pixels } from './image.js';
import { pictureFormat } from './picture-format.js';
import { cropView, evalView } from './view.js';

const folder = temporaryFolder();
afterAll(folder.remove);

const WIDTH = 40;
const HEIGHT = 30;
const original = randomPixels(WIDTH, HEIGHT, 7);
const picture = () => randomPicture(WIDTH, HEIGHT, 7);

/** Largest and mean difference in grey levels. */
function difference({ data }: Pixels, want: ArrayLike<number>): { most: number; mean: number } {
  expect(data.length).toBe(want.length);
  let [most, sum] = [0, 0];
  data.forEach((v, i) => {
    const d = Math.abs(v - want[i]!);
    most = Math.max(most, d);
    sum += d;
  });
  return { most, mean: sum / data.length };
}

describe('every format that is read', () => {
  const lossless: Record<string, () => Promise<Uint8Array>> = {
    png: () => picture().png().toBuffer(),
    webp: () => picture().webp({ lossless: true }).toBuffer(),
    tiff: () => picture().tiff({ compression: 'lzw' }).toBuffer(),
    '16-bit png': () => picture().toColourspace('rgb16').png().toBuffer(),
    '16-bit tiff': () => picture().toColourspace('rgb16').tiff({ compression: 'none' }).toBuffer(),
  };
  for (const [name, make] of Object.entries(lossless)) {
    test(`${name}: the pixels as they were`, async () => {
      const bytes = await make();
      const got = await decodeImage(bytes);
      expect([got.width, got.height]).toEqual([WIDTH, HEIGHT]);
      // 8 bits to 16 and back may round.
      expect(difference(got, original).most).toBeLessThanOrEqual(name.startsWith('16') ? 1 : 0);
    });
  }

  const lossy: Record<string, () => Promise<Uint8Array>> = {
    jpeg: () => picture().jpeg({ quality: 95 }).toBuffer(),
    'progressive jpeg': () => picture().jpeg({ quality: 95, progressive: true }).toBuffer(),
    'webp with loss': () => picture().webp({ quality: 95 }).toBuffer(),
    avif: () => picture().avif({ quality: 90 }).toBuffer(),
    gif: () => picture().gif().toBuffer(),
    'palette png': () => picture().png({ palette: true }).toBuffer(),
  };
  for (const [name, make] of Object.entries(lossy)) {
    test(`${name}: nearly the pixels`, async () => {
      expect(difference(await decodeImage(await make()), original).mean).toBeLessThan(6);
    });
  }

  test('cmyk, through its colours and not as four channels', async () => {
    const bytes = await picture().toColourspace('cmyk').jpeg({ quality: 98 }).toBuffer();
    expect((await sharp(bytes).metadata()).space).toBe('cmyk');
    expect(difference(await decodeImage(bytes), original).mean).toBeLessThan(20); // print has no such blues
  });

  test('a profile of RGB is not applied, as in the pipelines that bases were trained with', async () => {
    const bytes = await picture().withIccProfile('p3').png().toBuffer();
    const raw = (ignoreIcc: boolean) => sharp(bytes, { ignoreIcc }).raw().toBuffer();
    const got = await decodeImage(bytes);
    expect(difference(got, await raw(true)).most).toBe(0);
    expect(difference(got, await raw(false)).most).toBeGreaterThan(5);
  });

  test('grey, with 8 and 16 bits: three equal channels', async () => {
    for (const space of ['b-w', 'grey16'] as const) {
      const bytes = await picture().toColourspace(space).png().toBuffer();
      const { data } = await decodeImage(bytes);
      expect(data.length).toBe(WIDTH * HEIGHT * 3);
      for (let i = 0; i < data.length; i += 3) {
        expect(data[i + 1] === data[i] && data[i + 2] === data[i]).toBe(true);
      }
      const luma = (i: number) =>
        0.2126 * original[i]! + 0.7152 * original[i + 1]! + 0.0722 * original[i + 2]!;
      let off = 0;
      for (let i = 0; i < data.length; i += 3) off += Math.abs(data[i]! - luma(i));
      expect((off * 3) / data.length).toBeLessThan(12);
    }
  });

  test('transparency lies over white, whatever colour it hides', async () => {
    const alpha = Buffer.alloc(WIDTH * HEIGHT, 255)
      .fill(0, 0, WIDTH * 10)
      .fill(51, WIDTH * 10, WIDTH * 20);
    const raw = { width: WIDTH, height: HEIGHT, channels: 1 } as const;
    for (const format of ['png', 'webp', 'tiff'] as const) {
      const bytes = await picture()
        .joinChannel(alpha, { raw })
        .toFormat(format, { lossless: true, compression: 'none' } as object)
        .toBuffer();
      const want = Uint8Array.from(original, (v, i) => {
        const a = alpha[Math.floor(i / 3)]! / 255;
        return Math.round(255 + (v - 255) * a);
      });
      expect(difference(await decodeImage(bytes), want).most, format).toBeLessThanOrEqual(1);
    }
  });

  test('exif: all eight orientations stand upright', async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const bytes = await picture().withMetadata({ orientation }).png().toBuffer();
      const got = await decodeImage(bytes);
      const want = await sharp(original, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
        .withMetadata({ orientation })
        .png()
        .toBuffer()
        .then((b) => sharp(b).autoOrient().raw().toBuffer({ resolveWithObject: true }));
      expect([got.width, got.height]).toEqual(orientation < 5 ? [WIDTH, HEIGHT] : [HEIGHT, WIDTH]);
      expect(difference(got, want.data).most).toBe(0);
    }
    // One of them by hand: 6 is turned clockwise, so the first row was the left column, upwards.
    const bytes = await picture().withMetadata({ orientation: 6 }).png().toBuffer();
    const { data, width } = await decodeImage(bytes);
    expect([...data.subarray(0, 3)]).toEqual([
      ...original.subarray((HEIGHT - 1) * WIDTH * 3, (HEIGHT - 1) * WIDTH * 3 + 3),
    ]);
    expect([...data.subarray((width - 1) * 3, width * 3)]).toEqual([...original.subarray(0, 3)]);
  });

  test('animations by their first frame', async () => {
    const other = randomPicture(WIDTH, HEIGHT, 8).png();
    const frames = [await picture().png().toBuffer(), await other.toBuffer()];
    for (const format of ['gif', 'webp'] as const) {
      const bytes = await sharp(frames, { join: { animated: true } })
        .toFormat(format, { lossless: true } as object)
        .toBuffer();
      expect((await sharp(bytes).metadata()).pages).toBe(2);
      const got = await decodeImage(bytes);
      expect([got.width, got.height]).toEqual([WIDTH, HEIGHT]);
      expect(difference(got, original).mean).toBeLessThan(6);
    }
  });

  test('bmp, also when it must be reduced', async () => {
    const [w, h] = [400, 300];
    const data = randomPixels(w, h, 3);
    const stride = Math.ceil((w * 3) / 4) * 4;
    const bytes = new Uint8Array(54 + stride * h);
    const view = new DataView(bytes.buffer);
    bytes.set([0x42, 0x4d]);
    [
      [10, 54],
      [14, 40],
      [18, w],
      [22, h],
    ].forEach(([at, v]) => {
      view.setUint32(at!, v!, true);
    });
    view.setUint16(28, 24, true);
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        const from = (y * w + x) * 3;
        bytes.set(
          [data[from + 2]!, data[from + 1]!, data[from]!],
          54 + (h - 1 - y) * stride + x * 3,
        );
      }
    }
    expect(difference(await decodeImage(bytes), data).most).toBe(0);
    const png = await randomPicture(w, h, 3).png().toBuffer();
    const small = { ...IMAGENET_PREPROCESS, fit: 'squash', width: 20, height: 20 } as const;
    const [a, b] = [
      await decodeImage(bytes, evalView(small)),
      await decodeImage(png, evalView(small)),
    ];
    expect(difference(a, b.data).most).toBe(0);
  });
});

describe('files that are no good', () => {
  let jpeg: Uint8Array;
  beforeAll(async () => {
    jpeg = await randomPicture(300, 200, 5).jpeg().toBuffer();
  });

  const failing = async (bytes: Uint8Array | string, pattern: RegExp) => {
    const path = join(folder.path, 'bad.jpg');
    writeFileSync(path, bytes);
    for (const decode of [decodeImage, decodeThumbnail] as const) {
      const error = await decode(path).then(
        () => null,
        (e: unknown) => e,
      );
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).code).toBe('picture');
      expect((error as DataError).message).toContain(path);
      expect((error as DataError).message).toMatch(pattern);
    }
  };

  test('truncated ones, in each format', async () => {
    await failing(jpeg.subarray(0, jpeg.length * 0.9), /JPEG data is damaged/);
    await failing(jpeg.subarray(0, jpeg.length - 2), /JPEG data is damaged/);
    const source = () => randomPicture(60, 50, 5);
    for (const bytes of [
      await source().png().toBuffer(),
      await source().webp().toBuffer(),
      await source().tiff({ compression: 'none' }).toBuffer(),
      await source().avif().toBuffer(),
      await source().gif().toBuffer(),
    ]) {
      await failing(bytes.subarray(0, bytes.length * 0.6), /damaged/);
    }
  });

  test('empty ones, text under the name of a picture, SVG', async () => {
    await failing('', /the file is empty/);
    await failing('this is text', /no picture that is known/);
    await failing('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', /no picture/);
    await expect(decodeImage(join(folder.path, 'none.jpg'))).rejects.toThrow(
      /none\.jpg: it cannot be read \(ENOENT/,
    );
  });

  test('bombs: a small file that says it has 2 gigapixels', async () => {
    // A grey PNG header of 50000 x 40000; nothing behind it is ever looked at.
    const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex');
    const size = Buffer.alloc(9);
    size.writeUInt32BE(50_000, 0);
    size.writeUInt32BE(40_000, 4);
    size[8] = 8;
    await failing(Buffer.concat([png, size, Buffer.alloc(64)]), /pixel|damaged/);
  });

  test('junk behind the picture is no fault', async () => {
    const junk = Buffer.concat([jpeg, Buffer.from('camera maker notes')]);
    const [a, b] = [await decodeImage(jpeg), await decodeImage(junk)];
    expect(difference(a, b.data).most).toBe(0);
  });

  test('the name can be given', async () => {
    await expect(decodeImage(new Uint8Array(3), undefined, 'upload 7')).rejects.toThrow(
      /^upload 7: /,
    );
  });
});

describe('large pictures', () => {
  test('are reduced while they are decoded, and nearly give the view of the whole', async () => {
    const bytes = await randomPicture(2000, 1500, 11).jpeg({ quality: 95 }).toBuffer();
    const small = { ...IMAGENET_PREPROCESS, width: 64, height: 64, shortSide: 73 };
    const views = [
      evalView(small),
      cropView(small, KeyedRandom.of(3), { scale: [0.5, 0.9], ratio: [0.75, 1.3] }),
    ];
    const whole = await decodeReduced(bytes, () => 1);
    expect(whole.reduction).toBe(1);
    for (const view of views) {
      const reduced = await decodeReduced(bytes, () => 8);
      expect([reduced.pixels.width, reduced.pixels.height]).toEqual([250, 188]);
      const direct = await decodeImage(bytes, view);
      const full = await sharp(whole.pixels.data, {
        raw: { width: 2000, height: 1500, channels: 3 },
      })
        .png({ compressionLevel: 0 })
        .toBuffer();
      // A PNG is reduced by the same factor, but from its full pixels: only the decoder differs.
      expect(difference(direct, (await decodeImage(full, view)).data).most).toBeLessThanOrEqual(6);
    }
  });
});

test('thumbnails show the picture upright, and give its size', async () => {
  const bytes = await randomPicture(300, 200, 5).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  writeFiles(folder.path, { 'turned.jpg': bytes });
  const { width, height, thumbnail } = await decodeThumbnail(join(folder.path, 'turned.jpg'));
  expect([width, height, thumbnail.length]).toEqual([200, 300, 9 * 8 * 3]);
  const want = await sharp(bytes)
    .autoOrient()
    .resize(9, 8, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  expect(difference({ width: 9, height: 8, data: thumbnail }, want).most).toBeLessThan(12);
});

test('formats are told by their first bytes', () => {
  const of = (text: string) => pictureFormat(Buffer.from(text, 'latin1'));
  expect(of('\xff\xd8\xff\xe0')).toBe('jpeg');
  expect(of('RIFF....WEBPVP8 ')).toBe('webp');
  expect(of('RIFF....WAVEfmt ')).toBeNull();
  expect(of('....ftypavif')).toBe('avif');
  expect(of('....ftypheic')).toBeNull();
  expect(of('MM\0*')).toBe('tiff');
  expect(of('BM')).toBe('bmp');
  expect(of('%PDF-1.7')).toBeNull();
  expect(of('')).toBeNull();
});

interface GoldenFile {
  name: string;
  bytes: string;
  preprocess: object;
  out: { width: number; height: number; data: string };
}

const golden = JSON.parse(
  readFileSync(new URL('../../test/golden/data/augment.json', import.meta.url), 'utf8'),
) as { files: GoldenFile[] };

describe('what a model is given is what Pillow and torchvision give it:', () => {
  for (const { name, bytes, preprocess, out } of golden.files) {
    test(name, async () => {
      const view = evalView({ ...IMAGENET_PREPROCESS, ...preprocess } as ImagePreprocess);
      const got = await decodeImage(Buffer.from(bytes, 'base64'), view);
      expect([got.width, got.height]).toEqual([out.width, out.height]);
      // Resizing agrees exactly; decoders of lossy formats may round a level apart.
      const lossy = /jpeg|webp/.test(name);
      const { most } = difference(got, Buffer.from(out.data, 'base64'));
      expect(most).toBeLessThanOrEqual(lossy ? 1 : 0);
    });
  }
});
