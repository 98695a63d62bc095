/** The trained model as a folder in Hugging Face's layout, written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors, writeWhole } from '../io/index.node.js';
import { checkpointOf } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { PreparedModel } from './base.js';
import { copyOnnxBase } from './onnx-base.js';

/** A JSON file as it is written. */
export function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Makes a folder beside `path` and puts it there when it is whole; on failure nothing is left of it.
 * @param write writes the files at the places that it asks for
 */
export async function replaceModel(
  path: string,
  write: (place: (name: string) => string) => Promise<void>,
): Promise<void> {
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    await mkdir(beside, { recursive: true });
    await write((name) => join(beside, name));
    await rm(path, { recursive: true, force: true });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
}

/** Writes config, weights and preprocessing; an older model at `path` is replaced at the end. */
export async function saveModel(
  path: string,
  prepared: Pick<PreparedModel, 'definition' | 'config' | 'preprocess' | 'onnx'>,
  weights: Weights,
): Promise<void> {
  const { config, preprocessor, tensors } = checkpointOf({ ...prepared, weights });
  await replaceModel(path, async (place) => {
    if (prepared.onnx) await copyOnnxBase(prepared.onnx, place('.'));
    await writeWhole(place('config.json'), [jsonBytes(config)]);
    await writeWhole(place('preprocessor_config.json'), [jsonBytes(preprocessor)]);
    // Python's loaders ask for this word.
    await writeSafetensors(place('model.safetensors'), tensors, { format: 'pt' });
  });
}
