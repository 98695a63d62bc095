import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { hostTensor } from '../graph/index.js';
import { writeSafetensors } from '../io/index.node.js';
import { FolderCheckpoints, FolderFeatures } from './checkpoint-folder.js';
import type { Checkpoint } from './state.js';

let root: string;
let store: FolderCheckpoints;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'checkpoints-'));
  store = new FolderCheckpoints(join(root, 'kept'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(root, { recursive: true });
});

const vector = (value: number) => hostTensor('float32', [3], [value, value + 1, value + 2]);

function checkpoint(step: number): Checkpoint {
  return {
    position: {
      phase: 1,
      epoch: 2,
      batch: 3,
      stepsBefore: 40,
      epochsBefore: 1,
      lossSum: 0.1 + 0.2,
      weightSum: 7,
      best: { step: 5, epoch: 1, metrics: { accuracy: 0.5 } },
      stale: 1,
    },
    step,
    batches: 3 * step,
    weights: new Map([['head.weight', vector(step)]]),
    optimizer: new Map([['optimizer:head.weight:first', vector(-step)]]),
    average: new Map([['head.weight', vector(step / 2)]]),
  };
}

const names = () => readdirSync(join(root, 'kept')).sort();

/** Lets `bytes` bytes onto the disk, then refuses as a system does; returns how to end that. */
async function fillDisk(bytes: number, code: string): Promise<() => void> {
  const file = await open(join(root, 'probe'), 'w');
  const prototype = Object.getPrototypeOf(file) as FileHandle;
  await file.close();
  const write = prototype.writeFile;
  let left = bytes;
  const spy = vi.spyOn(prototype, 'writeFile').mockImplementation(async function (
    this: FileHandle,
    data,
  ) {
    const part = (data as Uint8Array).subarray(0, left);
    left -= part.length;
    await write.call(this, part);
    if (part.length === (data as Uint8Array).length) return;
    throw Object.assign(new Error(`${code}: write`), { code, syscall: 'write' });
  });
  return () => spy.mockRestore();
}

describe('checkpoints in a folder', () => {
  test('come back bit for bit, and the last two are kept', async () => {
    expect(await store.latest()).toBeNull();
    expect(await store.best()).toBeNull();
    for (const step of [1, 2, 3]) await store.save(checkpoint(step));
    await store.saveBest(checkpoint(2).weights);
    expect(names()).toEqual(['000002.safetensors', '000003.safetensors', 'best.safetensors']);
    expect(await store.latest()).toEqual(checkpoint(3));
    expect(await store.best()).toEqual(checkpoint(2).weights);
  });

  test('a damaged one, and one that does not say where it stood, give way to the one before', async () => {
    for (const step of [1, 2]) await store.save(checkpoint(step));
    truncateSync(join(root, 'kept/000002.safetensors'), 300);
    expect((await store.latest())!.step).toBe(1);
    const { position } = checkpoint(3);
    for (const metadata of [
      {},
      { position: 'null', step: '1', batches: '1' },
      { position: '{"phase": 0}', step: '1', batches: '1' },
      { position: JSON.stringify({ ...position, epoch: -1 }), step: '1', batches: '1' },
      { position: JSON.stringify({ ...position, best: 5 }), step: '1', batches: '1' },
      { position: JSON.stringify(position), step: 'x', batches: '1' },
    ]) {
      const path = join(root, 'kept/000003.safetensors');
      await writeSafetensors(path, checkpoint(3).weights, metadata as Record<string, string>);
      expect((await store.latest())!.step).toBe(1);
    }
    writeFileSync(join(root, 'kept/000001.safetensors'), '');
    expect(await store.latest()).toBeNull();
  });
});

describe('a full disk', () => {
  test.each(['ENOSPC', 'EDQUOT', 'EFBIG'])(
    '%s says what to do, and leaves the last checkpoint whole and nothing else',
    async (code) => {
      await store.save(checkpoint(1));
      await store.saveBest(checkpoint(1).weights);
      const before = names();
      const { size } = statSync(join(root, 'kept/000001.safetensors'));
      for (const bytes of [0, 10, size - 1]) {
        const makeRoom = await fillDisk(bytes, code);
        await expect(store.save(checkpoint(2))).rejects.toMatchObject({
          name: 'IoError',
          code: 'disk-full',
          message: expect.stringMatching(
            /^There is no room to save in .*kept; what was saved before is still whole\. Free some space, then go on with --resume\.$/,
          ),
        });
        makeRoom();
        expect(names()).toEqual(before);
        expect(await store.latest()).toEqual(checkpoint(1));
      }
      const makeRoom = await fillDisk(10, code);
      await expect(store.saveBest(checkpoint(2).weights)).rejects.toMatchObject({
        code: 'disk-full',
      });
      const features = new FolderFeatures(join(root, 'features'));
      await expect(features.put('key', vector(1))).rejects.toMatchObject({ code: 'disk-full' });
      makeRoom();
      expect(await store.best()).toEqual(checkpoint(1).weights);
      expect(await features.get('key')).toBeNull();
      // With room again it goes on.
      await store.save(checkpoint(2));
      expect(await store.latest()).toEqual(checkpoint(2));
    },
  );

  test('other faults stay what they are', async () => {
    await fillDisk(0, 'EIO');
    await expect(store.save(checkpoint(1))).rejects.toMatchObject({ code: 'EIO' });
  });
});
