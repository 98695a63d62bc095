import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashBytes } from './index.js';

test('a hash is 32 hexadecimal digits and depends on the bytes alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(7), (bytes, offset) => {
      const hash = hashBytes(bytes);
      expect(hash).toMatch(/^[0-9a-f]{32}$/);
      const elsewhere = new Uint8Array(bytes.length + offset);
      elsewhere.set(bytes, offset);
      expect(hashBytes(elsewhere.subarray(offset))).toBe(hash);
    }),
  );
});

test('no two of many near inputs share a hash, nor half of one', () => {
  const seen = new Map<string, string>();
  let collisions = 0;
  const note = (bytes: Uint8Array, what: string) => {
    const hash = hashBytes(bytes);
    for (const key of [hash.slice(0, 16), hash.slice(16)]) {
      if (seen.has(key) && seen.get(key) !== what) collisions++;
      seen.set(key, what);
    }
  };
  // Zeros of every length, every single bit in 64 bytes, every pair of bytes at the end.
  for (let n = 0; n < 2000; n++) note(new Uint8Array(n), `zeros ${n}`);
  for (let bit = 0; bit < 512; bit++) {
    const bytes = new Uint8Array(64);
    bytes[bit >> 3] = 1 << (bit & 7);
    note(bytes, `bit ${bit}`);
  }
  for (let tail = 1; tail < 65536; tail++) {
    note(Uint8Array.of(9, 9, 9, 9, tail & 255, tail >> 8), `tail ${tail}`);
  }
  // Words that differ in two places, as two swapped constants would.
  for (let i = 0; i < 200; i++) {
    for (let j = 0; j < i; j++) {
      const words = new Uint32Array(4);
      words[1] = i;
      words[2] = j;
      note(new Uint8Array(words.buffer), `pair ${i} ${j}`);
    }
  }
  expect(collisions).toBe(0);
});

test('about half of the bits change with one bit of the input', () => {
  let changed = 0;
  const bits = (hash: string) => BigInt(`0x${hash}`);
  const base = new Uint8Array(48).map((_, i) => i * 37);
  for (let bit = 0; bit < 384; bit++) {
    const other = base.slice();
    other[bit >> 3]! ^= 1 << (bit & 7);
    const difference = (bits(hashBytes(base)) ^ bits(hashBytes(other))).toString(2);
    changed += difference.replaceAll('0', '').length;
  }
  expect(changed / (384 * 128)).toBeGreaterThan(0.45);
  expect(changed / (384 * 128)).toBeLessThan(0.55);
});
