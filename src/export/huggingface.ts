/** Trained classifiers as folders that other libraries load (Node). */
import { mkdir } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Engine } from '../engine/index.js';
import { writeSafetensors, writeWhole } from '../io/index.node.js';
import type { CardFacts } from './card-parts.js';
import { exportFolder } from './export-folder.js';
import { type KnownClassifier, type Loaders, layoutOf } from './layout.js';
import { modelCard } from './model-card.js';
import { exportOnnx } from './onnx.js';
import { writeJson, writeOnnx } from './write-onnx.js';

/** Options of {@link exportHuggingFace}. */
export interface HuggingFaceExportOptions {
  /** What the card tells of the training. */
  readonly card?: CardFacts;
  /** Replace a folder that was not written by an export; everything in it is lost. */
  readonly force?: boolean;
}

/** What {@link exportHuggingFace} has written. */
export interface HuggingFaceExport {
  /** Absolute path. */
  readonly folder: string;
  /** Paths of its files, relative to the folder. */
  readonly files: readonly string[];
  /** Who loads it. */
  readonly loaders: Loaders;
}

/**
 * Writes a classifier as a folder in Hugging Face's layout: `config.json`, `model.safetensors`,
 * `preprocessor_config.json`, a model card, and `onnx/model.onnx`, so that Python's transformers
 * and transformers.js load it. Where transformers lacks the architecture the layout is timm's, if
 * timm has it; `loaders` says who can load the folder. It appears whole or not at all.
 * @throws IoError with code `exists` when the folder holds something else
 * @example
 * const base = await loadImageClassifier(files);
 * const { loaders } = await exportHuggingFace('out/ants-bees', engine, base);
 */
export async function exportHuggingFace(
  folder: string,
  engine: Engine,
  source: KnownClassifier,
  { card = {}, force = false }: HuggingFaceExportOptions = {},
): Promise<HuggingFaceExport> {
  const { definition, config, model, weights, preprocess } = source;
  const layout = layoutOf(source);
  const license = card.license ?? card.base?.license;
  const onnx = await exportOnnx(
    engine,
    { model, weights, labels: config.labels, preprocess },
    { metadata: { ...(card.base && { base: card.base.name }), ...(license && { license }) } },
  );
  const fill = async (to: string) => {
    await mkdir(join(to, 'onnx'));
    const { external } = await writeOnnx(join(to, 'onnx', 'model.onnx'), onnx);
    await writeJson(join(to, 'config.json'), {
      ...layout.config,
      // How transformers.js is told to fetch the weights beside the model.
      ...(external && { 'transformers.js_config': { use_external_data_format: true } }),
    });
    await writeJson(join(to, 'preprocessor_config.json'), layout.preprocessor);
    await writeSafetensors(join(to, 'model.safetensors'), layout.tensors, { format: 'pt' });
    const { loaders } = layout;
    const { modelType, source: origin } = definition;
    const subject = { modelType, config, preprocess, loaders, source: origin };
    const text = modelCard(basename(resolve(folder)), subject, card);
    await writeWhole(join(to, 'README.md'), [new TextEncoder().encode(text)]);
  };
  return { ...(await exportFolder(folder, fill, force)), loaders: layout.loaders };
}
