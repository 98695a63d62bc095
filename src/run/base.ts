/** From the name of a base to a model with a new head for the classes at hand. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { type HubProgress, openCheckpointFolder, resolveBase } from '../io/index.node.js';
import {
  type ImageClassifier,
  type ImageConfig,
  type ImagePreprocess,
  type LoadedClassifier,
  loadImageClassifier,
  type ModelDefinition,
  resized,
} from '../models/index.js';
import { initialize, type Weights } from '../nn/index.js';
import { loadOnnxBase, type OnnxSource } from './onnx-base.js';

/** A base as it was found. */
export interface LoadedBase extends LoadedClassifier {
  /** Absolute path of its folder or file. */
  readonly path: string;
  /** The file of an ONNX base. */
  readonly onnx?: OnnxSource;
  /** Licence that its card names, as the hub writes it. */
  readonly license?: string;
}

/** A model ready to be adapted. */
export interface PreparedModel {
  readonly definition: ModelDefinition;
  readonly config: ImageConfig;
  readonly model: ImageClassifier;
  readonly weights: Weights;
  readonly preprocess: ImagePreprocess;
  /** Stands for the network: its type and configuration. */
  readonly structure: string;
  readonly isHead: (path: string) => boolean;
  /** Where the base was found, and its licence if its card names one. */
  readonly source: { readonly path: string; readonly license?: string };
  /** The file whose graph the network is, for an ONNX base. */
  readonly onnx?: OnnxSource;
}

const assets = fileURLToPath(new URL('../../assets/bases/', import.meta.url));

/** Folders of the bases that come with the package, by the name after `graft/`. */
export async function embeddedBases(): Promise<Map<string, string>> {
  const entries = await readdir(assets, { withFileTypes: true }).catch(() => []);
  return new Map(
    entries.filter((e) => e.isDirectory()).map((e) => [e.name, `${assets}${e.name}`] as const),
  );
}

/** What decides how an ONNX base is read; other bases say it themselves. */
export interface BaseChoices {
  /** The value at which the trunk of an ONNX base ends. */
  readonly cut?: string | undefined;
  /** Side of the input, pixels. */
  readonly size?: number | undefined;
}

/** Cards are read no further than this. */
const MAX_CARD = 64 * 1024;

/** The licence in the head of a base's card, if it has one. */
export async function licenseAt(folder: string): Promise<{ license?: string }> {
  const card = await readFile(join(folder, 'README.md'), 'utf8').catch(() => '');
  const [, head = ''] = /^---\r?\n([\s\S]*?)\r?\n---/.exec(card.slice(0, MAX_CARD)) ?? [];
  const license = /^license:[ \t]*['"]?([\w.+-]{1,64})['"]?[ \t]*$/m.exec(head)?.[1];
  return license === undefined ? {} : { license };
}

/** @throws ConfigError when a folder is a run, whose model lies in a folder of its own */
export async function refuseRun(path: string): Promise<void> {
  const names = await readdir(path).catch(() => [] as string[]);
  if (!names.includes('run.json') || names.includes('config.json')) return;
  throw new ConfigError(
    `${path} is a run, and its model lies in ${join(path, 'model')}. Give that: --base ${join(path, 'model')}.`,
    { path },
    'unknown-architecture',
  );
}

/**
 * Finds and loads a base as it is.
 * @throws ConfigError, WeightsError or HubError when there is none, or when it does not fit
 */
export async function loadBase(
  engine: Engine,
  base: string,
  choices: BaseChoices = {},
  onProgress?: (progress: HubProgress) => void,
): Promise<LoadedBase> {
  const { kind, path } = await resolveBase(base, {
    embedded: await embeddedBases(),
    ...(onProgress ? { onProgress } : {}),
  });
  if (kind === 'onnx') return { ...(await loadOnnxBase(engine, path, choices)), path };
  await refuseRun(path);
  const loaded = await loadImageClassifier(openCheckpointFolder(path));
  return { ...loaded, path, ...(await licenseAt(path)) };
}

/** How a base is prepared. */
export interface PrepareOptions {
  readonly labels: readonly string[];
  /** Side of the input in pixels; absent: the base's own. */
  readonly size?: number | undefined;
  readonly seed: number;
  /** Take random weights in place of the base's. */
  readonly fresh: boolean;
}

/** A base for pictures of another size: those with one position embedding a place must know. */
function sized(loaded: LoadedBase, size: number | undefined): LoadedBase {
  if (size === undefined || loaded.onnx) return loaded;
  const preprocess = resized(loaded.preprocess, size);
  const { definition } = loaded;
  if (!definition.resize) return { ...loaded, preprocess };
  const { config, weights } = definition.resize(loaded.config, loaded.weights, preprocess);
  return { ...loaded, preprocess, config, weights, model: definition.build(config) };
}

/** Gives a loaded base a new head for `labels` (and, for a control, fresh weights everywhere). */
export function prepareModel(
  base: LoadedBase,
  { labels, size, seed, fresh }: PrepareOptions,
): PreparedModel {
  const loaded = sized(base, size);
  const { definition, model, preprocess, onnx } = loaded;
  const config = { ...loaded.config, labels };
  model.replaceHead(labels.length);
  const weights: Weights = new Map();
  const head = definition.roles.head!;
  for (const [path, value] of initialize(model, seed)) {
    const kept = fresh || head.test(path) ? undefined : loaded.weights.get(path);
    weights.set(path, kept ?? value);
  }
  const graph = onnx ? `:${onnx.fingerprint}` : '';
  return {
    definition,
    config,
    model,
    weights,
    preprocess,
    structure: `${definition.modelType}${graph}:${JSON.stringify(definition.write(config))}`,
    isHead: (path) => head.test(path),
    source: { path: base.path, ...(base.license ? { license: base.license } : {}) },
    ...(onnx ? { onnx } : {}),
  };
}

/** Version of the package. */
export async function packageVersion(): Promise<string> {
  const path = new URL('../../package.json', import.meta.url);
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version;
}
