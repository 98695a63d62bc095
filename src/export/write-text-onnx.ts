/** Text models as ONNX files on disk (Node). */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tokenizer } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { writeWhole } from '../io/index.node.js';
import type { ModelValue } from '../onnx/index.js';
import {
  type ExportedText,
  exportTextOnnx,
  type TextOnnxFile,
  type TextOnnxOptions,
} from './text-onnx.js';
import { writeJson, writeOnnx } from './write-onnx.js';

/** Writes the files of a tokenizer. @returns their paths */
export async function writeTokenizer(folder: string, tokenizer: Tokenizer): Promise<string[]> {
  const paths: string[] = [];
  for (const [name, text] of tokenizer.files()) {
    paths.push(join(folder, name));
    await writeWhole(join(folder, name), [new TextEncoder().encode(text)]);
  }
  return paths;
}

/** Inputs or outputs in words; free lengths as null. */
function described(values: readonly ModelValue[]) {
  return values.map(({ name, dtype, shape }) => ({
    name,
    dtype,
    shape: shape.map((d) => (d < 0 ? null : d)),
  }));
}

/**
 * {@link exportTextOnnx} into a folder, with the tokenizer's files beside it, and for each model a JSON file
 * with its inputs, outputs and labels. All replace what was there.
 * @param rename a name for the model where it is one file, such as `reviews.onnx`
 * @returns the paths written
 */
export async function exportTextOnnxFiles(
  folder: string,
  engine: Engine,
  source: ExportedText & { readonly tokenizer: Tokenizer },
  { rename, ...options }: TextOnnxOptions & { readonly rename?: string } = {},
): Promise<string[]> {
  const models = await exportTextOnnx(engine, source, options);
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  const { config, head, headName } = source;
  const write = async ({ file, model }: TextOnnxFile) => {
    const path = join(folder, models.length === 1 ? (rename ?? file) : file);
    const { files } = await writeOnnx(path, model);
    const description = path.replace(/\.onnx$/i, '.json');
    await writeJson(description, {
      head: headName,
      ...options.metadata,
      inputs: described(model.inputs),
      outputs: described(model.outputs),
      ...(head.outputs ? { labels: config.labels, problem: config.problem } : {}),
      maxTokens: config.maxTokens,
    });
    paths.push(...files, description);
  };
  for (const one of models) await write(one);
  return [...paths, ...(await writeTokenizer(folder, source.tokenizer))];
}
