/** `.onnx` files as bases, and the models that came of them, on disk. */
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Engine } from '../engine/index.js';
import { ConfigError, WeightsError } from '../errors.js';
import { type CheckpointFolder, readOnnxFile } from '../io/index.node.js';
import {
  ConfigFields,
  type LoadedClassifier,
  onnxClassifier,
  parsePreprocessor,
} from '../models/index.js';
import type { Weights } from '../nn/index.js';
import { hashBytes } from '../util/index.js';

/** The file that a network is the graph of. */
export interface OnnxSource {
  /** Absolute path. */
  readonly path: string;
  /** Stands for the file's bytes. */
  readonly fingerprint: string;
  /** Files beside it that hold weights, relative to its folder. */
  readonly beside: readonly string[];
}

/** What decides how a file is read. */
export interface OnnxChoices {
  readonly cut?: string | undefined;
  readonly size?: number | undefined;
  readonly labels?: readonly string[];
}

/** Name of the copy of the file in a model's folder. */
const COPY = 'base.onnx';

/**
 * Reads a base.
 * @throws ConfigError when it is no classifier of pictures; WeightsError when it is damaged
 */
export async function loadOnnxBase(
  engine: Engine,
  path: string,
  { cut, size, labels = ['class'] }: OnnxChoices,
): Promise<LoadedClassifier & { readonly onnx: OnnxSource }> {
  const { model, external } = await readOnnxFile(path);
  const loaded = await onnxClassifier(engine, model, {
    labels,
    external,
    ...(cut === undefined ? {} : { cut }),
    ...(size === undefined ? {} : { size }),
  });
  const fingerprint = hashBytes(await readFile(path));
  return { ...loaded, onnx: { path, fingerprint, beside: model.externalPaths } };
}

/** Copies the file of a base, and what lies beside it, into a model's folder. */
export async function copyOnnxBase({ path, beside }: OnnxSource, folder: string): Promise<void> {
  await copyFile(path, join(folder, COPY));
  for (const name of beside) {
    const target = normalize(name);
    if (target.startsWith('..')) continue; // reading it has failed before
    await mkdir(dirname(join(folder, target)), { recursive: true });
    await copyFile(join(dirname(path), target), join(folder, target));
  }
}

/** True for the folder of a model whose network is an ONNX file. */
export function isOnnxModel(config: Readonly<Record<string, unknown>> | null): boolean {
  return config?.model_type === 'onnx';
}

/**
 * Loads a model that was adapted from an ONNX base.
 * @throws WeightsError when its tensors are not those of its graph
 */
export async function loadOnnxModel(
  engine: Engine,
  folder: CheckpointFolder,
): Promise<LoadedClassifier & { readonly onnx: OnnxSource }> {
  const raw = (await folder.json('config.json')) ?? {};
  const processor = await folder.json('preprocessor_config.json');
  if (!processor) {
    throw new ConfigError(`${folder.name} lacks preprocessor_config.json.`, { name: folder.name });
  }
  const fields = new ConfigFields('onnx', raw);
  const { crop_size: size } = processor as { crop_size?: { height?: number; width?: number } };
  const loaded = await loadOnnxBase(engine, join(folder.name, COPY), {
    cut: typeof raw.cut === 'string' ? raw.cut : undefined,
    labels: fields.image().labels,
    ...(size?.height !== undefined && size.height === size.width ? { size: size.height } : {}),
  });
  const source = await folder.tensors();
  const weights: Weights = new Map();
  try {
    const wrong: string[] = [];
    for (const [path, { tensor }] of loaded.model.parameters()) {
      const type = source.types.get(path);
      if (type?.shape.join() === tensor.shape.join()) weights.set(path, await source.read(path));
      else
        wrong.push(`${path} ${type ? `[${type.shape}] in place of [${tensor.shape}]` : 'missing'}`);
    }
    if (wrong.length > 0) {
      throw new WeightsError(
        `${folder.name}: the weights are not those of ${COPY}: ${wrong.slice(0, 10).join('; ')}.`,
        { wrong },
      );
    }
  } finally {
    await source.close();
  }
  const preprocess = parsePreprocessor(processor, loaded.preprocess);
  return { ...loaded, weights, preprocess, untrained: [] };
}
