/** A finished run at work: `graft evaluate` and `graft predict`. */
import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { endingOf, type ImageSample, PICTURE_ENDINGS } from '../data/index.js';
import { readImageDataset, walk } from '../data/index.node.js';
import type { Engine } from '../engine/index.js';
import { ConfigError, DataError } from '../errors.js';
import { openCheckpointFolder } from '../io/index.node.js';
import { type LoadedClassifier, loadImageClassifier } from '../models/index.js';
import { type Answer, type Metrics, topAnswers } from '../tasks/index.js';
import { averageOf } from '../train/index.node.js';
import { checkAskedChoices } from './asked-choices.js';
import { type ClassDetails, classDetails, formatDetails } from './class-details.js';
import { type EngineChoice, openEngine } from './engine.js';
import { type ImageStream, imageViews } from './image-stream.js';
import { isOnnxModel, loadOnnxModel } from './onnx-base.js';
import type { RunTask } from './options.js';
import { predictStream, scoreOf } from './predictions.js';
import { RunFolder } from './run-folder.js';
import { leftOutText } from './summary.js';
import type { PredictChoices } from './text/predict.js';
import type { CutTexts } from './text/read-texts.js';
import type { WriteChoices } from './text/write-choices.js';

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
  await folder.readEnded();
  return loadModelFolder(engine, folder.model);
}

/** A model that a run, or an export, has written. */
export async function loadModelFolder(engine: Engine, path: string): Promise<LoadedClassifier> {
  const files = openCheckpointFolder(path);
  if (isOnnxModel(await files.json('config.json'))) return loadOnnxModel(engine, files);
  return loadImageClassifier(files);
}

/** What a model says of pictures, whose streams are then closed. */
async function predictViews(
  engine: Engine,
  loaded: LoadedClassifier,
  views: readonly ImageStream[],
): ReturnType<typeof predictStream> {
  try {
    return await predictStream(engine, loaded, loaded.weights, views);
  } finally {
    await Promise.all(views.map((view) => view.close()));
  }
}

/** Scores of a run on data. */
export interface Evaluation extends ClassDetails {
  readonly run: string;
  readonly data: string;
  /** What was scored: `test` or `valid` where the data has such a part, else `all` of it. */
  readonly part: 'test' | 'valid' | 'all';
  readonly task: RunTask;
  /** What was scored, in the plural: pictures, texts, ... */
  readonly unit: string;
  readonly samples: number;
  readonly metrics: Metrics;
  readonly skipped: readonly { readonly id: string; readonly reason: string }[];
  /** Texts that were longer than the model reads, where there are any. */
  readonly cut?: CutTexts;
  /** Share of the tokens of texts that stand for what the model does not know, where it is large. */
  readonly unknownTokens?: number;
  /** What else there is to know. */
  readonly notes?: readonly string[];
}

/**
 * Scores a run on labelled pictures or texts: the test part where the data has one, else the validation part,
 * else all of it. What a run was trained on tells nothing of how good it is.
 * @throws DataError when the data has a class that the model does not know
 */
export async function evaluateRun(
  run: string,
  data: string,
  options: EngineChoice & { readonly tta?: boolean; readonly strict?: boolean } = {},
): Promise<Evaluation> {
  const { isTextRun } = await import('./text/open-run.js');
  if (await isTextRun(run))
    return (await import('./text/evaluate.js')).evaluateText(run, data, options);
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
  const part = (['test', 'valid'] as const).find((name) => dataset[name].length > 0) ?? 'all';
  const scored = dataset[part === 'all' ? 'train' : part];
  const samples = scored.map((s) => ({ ...s, label: labels.indexOf(dataset.classes[s.label]!) }));
  const views = imageViews(samples, loaded, { batch: BATCH, tta: options.tta === true });
  const { probabilities, classes } = await predictViews(engine, loaded, views);
  const truth = samples.map((s) => s.label);
  const result = scoreOf(probabilities, classes, truth);
  const found = { part, result, ids: [], labels: truth, probabilities: [...probabilities] };
  return {
    run,
    data,
    part,
    task: 'image-classification',
    unit: 'pictures',
    ...result,
    ...classDetails(found, labels),
    skipped: dataset.skipped,
  };
}

/** The scores for people. */
export function formatEvaluation({
  task,
  part,
  unit,
  samples,
  metrics,
  skipped,
  notes = [],
  ...details
}: Evaluation): string {
  const names = Object.keys(metrics);
  const rows = Object.entries(metrics).map(([name, value]) => {
    const average = averageOf(name, task, names);
    return `${(average === undefined ? name : `${name} (${average})`).padEnd(18)} ${value.toFixed(4)}`;
  });
  const left = skipped.length ? [leftOutText({ unit, skipped })] : [];
  const of = part === 'all' ? '' : ` (${part} part)`;
  return `${[`${samples} ${unit}${of}`, ...rows, ...formatDetails(details), ...left, ...notes].join('\n')}\n`;
}

