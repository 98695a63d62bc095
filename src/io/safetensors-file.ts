/** Safetensors files on disk (Node). */
import { readFile } from 'node:fs/promises';
import type { HostTensor } from '../graph/index.js';
import { decodeSafetensors, encodeSafetensors, type Safetensors } from './safetensors.js';
import { writeWhole } from './write-whole.js';

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
  await writeWhole(path, encodeSafetensors(tensors, metadata));
}
