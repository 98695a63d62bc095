/** The trained model as a folder in Hugging Face's layout, written whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeSafetensors, writeWhole } from '../io/index.node.js';
import { checkpointOf } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { PreparedModel } from './base.js';
import { copyOnnxBase } from './onnx-base.js';

/** Writes config, weights and preprocessing; an older model at `path` is replaced at the end. */
export async function saveModel(
  path: string,
  prepared: Pick<PreparedModel, 'definition' | 'config' | 'preprocess' | 'onnx'>,
  weights: Weights,
): Promise<void> {
  const { config, preprocessor, tensors } = checkpointOf({ ...prepared, weights });
  const beside = `${path}.${randomUUID()}.tmp`;
  const json = (name: string, value: unknown) =>
    writeWhole(join(beside, name), [
      new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`),
    ]);
  try {
    await mkdir(beside, { recursive: true });
    if (prepared.onnx) await copyOnnxBase(prepared.onnx, beside);
    await json('config.json', config);
    await json('preprocessor_config.json', preprocessor);
    // Python's loaders ask for this word.
    await writeSafetensors(join(beside, 'model.safetensors'), tensors, { format: 'pt' });
    await rm(path, { recursive: true, force: true });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { recursive: true, force: true });
    throw error;
  }
}
