import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { expectedTensors, expectSource, golden } from '../../test/support/weights.js';
import { WeightsError } from '../errors.js';
import { openTorch } from './torch.js';

const folder = mkdtempSync(join(tmpdir(), 'torch-'));
afterAll(() => rmSync(folder, { recursive: true }));
const expected = expectedTensors('torch');
const at = (file: string) => golden(`torch/${file}`);

/** Writes bytes to a file and opens it. */
async function opened(bytes: Uint8Array, name = 'changed.pth') {
  writeFileSync(join(folder, name), bytes);
  return openTorch(join(folder, name));
}

describe('checkpoints that torch.save wrote', () => {
  test.each([
    ['zip.pth', 'every type and layout'],
    ['legacy.pth', 'the same in the old format'],
    ['protocol-4.pth', 'a newer pickle protocol'],
    ['deflated.pth', 'packed again with compression'],
    ['training.pth', 'a state dict inside'],
    ['training-legacy.pth', 'a state dict inside, old format'],
    ['nested.pth', 'containers in containers'],
    ['tensor.pth', 'nothing but a tensor'],
  ])('%s: %s', async (file) => {
    await expectSource(await openTorch(at(file)), expected.get(file)!);
  });

  test('shards by their index', async () => {
    const source = await openTorch(at('shards/pytorch_model.bin.index.json'));
    await expectSource(source, expected.get('shards')!);
  });

  test('come in the order of the file, with what is said beside the weights', async () => {
    const source = await openTorch(at('training.pth'));
    expect([...source.types.keys()]).toEqual([...expected.get('training.pth')!.keys()]);
    expect(source.metadata).toEqual({ epoch: '3', arch: 'toynet', best: '0.75' });
    await source.close();
  });

  test('are read concurrently, and not after closing', async () => {
    const source = await openTorch(at('zip.pth'));
    const read = await Promise.all([...source.types.keys()].map((name) => source.read(name)));
    expect(read.map((t) => t.shape)).toEqual([...source.types.values()].map((t) => t.shape));
    await expect(source.read('nothing')).rejects.toThrow(/no tensor 'nothing'/);
    await source.close();
    await expect(source.read('base')).rejects.toThrow(/closed/);
  });

  test('with shared storage give tensors that do not share memory', async () => {
    const source = await openTorch(at('zip.pth'));
    const base = await source.read('base');
    base.data.fill(9 as never);
    expect((await source.read('base')).data[1]).toBe(1);
    await source.close();
  });
});

describe('refused', () => {
  test.each([
    ['bad-hostile.pth', /'posix\.system'.*runs no code/],
    ['bad-hostile-legacy.pth', /'posix\.system'.*runs no code/],
    ['bad-module.pth', /'torch\.nn\.modules\.container\.Sequential'.*state_dict\(\)/],
    ['bad-numpy.pth', /'numpy/],
    ['bad-sparse.pth', /'torch\._utils\._rebuild_sparse_tensor'/],
    ['bad-script.pt', /TorchScript/],
    ['bad-float8.pth', /torch\.float8_e4m3fn, which is not supported/],
    ['bad-complex.pth', /ComplexFloatStorage, which is not supported/],
    ['bad-negative.pth', /lazy conjugate or negative/],
    ['bad-big-endian.pth', /byte order 'big'/],
    ['bad-no-storage.pth', /lacks 1 of 1 storages.*'0'/],
    ['bad-short-storage.pth', /lacks 1 of 1 storages/],
  ])('%s', async (file, message) => {
    const attempt = openTorch(at(file));
    await expect(attempt).rejects.toThrow(WeightsError);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toThrow(file);
  });

  test('a file that is no checkpoint', async () => {
    await expect(opened(Buffer.from('PK\x03\x04rubbish'))).rejects.toThrow(/not a whole zip/);
    await expect(opened(Buffer.from(''))).rejects.toThrow(WeightsError);
    // A pickle, but of someone else.
    await expect(opened(Uint8Array.from([0x80, 2, 0x4e, 0x2e]))).rejects.toThrow(/torch\.save/);
    await expect(openTorch(join(folder, 'none.pth'))).rejects.toThrow(/there is no such file/);
    await expect(openTorch(folder)).rejects.toThrow(/it is a folder/);
  });

  test('an old file whose storages are cut off', async () => {
    const bytes = readFileSync(at('legacy.pth'));
    await expect(opened(bytes.subarray(0, -1))).rejects.toThrow(/ends? at|expected from/);
  });
});

/** Opens a file and reads all of it; anything but success and a WeightsError is a failure. */
async function survives(bytes: Uint8Array): Promise<'read' | 'refused'> {
  try {
    const source = await opened(bytes);
    try {
      for (const [name, type] of source.types) {
        expect((await source.read(name)).shape).toEqual(type.shape);
      }
    } finally {
      await source.close();
    }
    return 'read';
  } catch (error) {
    expect(error).toBeInstanceOf(WeightsError);
    return 'refused';
  }
}

describe.each(['zip.pth', 'legacy.pth', 'deflated.pth', 'training.pth'])('%s', (file) => {
  const good = readFileSync(at(file));

  test('changed anywhere, gives tensors or a WeightsError', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        async (edits) => {
          const bytes = Uint8Array.from(good);
          for (const [where, value] of edits) bytes[where] = value;
          await survives(bytes);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('cut anywhere, is refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), async (length) => {
        expect(await survives(good.subarray(0, length))).toBe('refused');
      }),
      { numRuns: 60 },
    );
  });
});

test('a copy under any name is read by its content', async () => {
  copyFileSync(at('zip.pth'), join(folder, 'weights.xyz'));
  await expectSource(await openTorch(join(folder, 'weights.xyz')), expected.get('zip.pth')!);
});
