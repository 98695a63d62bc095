/** A finished run at work: `graft evaluate` and `graft predict`. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ImageSample } from '../data/index.js';
import { readImageDataset } from '../data/index.node.js';
import type { Engine } from '../engine/index.js';
import { ConfigError, DataError } from '../errors.js';
import { openCheckpointFolder } from '../io/index.node.js';
import { type LoadedClassifier, loadImageClassifier } from '../models/index.js';
import { type Answer, type Metrics, topAnswers } from '../tasks/index.js';
import { type EngineChoice, openEngine } from './engine.js';
import { type ImageStream, imageViews } from './image-stream.js';
import { isOnnxModel, loadOnnxModel } from './onnx-base.js';
import { predictStream, scoreOf } from './predictions.js';
import { RunFolder } from './run-folder.js';

/** Pictures a batch when nothing is trained. */
const BATCH = 16;

/** True for a model's own folder, as it comes from the hub or from an export. */
async function isModelFolder(path: string): Promise<boolean> {
  const names = await readdir(path).catch(() => [] as string[]);
  return names.includes('config.json') && !names.includes('run.json');
}

/**
 * The model of a run; or, of a folder that is itself a model, that model as it is.
 * @throws ConfigError when there is neither, when the run has not ended, or when the model has no head
 */
export async function loadRunModel(engine: Engine, run: string): Promise<LoadedClassifier> {
  if (await isModelFolder(run)) {
    const loaded = await loadModelFolder(engine, run);
    if (loaded.untrained.length === 0) return loaded;
    throw new ConfigError(
      `${run} is a base without a head, so it knows no classes. Adapt it first: graft fit DATA --base ${run}.`,
      { run, untrained: loaded.untrained },
      'no-head',
    );
  }
  const folder = new RunFolder(run);
  const record = await folder.read();
  if (!record.result) {
    throw new ConfigError(
      `${run} has not ended (${record.status}). Go on with it by graft fit --resume --out ${run}.`,
      { run, status: record.status },
      'run-unfinished',
    );
  }
  return loadModelFolder(engine, folder.model);
}

/** A model that a run, or an export, has written. */
export async function loadModelFolder(engine: Engine, path: string): Promise<LoadedClassifier> {
  const files = openCheckpointFolder(path);
  if (isOnnxModel(await files.json('config.json'))) return loadOnnxModel(engine, files);
  return loadImageClassifier(files);
}

/** Scores of a run on data. */
export interface Evaluation {
  readonly run: string;
  readonly data: string;
  readonly samples: number;
  readonly metrics: Metrics;
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
}

/**
 * Scores a run on labelled pictures: the test part where the data has one, else all of it.
 * @throws DataError when the data has a class that the model does not know
 */
export async function evaluateRun(
  run: string,
  data: string,
  options: EngineChoice & { readonly tta?: boolean; readonly strict?: boolean } = {},
): Promise<Evaluation> {
  const engine = await openEngine(options);
  const loaded = await loadRunModel(engine, run);
  const dataset = await readImageDataset(data, { split: false, strict: options.strict === true });
  const { labels } = loaded.config;
  const unknown = dataset.classes.filter((name) => !labels.includes(name));
  if (unknown.length > 0) {
    throw new DataError(
      `The run does not know the class${unknown.length > 1 ? 'es' : ''} ${unknown.join(', ')}; it tells apart ${labels.join(', ')}.`,
      { unknown, labels },
      { code: 'unknown-label' },
    );
  }
  const part = dataset.test.length > 0 ? dataset.test : dataset.train;
  const samples = part.map((s) => ({ ...s, label: labels.indexOf(dataset.classes[s.label]!) }));
  const views = imageViews(samples, loaded, { batch: BATCH, tta: options.tta === true });
  const { probabilities, classes } = await predictStream(engine, loaded, loaded.weights, views);
  return {
    run,
    data,
    ...scoreOf(
      probabilities,
      classes,
      samples.map((s) => s.label),
    ),
    skipped: dataset.skipped,
  };
}

/** The scores for people. */
export function formatEvaluation({ samples, metrics, skipped }: Evaluation): string {
  const rows = Object.entries(metrics).map(
    ([name, value]) => `${name.padEnd(18)} ${value.toFixed(4)}`,
  );
  const left = skipped.length ? [`left out: ${skipped.length} unreadable files`] : [];
  return `${[`${samples} pictures`, ...rows, ...left].join('\n')}\n`;
}

/** What a run says of some pictures. */
export interface PredictionList {
  readonly run: string;
  readonly predictions: readonly { readonly file: string; readonly answers: readonly Answer[] }[];
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
}

async function* filesIn(path: string): AsyncGenerator<string> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new DataError(`There is no file or folder ${path}.`, { path });
  if (!found.isDirectory()) {
    yield path;
    return;
  }
  const names = (await readdir(path)).filter((n) => !n.startsWith('.')).sort();
  for (const name of names) yield* filesIn(join(path, name));
}

/** Classifies pictures; a folder stands for all pictures below it. */
export async function predictRun(
  run: string,
  inputs: readonly string[],
  options: EngineChoice & { readonly top?: number; readonly tta?: boolean } = {},
): Promise<PredictionList> {
  const { top = 3 } = options;
  if (!Number.isInteger(top) || top < 1) {
    throw new ConfigError(`top must be a whole number >= 1, got ${top}.`, { top });
  }
  const engine = await openEngine(options);
  const loaded = await loadRunModel(engine, run);
  const samples: ImageSample[] = [];
  for (const input of inputs) {
    for await (const file of filesIn(input)) samples.push({ id: file, file, label: 0 });
  }
  if (samples.length === 0) throw new DataError('There is no file to classify.', { inputs });
  const views: ImageStream[] = imageViews(samples, loaded, {
    batch: Math.min(BATCH, samples.length),
    tta: options.tta === true,
  });
  const { probabilities, classes } = await predictStream(engine, loaded, loaded.weights, views);
  const failed = new Map(views[0]!.skipped.map((f) => [f.id, f.reason] as const));
  return {
    run,
    predictions: samples.flatMap(({ id }, i) => {
      if (failed.has(id)) return [];
      const row = probabilities.subarray(i * classes, (i + 1) * classes);
      return [{ file: id, answers: topAnswers(row, loaded.config.labels, top) }];
    }),
    skipped: [...failed].map(([file, reason]) => ({ file, reason })),
  };
}

/** The answers for people. */
export function formatPredictions({ predictions, skipped }: PredictionList): string {
  const lines = predictions.map(({ file, answers }) => {
    const list = answers.map((a) => `${a.label} ${(100 * a.probability).toFixed(1)} %`);
    return `${relative(process.cwd(), file) || file}: ${list.join(', ')}`;
  });
  const left = skipped.map(({ file, reason }) => `${file}: left out, ${reason}`);
  return `${[...lines, ...left].join('\n')}\n`;
}
