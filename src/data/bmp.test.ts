import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GraftError } from '../errors.js';
import { readBmp } from './bmp.js';

interface Options {
  width: number;
  height: number;
  bits: number;
  /** Rows of packed pixels, top first. */
  rows: number[][];
  topDown?: boolean;
  core?: boolean;
  compression?: number;
  masks?: number[];
  palette?: number[][];
  used?: number;
}

/** Writes a BMP by hand, as its specification says. */
function bmp(o: Options): Uint8Array {
  const stride = Math.ceil((o.width * o.bits) / 32) * 4;
  const header = o.core ? 12 : o.masks ? 40 + 4 * o.masks.length : 40;
  const entry = o.core ? 3 : 4;
  const palette = o.palette ?? [];
  const pixelsAt = 14 + header + palette.length * entry;
  const bytes = new Uint8Array(pixelsAt + stride * o.height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, pixelsAt, true);
  view.setUint32(14, o.masks ? 40 + (o.masks.length > 3 ? 16 : 12) : header, true);
  if (o.core) {
    view.setUint16(18, o.width, true);
    view.setUint16(20, o.height, true);
    view.setUint16(24, o.bits, true);
  } else {
    view.setInt32(18, o.width, true);
    view.setInt32(22, o.topDown ? -o.height : o.height, true);
    view.setUint16(28, o.bits, true);
    view.setUint32(30, o.compression ?? (o.masks ? 3 : 0), true);
    view.setUint32(46, o.used ?? 0, true);
    o.masks?.forEach((mask, i) => {
      view.setUint32(54 + 4 * i, mask, true);
    });
  }
  palette.forEach((colour, i) => {
    bytes.set(colour.toReversed(), 14 + header + i * entry);
  });
  o.rows.forEach((row, y) => {
    bytes.set(row, pixelsAt + (o.topDown ? y : o.height - 1 - y) * stride);
  });
  return bytes;
}

const LIMIT = 1e6;
const rgb = (bytes: Uint8Array) => [...readBmp(bytes, LIMIT).data];

const RED = [255, 0, 0];
const TEAL = [0, 128, 120];

test('24 bits, bottom up and top down', () => {
  const rows = [
    [0, 0, 255, 120, 128, 0, 1, 2, 3],
    [9, 8, 7, 6, 5, 4, 3, 2, 1],
  ];
  const want = [...RED, ...TEAL, 3, 2, 1, 7, 8, 9, 4, 5, 6, 1, 2, 3];
  for (const topDown of [false, true]) {
    expect(rgb(bmp({ width: 3, height: 2, bits: 24, rows, topDown }))).toEqual(want);
  }
});

test('32 bits: the fourth byte says nothing without a mask', () => {
  expect(rgb(bmp({ width: 1, height: 1, bits: 32, rows: [[0, 0, 255, 0]] }))).toEqual(RED);
});

test('32 bits with an alpha mask lie over white, unless alpha is nowhere set', () => {
  const masks = [0xff, 0xff00, 0xff0000, 0xff000000];
  const seen = bmp({ width: 2, height: 1, bits: 32, masks, rows: [[255, 0, 0, 51, 0, 0, 0, 0]] });
  expect(rgb(seen)).toEqual([255, 204, 204, 255, 255, 255]);
  const unset = bmp({ width: 1, height: 1, bits: 32, masks, rows: [[255, 0, 0, 0]] });
  expect(rgb(unset)).toEqual(RED);
});

test('16 bits: 5-5-5, and 5-6-5 by masks', () => {
  const pixel = (v: number) => [v & 255, v >> 8];
  expect(rgb(bmp({ width: 1, height: 1, bits: 16, rows: [pixel(0x7c10)] }))).toEqual([255, 0, 132]);
  const masks = [0xf800, 0x7e0, 0x1f];
  expect(rgb(bmp({ width: 1, height: 1, bits: 16, masks, rows: [pixel(0xffe0)] }))).toEqual([
    255, 255, 0,
  ]);
});

test('palettes of 1, 4 and 8 bits, and the oldest header', () => {
  const palette = [TEAL, RED];
  const want = [...RED, ...TEAL, ...RED];
  const of = (bits: number, row: number[], core = false) =>
    rgb(bmp({ width: 3, height: 1, bits, rows: [row], palette, used: 2, core }));
  expect(of(1, [0b10100000])).toEqual(want);
  expect(of(4, [0x10, 0x10])).toEqual(want);
  expect(of(8, [1, 0, 1])).toEqual(want);
  const full = [TEAL, RED, ...new Array(14).fill(TEAL)];
  const core = bmp({
    width: 3,
    height: 1,
    bits: 4,
    rows: [[0x10, 0x10]],
    palette: full,
    core: true,
  });
  expect(rgb(core)).toEqual(want);
});

test('what is compressed, damaged or too large is refused by its reason', () => {
  const good = { width: 2, height: 2, bits: 24, rows: [[1, 2, 3, 4, 5, 6]] };
  expect(() => readBmp(bmp({ ...good, compression: 1 }), LIMIT)).toThrow(/compression 1/);
  expect(() => readBmp(bmp({ ...good, bits: 24 }).subarray(0, 60), LIMIT)).toThrow(/truncated/);
  expect(() => readBmp(bmp(good).subarray(0, 20), LIMIT)).toThrow(/ends inside/);
  expect(() => readBmp(bmp({ ...good, bits: 48 }), LIMIT)).toThrow(/48 bits/);
  expect(() => readBmp(bmp({ ...good, height: 0, rows: [] }), LIMIT)).toThrow(/2 x 0/);
  expect(() => readBmp(bmp(good), 3)).toThrow(/2 x 2 pixels are more than the 3/);
  const palette = [RED];
  const beyond = bmp({ width: 1, height: 1, bits: 8, rows: [[1]], palette, used: 1 });
  expect(() => readBmp(beyond, LIMIT)).toThrow(/colour 1 of 1/);
});

test('no bytes make it fail in another way, or allocate beyond the limit', () => {
  const seed = bmp({
    width: 3,
    height: 2,
    bits: 8,
    rows: [
      [0, 1, 0],
      [1, 0, 1],
    ],
    palette: [RED, TEAL],
    used: 2,
  });
  const patch = fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { maxLength: 12 });
  fc.assert(
    fc.property(patch, fc.nat(seed.length), (changes, length) => {
      const bytes = seed.slice(0, Math.max(2, length));
      for (const [at, value] of changes) if (at >= 2 && at < bytes.length) bytes[at] = value;
      try {
        const { width, height, data } = readBmp(bytes, 10_000);
        expect(width * height).toBeLessThanOrEqual(10_000);
        expect(data.length).toBe(width * height * 3);
      } catch (error) {
        expect(error).toBeInstanceOf(GraftError);
      }
    }),
    { numRuns: 500 },
  );
});
