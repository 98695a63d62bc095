/** Exported ONNX models on disk (Node). */

import { dirname, extname, resolve } from 'node:path';
import type { Engine } from '../engine/index.js';
import { makeFolder, writeOnnxFile, writeWhole } from '../io/index.node.js';
import type { EncodedModel } from '../onnx/index.js';
import { preprocessSteps } from './model-card.js';
import {
  describePreprocess,
  type ExportedClassifier,
  exportOnnx,
  type OnnxExportOptions,
} from './onnx.js';

/** Protocol buffers end at 2 GiB; beyond this the weights get a file of their own. */
const MAX_BYTES = 2 ** 31 - 2 ** 20;

/**
 * Writes an encoded model, with its weights beside it (`<name>_data`, as Hugging Face's exports)
 * if they are too large for one file.
 * @returns the paths written, and whether the weights lie beside
 */
export async function writeOnnx(
  path: string,
  model: EncodedModel,
  maxBytes = MAX_BYTES,
): Promise<{ files: string[]; external: boolean }> {
  const bytes = model.external.reduce((n, e) => n + e.data.length, model.bytes.length);
  const external = bytes > maxBytes;
  const name = path.split(/[\\/]/).at(-1)!;
  const files = await writeOnnxFile(path, model, { external, dataName: `${name}_data` });
  return { files, external };
}

/** JSON for people and programs, written whole. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  await writeWhole(path, [new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)]);
}

/**
 * {@link exportOnnx} into a file, and beside it `<name>.json` with labels, preprocessing and what
 * to do with a picture in words. Both replace what was there.
 * @param path ends in `.onnx`; its folder is made
 * @returns the paths written
 */
export async function exportOnnxFile(
  path: string,
  engine: Engine,
  source: ExportedClassifier,
  options: OnnxExportOptions = {},
): Promise<string[]> {
  const model = await exportOnnx(engine, source, options);
  await makeFolder(resolve(dirname(path)));
  const { files } = await writeOnnx(path, model);
  const description = `${path.slice(0, path.length - extname(path).length)}.json`;
  const types = (values: EncodedModel['inputs']) =>
    values.map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape: shape.map((d) => (d < 0 ? 'batch' : d)),
    }));
  await writeJson(description, {
    task: 'image-classification',
    ...options.metadata,
    inputs: types(model.inputs),
    outputs: types(model.outputs),
    labels: source.labels,
    preprocessing: describePreprocess(source.preprocess),
    steps: preprocessSteps(source.preprocess),
  });
  return [...files, description];
}
