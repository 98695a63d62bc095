/** Text models as ONNX files on disk (Node). */
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Tokenizer } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { makeFolder, writeWhole } from '../io/index.node.js';
import { TEXT_INPUTS } from '../models/index.js';
import type { ModelValue } from '../onnx/index.js';
import {
  type ExportedText,
  exportTextOnnx,
  type TextOnnxFile,
  type TextOnnxOptions,
} from './text-onnx.js';
import { writeJson, writeOnnx } from './write-onnx.js';

/** What Python's tokenizers call the tensors that a model reads, in the order in which they give them. */
const NAMES: readonly string[] = [TEXT_INPUTS.ids, TEXT_INPUTS.types, TEXT_INPUTS.mask];

/**
 * Writes the files of a tokenizer. Which tensors it makes is said in them: by default transformers 4 makes types
 * for all models, and transformers 5 for none, so that the two texts of a pair would be told apart by neither.
 * A tagger's tokenizer is one for words that are split already.
 * @param maxTokens where texts are cut, `model_max_length`; by default as the tokenizer's own files say
 * @returns their paths
 */
export async function writeTokenizer(
  folder: string,
  tokenizer: Tokenizer,
  { definition: { inputs }, headName }: Pick<ExportedText, 'definition' | 'headName'>,
  maxTokens?: number,
): Promise<string[]> {
  const paths: string[] = [];
  for (const [name, text] of tokenizer.files({ words: headName === 'token-classification' })) {
    const path = join(folder, name);
    paths.push(path);
    if (name === 'tokenizer_config.json') {
      const read = NAMES.filter((n) => inputs.includes(n));
      await writeJson(path, {
        model_input_names: read,
        ...JSON.parse(text),
        ...(maxTokens === undefined ? {} : { model_max_length: maxTokens }),
      });
    } else await writeWhole(path, [new TextEncoder().encode(text)]);
  }
  for (const [name, bytes] of tokenizer.binaryFiles()) {
    const path = join(folder, name);
    paths.push(path);
    await writeWhole(path, [bytes]);
  }
  return paths;
}

/** Where texts are cut: by the model's positions, or before by its tokenizer; null where neither has a limit. */
export function textLimit({
  config,
  tokenizer,
}: Pick<ExportedText, 'config'> & { readonly tokenizer: Tokenizer }): number | null {
  const limits = [config.maxTokens, tokenizer.maxLength].filter((n) => n !== null);
  return limits.length > 0 ? Math.min(...limits) : null;
}

/** Writes the files that say how a model makes embeddings of texts. */
export async function writePooling(
  folder: string,
  files: ReadonlyMap<string, unknown>,
): Promise<void> {
  for (const [name, content] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeJson(path, content);
  }
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
  const maxTokens = textLimit(source);
  const models = await exportTextOnnx(engine, source, { ...options, maxTokens });
  await makeFolder(resolve(folder));
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
      maxTokens,
    });
    paths.push(...files, description);
  };
  for (const one of models) await write(one);
  return [...paths, ...(await writeTokenizer(folder, source.tokenizer, source))];
}
