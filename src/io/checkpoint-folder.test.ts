import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { expectedTensors, expectSource, golden } from '../../test/support/weights.js';
import { ConfigError, WeightsError } from '../errors.js';
import { hostTensor } from '../graph/index.js';
import type { CheckpointFiles } from '../models/checkpoint.js';
import {
  type CheckpointFolder,
  MAX_FILE_BYTES,
  openCheckpointFolder,
} from './checkpoint-folder.js';
import { writeSafetensors } from './safetensors-file.js';
import { writeSafetensorsFolder } from './safetensors-shards.js';

const root = mkdtempSync(join(tmpdir(), 'checkpoint-'));
let folder: string;
let made = 0;
beforeEach(() => {
  folder = join(root, String(made++));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

const tensors = (value: number) => new Map([['w', hostTensor('float32', [1], [value])]]);
const open = (): CheckpointFiles & CheckpointFolder => openCheckpointFolder(folder);

/** The value in the weights that the folder is taken to hold. */
async function chosen(): Promise<number> {
  const source = await open().tensors();
  const { data } = await source.read('w');
  await source.close();
  return Number(data[0]);
}

describe('weights of a folder', () => {
  test('are model.safetensors before anything else', async () => {
    await writeSafetensors(join(folder, 'a.safetensors'), tensors(1));
    await writeSafetensors(join(folder, 'pytorch_model.bin'), tensors(2));
    await writeSafetensors(join(folder, 'model.safetensors'), tensors(3));
    writeFileSync(join(folder, 'model.safetensors.index.json'), 'not looked at');
    writeFileSync(join(folder, 'tf_model.h5'), 'not looked at');
    expect(await chosen()).toBe(3);
    rmSync(join(folder, 'model.safetensors'));
    rmSync(join(folder, 'model.safetensors.index.json'));
    expect(await chosen()).toBe(2);
  });

  test('are shards by their index', async () => {
    const many = new Map([...tensors(1), ['v', hostTensor('float32', [1], [2])] as const]);
    await writeSafetensorsFolder(folder, many, { maxShardBytes: 4 });
    await expectSource(await open().tensors(), many);
  });

  test('are shards of pytorch_model.bin by their index', async () => {
    const from = openCheckpointFolder(golden('torch/shards'));
    await expectSource(await from.tensors(), expectedTensors('torch').get('shards')!);
  });

  test.each([
    ['anything.safetensors', 'safetensors/python.safetensors'],
    ['resnet18-5c106cde.pth', 'torch/zip.pth'],
    ['last.PT', 'torch/legacy.pth'],
    ['model.weights.h5', 'keras/weights.h5'],
    ['model.keras', 'keras/model.keras'],
  ])('may be the only one, %s', async (name, file) => {
    copyFileSync(golden(file), join(folder, name));
    writeFileSync(join(folder, 'README.md'), '# nothing');
    mkdirSync(join(folder, 'other.pth'));
    const [kind, original] = file.split('/') as [string, string];
    await expectSource(await open().tensors(), expectedTensors(kind).get(original)!);
  });

  test('may be a link out of the folder, as in the cache of the hub', async () => {
    const blob = join(root, 'blob');
    await writeSafetensors(blob, tensors(7));
    symlinkSync(blob, join(folder, 'model.safetensors'));
    expect(await chosen()).toBe(7);
  });

  test('that are none are an error that lists what is there', async () => {
    await expect(open().tensors()).rejects.toThrow(/holds no weights.*found no files/);
    writeFileSync(join(folder, 'flax_model.msgpack'), '');
    const attempt = open().tensors();
    await expect(attempt).rejects.toMatchObject({ code: 'weights-missing' });
    await expect(attempt).rejects.toThrow(/found 'flax_model\.msgpack'/);
  });

  test('that are several are an error that lists them', async () => {
    await writeSafetensors(join(folder, 'a.safetensors'), tensors(1));
    writeFileSync(join(folder, 'b.pth'), '');
    const attempt = open().tensors();
    await expect(attempt).rejects.toMatchObject({
      code: 'weights-several',
      data: { found: ['a.safetensors', 'b.pth'] },
    });
    await expect(attempt).rejects.toThrow(/'a\.safetensors', 'b\.pth'/);
  });

  test('of a folder that is not there are an error', async () => {
    const gone = openCheckpointFolder(join(folder, 'gone'));
    await expect(gone.tensors()).rejects.toThrow(WeightsError);
    await expect(gone.json('config.json')).rejects.toThrow(/gone' is no folder/);
  });
});

describe('JSON files of a folder', () => {
  test('are read, or null', async () => {
    writeFileSync(join(folder, 'config.json'), '{"model_type": "resnet"}');
    expect(open().name).toBe(folder);
    expect(await open().json('config.json')).toEqual({ model_type: 'resnet' });
    expect(await open().json('preprocessor_config.json')).toBeNull();
  });

  test('that are damaged say where', async () => {
    writeFileSync(join(folder, 'config.json'), '{\n"model_type": resnet}');
    await expect(open().json('config.json')).rejects.toThrow(/line 2, column 15, at 'resnet}'/);
  });

  test.each(['../config.json', '/etc/passwd', 'a\\b', '..', 'a\0'])(
    '%j is no name',
    async (name) => {
      writeFileSync(join(root, 'config.json'), '{}');
      await expect(open().json(name)).rejects.toThrow(ConfigError);
    },
  );
});

describe('text and binary files of a folder', () => {
  test('are read, or null', async () => {
    writeFileSync(join(folder, 'vocab.txt'), '\ufeff[PAD]\nübung\n');
    expect(await open().text('vocab.txt')).toBe('[PAD]\nübung\n');
    expect([...(await open().bytes('vocab.txt'))!.subarray(0, 4)]).toEqual([239, 187, 191, 91]);
    expect(await open().text('merges.txt')).toBeNull();
    expect(await open().bytes('spiece.model')).toBeNull();
  });

  test('that are no UTF-8 are no text', async () => {
    writeFileSync(join(folder, 'vocab.txt'), new Uint8Array([0x61, 0xff]));
    await expect(open().text('vocab.txt')).rejects.toThrow(/vocab\.txt' is not UTF-8/);
    expect([...(await open().bytes('vocab.txt'))!]).toEqual([0x61, 0xff]);
  });

  test('that are larger than any real one are not read', async () => {
    writeFileSync(join(folder, 'spiece.model'), '');
    truncateSync(join(folder, 'spiece.model'), MAX_FILE_BYTES + 1);
    await expect(open().bytes('spiece.model')).rejects.toThrow(/67108865 bytes.*at most 67108864/);
    await expect(open().text('spiece.model')).rejects.toThrow(WeightsError);
  });

  test('have plain names', async () => {
    await expect(open().text('../vocab.txt')).rejects.toThrow(ConfigError);
    await expect(open().bytes('a/b')).rejects.toThrow(ConfigError);
  });
});
