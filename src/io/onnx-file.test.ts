import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { importOnnx } from '../engine/import.js';
import { constantOf, hostTensor, input } from '../graph/index.js';
import { encode } from '../onnx/index.js';
import { matmul } from '../ops/index.js';
import { folderReader, readOnnxFile, writeOnnxFile } from './onnx-file.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onnx-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const weight = hostTensor(
  'float32',
  [32, 40],
  Array.from({ length: 1280 }, (_, i) => i % 7),
);
const feed = hostTensor(
  'float32',
  [1, 32],
  Array.from({ length: 32 }, (_, i) => i),
);

function encoded() {
  const x = input('x', 'float32', [1, 32]);
  const y = matmul(x, constantOf(weight));
  return { x, y, model: encode({ outputs: { y }, keepNames: true }) };
}

describe.each([false, true])('a model written with external weights: %s', (external) => {
  test('is read back from disk with equal results', async () => {
    const engine = await testEngine();
    const { x, y, model } = encoded();
    const path = join(folder, 'net.onnx');
    const written = await writeOnnxFile(path, model, { external });
    expect(readdirSync(folder).sort()).toEqual(
      external ? ['net.onnx', 'net.onnx.data'] : ['net.onnx'],
    );
    expect(written).toContain(path);
    const file = await readOnnxFile(path);
    const net = await importOnnx(engine, file.model, { external: file.external });
    const want = await engine.evaluate([y], new Map([[x, feed]]));
    expect(await engine.evaluate([net.outputs.y!], new Map([[net.inputs.x!, feed]]))).toEqual(want);
  });
});

describe('external weights on disk', () => {
  test('that are cut off or missing are named', async () => {
    const { model } = encoded();
    const path = join(folder, 'net.onnx');
    await writeOnnxFile(path, model, { external: true });
    const file = await readOnnxFile(path);
    const load = async () =>
      importOnnx(await testEngine(), file.model, { external: file.external });
    truncateSync(`${path}.data`, 100);
    await expect(load()).rejects.toThrow(/'net.onnx.data' has 100 bytes, but .* wants 5120/);
    rmSync(`${path}.data`);
    await expect(load()).rejects.toThrow(/cannot be read.*Fetch all files/);
  });

  test('cannot be reached through a link or a path that leads out of the folder', async () => {
    const inside = join(folder, 'model');
    mkdirSync(inside);
    writeFileSync(join(folder, 'secret'), 'x'.repeat(64));
    symlinkSync(join(folder, 'secret'), join(inside, 'w.bin'));
    symlinkSync(folder, join(inside, 'up'));
    const read = folderReader(inside);
    await expect(read('w.bin', 0, 8)).rejects.toThrow(/leads out of its folder/);
    await expect(read('up/secret', 0, 8)).rejects.toThrow(/leads out of its folder/);
    await expect(read('../secret', 0, 8)).rejects.toThrow(/leads out of its folder/);
  });

  test('may be links that stay inside, and a folder as weights is an error', async () => {
    writeFileSync(join(folder, 'blob'), Uint8Array.from([1, 2, 3, 4]));
    symlinkSync(join(folder, 'blob'), join(folder, 'w.bin'));
    mkdirSync(join(folder, 'dir'));
    const read = folderReader(folder);
    expect(await read('w.bin', 1, 2)).toEqual(Uint8Array.from([2, 3]));
    await expect(read('dir', 0, 8)).rejects.toThrow(/not a file/);
  });

  test('are never allocated before the file is known to hold them', async () => {
    writeFileSync(join(folder, 'w.bin'), Uint8Array.from([1]));
    await expect(folderReader(folder)('w.bin', 0, 2 ** 50)).rejects.toThrow(/has 1 bytes/);
  });
});

test('a missing model is named', async () => {
  await expect(readOnnxFile(join(folder, 'none.onnx'))).rejects.toThrow(
    /none.onnx' cannot be read/,
  );
});
