/** Trained text models as folders that other libraries load (Node). */
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Tokenizer } from '../data/index.js';
import type { Engine } from '../engine/index.js';
import { generationFile } from '../generate/index.js';
import { writeSafetensors, writeWhole } from '../io/index.node.js';
import { configText, type LoadedTextModel, textCheckpointOf } from '../models/index.js';
import { type Pooling, poolingFiles } from '../tasks/index.js';
import { exportFolder } from './export-folder.js';
import type { HuggingFaceExport, HuggingFaceExportOptions } from './huggingface.js';
import { MARK } from './layout.js';
import { inTransformersJs, textCard } from './text-card.js';
import { exportTextOnnx } from './text-onnx.js';
import { writeOnnx } from './write-onnx.js';
import { textLimit, writePooling, writeTokenizer } from './write-text-onnx.js';

/** A text model with its tokenizer. */
export interface TextSource
  extends Pick<
    LoadedTextModel,
    'definition' | 'config' | 'headName' | 'head' | 'model' | 'weights' | 'raw' | 'generation'
  > {
  readonly tokenizer: Tokenizer;
}

/** Options of {@link exportHuggingFaceText}. */
export interface TextExportOptions extends HuggingFaceExportOptions {
  /** The task it was trained for, such as `summarization`, where it says more than the head. */
  readonly task?: string;
  /** How it makes embeddings of texts; sentence-transformers then loads the folder too. */
  readonly pooling?: Pooling;
}

/**
 * Writes a text model as a folder in Hugging Face's layout: `config.json`, `model.safetensors`, the
 * tokenizer's files, a model card, and ONNX models in `onnx/`, so that Python's transformers and, where it has
 * the class, transformers.js load it. It appears whole or not at all.
 * @throws IoError with code `exists` when the folder holds something else
 * @example
 * const { folder } = await exportHuggingFaceText('out/reviews', engine, { ...loaded, tokenizer });
 */
export async function exportHuggingFaceText(
  folder: string,
  engine: Engine,
  source: TextSource,
  { card = {}, force = false, task, pooling }: TextExportOptions = {},
): Promise<HuggingFaceExport> {
  const { definition, headName, head, config, tokenizer } = source;
  const license = card.license ?? card.base?.license;
  const maxTokens = textLimit(source);
  const models = await exportTextOnnx(engine, source, {
    maxTokens,
    metadata: { ...(card.base && { base: card.base.name }), ...(license && { license }) },
  });
  const checkpoint = textCheckpointOf(source);
  const fill = async (to: string) => {
    await mkdir(join(to, 'onnx'));
    const beside: string[] = [];
    for (const { file, model } of models) {
      const { external } = await writeOnnx(join(to, 'onnx', file), model);
      if (external) beside.push(file);
    }
    const written = {
      ...checkpoint.config,
      ...MARK,
      // How transformers.js is told to fetch the weights beside a model.
      ...(beside.length > 0 && {
        'transformers.js_config': {
          use_external_data_format: Object.fromEntries(beside.map((file) => [file, true])),
        },
      }),
    };
    await writeWhole(join(to, 'config.json'), [new TextEncoder().encode(configText(written))]);
    if (headName === 'causal-lm' || headName === 'seq2seq-lm') {
      const generation = new TextEncoder().encode(configText(generationFile(source)));
      await writeWhole(join(to, 'generation_config.json'), [generation]);
    }
    if (pooling)
      await writePooling(to, poolingFiles(pooling, config.hiddenSize, maxTokens ?? undefined));
    await writeTokenizer(to, tokenizer, source);
    await writeSafetensors(join(to, 'model.safetensors'), checkpoint.tensors, { format: 'pt' });
    const subject = { definition, headName, config, maxTokens, onnx: models.map((m) => m.file) };
    const text = textCard(
      basename(resolve(folder)),
      { ...subject, ...(task === undefined ? {} : { task }), ...(pooling && { pooling }) },
      card,
    );
    await writeWhole(join(to, 'README.md'), [new TextEncoder().encode(text)]);
  };
  const loaders = {
    transformers: head.architecture,
    timm: null,
    transformersJs: inTransformersJs(definition, headName),
  };
  return { ...(await exportFolder(folder, fill, force)), loaders };
}
