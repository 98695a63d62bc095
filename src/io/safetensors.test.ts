import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../errors.js';
import { DTYPES, dtypeInfo, type HostTensor, sizeOf } from '../graph/index.js';
import { decodeSafetensors, encodeSafetensors } from './safetensors.js';
import { readSafetensors, writeSafetensors } from './safetensors-file.js';

const tensor = fc
  .record({
    dtype: fc.constantFrom(...DTYPES),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    seed: fc.integer(),
  })
  .map(({ dtype, shape, seed }): HostTensor => {
    const { array, bytes } = dtypeInfo(dtype);
    const raw = new Uint8Array(sizeOf(shape) * bytes).map((_, i) => (i * 31 + seed) & 63);
    return { dtype, shape, data: new array(raw.buffer) };
  });

const join_ = (parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

function fileOf(header: unknown, body: number[] = []): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === 'string' ? header : JSON.stringify(header),
  );
  const out = new Uint8Array(8 + json.length + body.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(json.length), true);
  out.set(json, 8);
  out.set(body, 8 + json.length);
  return out;
}

describe('safetensors', () => {
  test('what is written is read back, at any alignment', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((s) => s !== '__metadata__' && s !== '__proto__'),
          tensor,
          { maxKeys: 5 },
        ),
        fc.integer({ min: 0, max: 7 }),
        (tensors, shift) => {
          const bytes = join_(encodeSafetensors(new Map(Object.entries(tensors)), { k: 'v' }));
          const moved = new Uint8Array(bytes.length + shift).subarray(shift);
          moved.set(bytes);
          const read = decodeSafetensors(moved);
          expect(read.metadata).toEqual({ k: 'v' });
          expect([...read.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
          for (const [name, t] of Object.entries(tensors)) {
            expect(read.tensors.get(name)).toEqual(t);
          }
        },
      ),
    );
  });

  test('a damaged file gives a WeightsError and nothing else', () => {
    const good = join_(
      encodeSafetensors(
        new Map([['a', { dtype: 'float32' as const, shape: [2, 2], data: new Float32Array(4) }]]),
      ),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(good.length),
        (edits, cut) => {
          const bytes = good.slice(0, cut === good.length ? undefined : cut || undefined);
          for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
          try {
            decodeSafetensors(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(WeightsError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['too short', new Uint8Array(3)],
    ['a header longer than the file', new Uint8Array([255, 0, 0, 0, 0, 0, 0, 0, 1])],
    ['a header of 2^60 bytes', new Uint8Array([0, 0, 0, 0, 0, 0, 0, 16])],
    ['no JSON', fileOf('{')],
    ['an array as header', fileOf([])],
    [
      'overlap',
      fileOf(
        {
          a: { dtype: 'U8', shape: [2], data_offsets: [0, 2] },
          b: { dtype: 'U8', shape: [2], data_offsets: [1, 3] },
        },
        [1, 2, 3],
      ),
    ],
    ['a hole', fileOf({ a: { dtype: 'U8', shape: [1], data_offsets: [1, 2] } }, [1, 2])],
    [
      'an offset beyond the end',
      fileOf({ a: { dtype: 'U8', shape: [9], data_offsets: [0, 9] } }, [1]),
    ],
    [
      'a size that does not fit',
      fileOf({ a: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, [1, 2, 3, 4]),
    ],
    [
      '2^31 axes lengths',
      fileOf(
        { a: { dtype: 'F32', shape: [2147483648, 2147483648], data_offsets: [0, 4] } },
        [1, 2, 3, 4],
      ),
    ],
    ['trailing bytes', fileOf({ a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, [1, 2])],
    ['an unknown type', fileOf({ a: { dtype: 'F8_E5M2', shape: [1], data_offsets: [0, 1] } }, [1])],
    ['metadata that is not text', fileOf({ __metadata__: { a: 1 } })],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeSafetensors(bytes)).toThrow(WeightsError);
  });

  test('bfloat16 becomes float32', () => {
    const bytes = fileOf(
      { a: { dtype: 'BF16', shape: [2], data_offsets: [0, 4] } },
      [0x80, 0x3f, 0x20, 0xc0],
    );
    expect(decodeSafetensors(bytes).tensors.get('a')).toEqual({
      dtype: 'float32',
      shape: [2],
      data: new Float32Array([1, -2.5]),
    });
  });

  test('a file that cannot be written leaves the old one and no litter', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'graft-'));
    try {
      const path = join(dir, 'w.safetensors');
      const old = new Map([
        ['a', { dtype: 'uint8' as const, shape: [1], data: new Uint8Array([7]) }],
      ]);
      await writeSafetensors(path, old);
      const broken = new Map([
        ['a', { dtype: 'uint8' as const, shape: [3], data: new Uint8Array([1]) }],
      ]);
      await expect(writeSafetensors(path, broken)).rejects.toThrow(WeightsError);
      expect((await readSafetensors(path)).tensors).toEqual(old);
      expect(await readdir(dir)).toEqual(['w.safetensors']);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