/** What a run says of a picture or a text. */
export interface Prediction {
  /** The picture, or where the text comes from. */
  readonly file: string;
  readonly text?: string;
  /** The second text of a pair. */
  readonly text2?: string;
  /** Classes, the most probable first; of several classes a text those that it has. */
  readonly answers?: readonly Answer[];
  /** A number; of a pair that is compared the cosine of its embeddings. */
  readonly score?: number;
  /** Where a text lies among others: a direction of length 1. */
  readonly embedding?: readonly number[];
  /** Of the other texts, where there are no more than a thousand, the one that lies nearest, and the cosine of the two. */
  readonly nearest?: { readonly text: string; readonly score: number };
  /** Pieces of the text; `start` and `end` count its UTF-16 units, as `slice` does. */
  readonly entities?: readonly {
    readonly type: string;
    readonly text: string;
    readonly start: number;
    readonly end: number;
  }[];
  /** The tag of each word, where tags mark no pieces (parts of speech); places as for `entities`. */
  readonly tags?: readonly {
    readonly tag: string;
    readonly text: string;
    readonly start: number;
    readonly end: number;
  }[];
  /** What was written. */
  readonly output?: string;
}

/** What a run says of some pictures or texts. */
export interface PredictionList {
  readonly run: string;
  readonly predictions: readonly Prediction[];
  /** True: a text may have several classes, and `answers` are those that it has. */
  readonly several?: boolean;
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
  /** As {@link Evaluation} has them. */
  readonly cut?: CutTexts;
  readonly unknownTokens?: number;
  /** What else there is to know. */
  readonly notes?: readonly string[];
}

/** A file itself; of a folder all that are pictures by their names, at any depth. */
async function filesIn(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new DataError(`There is no file or folder ${path}.`, { path });
  if (!found.isDirectory()) return [path];
  const { files } = await walk(path);
  return files
    .filter(({ id }) => PICTURE_ENDINGS.has(endingOf(id)))
    .map(({ id }) => join(path, id));
}

/**
 * Classifies pictures, a folder standing for all pictures below it; or answers texts.
 * @throws DataError when there is none, or none that can be read
 */
export async function predictRun(
  run: string,
  inputs: readonly string[],
  options: EngineChoice &
    WriteChoices &
    PredictChoices & {
      readonly tta?: boolean;
    } = {},
): Promise<PredictionList> {
  const { top = 3 } = options;
  if (!Number.isInteger(top) || top < 1) {
    throw new ConfigError(`top must be a whole number >= 1, got ${top}.`, { top });
  }
  const { isTextRun } = await import('./text/open-run.js');
  if (await isTextRun(run))
    return (await import('./text/predict.js')).predictTexts(run, inputs, options);
  const engine = await openEngine(options);
  const loaded = await loadRunModel(engine, run);
  checkAskedChoices('image-classification', options);
  const files = new Set<string>();
  for (const input of inputs) for (const file of await filesIn(input)) files.add(file);
  const samples = [...files].map((file): ImageSample => ({ id: file, file, label: 0 }));
  if (samples.length === 0) {
    throw new DataError(
      `There is no picture in ${inputs.join(', ')}. Give pictures (.${[...PICTURE_ENDINGS].join(', .')}), or folders of them.`,
      { inputs },
      { code: 'no-data' },
    );
  }
  const views: ImageStream[] = imageViews(samples, loaded, {
    batch: Math.min(BATCH, samples.length),
    tta: options.tta === true,
  });
  const { probabilities, classes } = await predictViews(engine, loaded, views);
  const failed = new Map(views[0]!.skipped.map((f) => [f.id, f.reason] as const));
  if (failed.size === samples.length) {
    const [file, reason] = [...failed][0]!;
    throw new DataError(
      `None of the ${samples.length} files can be read as a picture. ${file}: ${reason}`,
      { skipped: [...failed.keys()] },
      { code: 'unusable-files' },
    );
  }
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

function formatAnswer({
  answers,
  score,
  embedding,
  nearest,
  entities,
  tags,
  output,
}: Prediction): string {
  if (output !== undefined) return output || '(no answer)';
  if (score !== undefined) return score.toFixed(3);
  if (entities) return entities.map((e) => `${e.type} ${e.text}`).join(', ') || 'nothing found';
  if (tags) return tags.map((t) => `${t.tag} ${t.text}`).join(', ');
  if (nearest) return `nearest to ${nearest.text} (${nearest.score.toFixed(3)})`;
  if (embedding) return `embedding of ${embedding.length} numbers (--json shows them)`;
  const list = (answers ?? []).map((a) => `${a.label} ${(100 * a.probability).toFixed(1)} %`);
  return list.join(', ') || 'none';
}

/** The answers for people. */
export function formatPredictions({ predictions, skipped, notes = [] }: PredictionList): string {
  const lines = predictions.map((prediction) => {
    const { file, text, text2 } = prediction;
    const asked = [text ?? (relative(process.cwd(), file) || file), text2].filter(Boolean);
    return `${asked.join(' / ')}: ${formatAnswer(prediction)}`;
  });
  const left = skipped.map(({ file, reason }) => `${file}: left out, ${reason}`);
  return `${[...lines, ...left, ...notes].join('\n')}\n`;
}
