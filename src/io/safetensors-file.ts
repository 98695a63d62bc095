/** Safetensors files on disk (Node). */
import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import type { HostTensor } from '../graph/index.js';
import { decodeSafetensors, encodeSafetensors, type Safetensors } from './safetensors.js';

/**
 * Reads a whole file.
 * @throws WeightsError when it is damaged
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return decodeSafetensors(await readFile(path));
}

/**
 * Writes a file: beside its place first, then renamed, so that `path` never holds half of one.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(beside, 'wx');
    try {
      for (const part of encodeSafetensors(tensors, metadata)) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}
