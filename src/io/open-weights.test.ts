import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { expectedTensors, expectSource, golden } from '../../test/support/weights.js';
import { WeightsError } from '../errors.js';
import { openWeights } from './open-weights.js';

const folder = mkdtempSync(join(tmpdir(), 'weights-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('any weight file is known by its content', () => {
  test.each([
    ['safetensors/python.safetensors'],
    ['torch/zip.pth'],
    ['torch/legacy.pth'],
    ['torch/protocol-4.pth'],
    ['keras/weights.h5'],
    ['keras/model.keras'],
  ])('%s under another name', async (file) => {
    const [kind, name] = file.split('/') as [string, string];
    const path = join(folder, 'weights');
    copyFileSync(golden(file), path);
    await expectSource(await openWeights(path), expectedTensors(kind).get(name)!);
  });

  test.each([
    ['safetensors', 'model.safetensors.index.json'],
    ['torch', 'pytorch_model.bin.index.json'],
  ])('shards of %s', async (kind, index) => {
    const source = await openWeights(golden(`${kind}/shards/${index}`));
    await expectSource(source, expectedTensors(kind).get('shards')!);
  });
});

describe('anything else is refused, and named where it is known', () => {
  const tar = Buffer.alloc(600);
  tar.write('ustar', 257);
  test.each([
    ['', /is empty/],
    [
      'version https://git-lfs.github.com/spec/v1\noid sha256:12',
      /pointer of Git LFS.*git lfs pull/,
    ],
    ['<!DOCTYPE html><title>404</title>', /web page/],
    ['GGUF\x03\x00\x00\x00', /GGUF/],
    ['\x1c\x00\x00\x00TFL3', /TensorFlow Lite/],
    [Buffer.from('\x93NUMPY\x01', 'latin1'), /NumPy/],
    [gzipSync('weights'), /gzip/],
    [tar, /tar archive/],
    ['hello, world', /none of: safetensors/],
    ['{"model_type": "vit"}', /no 'weight_map'/],
    ['{"weight_map": ', /line 1, column 16/],
  ])('%s', async (content, message) => {
    const path = join(folder, 'other');
    writeFileSync(path, content);
    const attempt = openWeights(path);
    await expect(attempt).rejects.toThrow(WeightsError);
    await expect(attempt).rejects.toThrow(message);
  });

  test('a folder, a missing file, an ONNX model', async () => {
    await expect(openWeights(folder)).rejects.toThrow(/it is a folder/);
    await expect(openWeights(join(folder, 'none'))).rejects.toThrow(/no such file/);
    const path = join(folder, 'net.onnx');
    writeFileSync(path, Uint8Array.from([8, 9, 0x12, 4]));
    await expect(openWeights(path)).rejects.toThrow(/ONNX model/);
  });

  test('an index cannot name an index, itself least of all', async () => {
    const path = join(folder, 'model.safetensors.index.json');
    writeFileSync(path, '{"weight_map": {"a": "model.safetensors.index.json"}}');
    await expect(openWeights(path)).rejects.toThrow(/none of: safetensors/);
  });

  test('any bytes at all', async () => {
    const path = join(folder, 'bytes');
    const heads = ['', 'PK\x03\x04', '\x80\x02', '{', '\x02\0\0\0\0\0\0\0{'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...heads),
        fc.uint8Array({ maxLength: 300 }),
        async (head, rest) => {
          writeFileSync(path, Buffer.concat([Buffer.from(head, 'latin1'), rest]));
          const outcome = await openWeights(path).catch((error) => error);
          if (outcome instanceof Error) expect(outcome).toBeInstanceOf(WeightsError);
          else await outcome.close();
        },
      ),
      { numRuns: 200 },
    );
  });
});
