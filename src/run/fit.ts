/** A whole run: data and base in, adapted model, scores and report out. */
import { basename, resolve } from 'node:path';
import type { ImageDataset } from '../data/index.js';
import { readImageDataset } from '../data/index.node.js';
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import type { Weights } from '../nn/index.js';
import { loadBase, type PreparedModel, packageVersion, prepareModel } from './base.js';
import { checkEngine, type EngineChoice, openEngine } from './engine.js';
import { imageStream } from './image-stream.js';
import { checkChoices, FIT_DEFAULTS, type FitChoices } from './options.js';
import { type PartPredictions, predictPart, savePredictions } from './predictions.js';
import { writeRunReport } from './report.js';
import { newRecord, RunFolder, type RunRecord, type RunResult } from './run-folder.js';
import { saveModel } from './save-model.js';
import { formatRun, type RunSummary, summaryOf } from './summary.js';
import { type RunListener, type TrainedRun, trainRun } from './train-run.js';

/** Options of {@link fit}. */
export interface FitOptions extends Partial<FitChoices>, EngineChoice {
  /** Folder of the run; `runs/NAME` by default. */
  readonly out?: string;
  /** Go on with the interrupted run in `out`; its choices hold. */
  readonly resume?: boolean;
  /** Steps between checkpoints; one is written after each pass anyway. */
  readonly checkpointEvery?: number;
  /** What a person types to repeat the run. */
  readonly command?: string;
  readonly listener?: RunListener;
  /** Ends the run after the current step, saved. */
  readonly signal?: AbortSignal;
}

/** A run that ended or was interrupted. */
export interface FitRun {
  readonly out: string;
  readonly interrupted: boolean;
  /** What `--json` prints. */
  readonly summary: RunSummary;
  /** The same for people. */
  readonly text: string;
}

/**
 * Adapts a base to labelled pictures and writes a run: scores, model, report.
 * @throws ConfigError for a choice that cannot be; DataError for data that cannot be learned from;
 *   WeightsError for a base that does not fit; IoError `disk-full`
 * @example
 * const run = await fit({ data: 'photos', out: 'runs/photos' });
 * console.log(run.summary.metrics.accuracy);
 */
export async function fit(options: FitOptions): Promise<FitRun> {
  const { listener = () => {} } = options;
  const started = performance.now();
  const folder = await folderOf(options);
  const before = options.resume ? await folder.read() : null;
  const choices = before ? resumed(before, options) : chosen(options);
  checkChoices(choices);
  checkEngine(options);
  if (before?.status === 'done') return finished(folder, before);

  const engine = await openEngine(options);
  const loaded = await loadBase(engine, choices.base, choices);
  const dataset = await readImageDataset(choices.data, {
    ...(choices.valid === undefined ? {} : { valid: choices.valid }),
    seed: choices.seed,
    strict: choices.strict,
    progress: (done: number, total: number) => listener({ type: 'data', done, total }),
  });
  if (!before) await folder.create();
  const prepared = prepareModel(loaded, {
    labels: dataset.classes,
    size: choices.size,
    seed: choices.seed,
    fresh: choices.method === 'scratch',
  });
  let record: RunRecord = before ?? {
    ...newRecord(),
    graft: await packageVersion(),
    choices,
    data: dataRecord(dataset),
    model: { modelType: prepared.definition.modelType, preprocess: prepared.preprocess },
    machine: machineOf(engine),
    command: options.command ?? `fit ${JSON.stringify(choices)}`,
  };
  await folder.write({ ...record, status: 'running' });

  const context = { ...options, engine, choices, dataset, listener };
  if (!record.result) {
    const trained = await trainAndScore(context, folder, prepared);
    if (trained.interrupted) {
      record = { ...record, status: 'interrupted' };
      await folder.write(record);
      return unfinished(folder, record, trained);
    }
    const seconds = (performance.now() - started) / 1000;
    record = { ...record, result: { ...trained.result, seconds } };
    await saveModel(folder.model, prepared, trained.weights);
    await folder.write(record);
  }
  if (choices.control && !record.control) {
    listener({ type: 'note', text: 'control: the same network and budget from random weights' });
    const control = await runControl(context, folder, before !== null);
    if (!control) {
      record = { ...record, status: 'interrupted' };
      await folder.write(record);
      return unfinished(folder, record, null);
    }
    record = { ...record, control };
  }
  record = { ...record, status: 'done' };
  await writeRunReport(folder, record, { engine, dataset });
  await folder.write(record);
  return finished(folder, record);
}

interface FitContext extends FitOptions {
  readonly engine: Engine;
  readonly choices: FitChoices;
  readonly dataset: ImageDataset;
  readonly listener: RunListener;
}

type Scored =
  | { readonly interrupted: true; readonly epochs: number; readonly steps: number }
  | {
      readonly interrupted: false;
      readonly weights: Weights;
      readonly result: Omit<RunResult, 'seconds'>;
    };

async function trainAndScore(
  context: FitContext,
  folder: RunFolder,
  prepared: PreparedModel,
): Promise<Scored> {
  const { engine, choices, dataset } = context;
  const { preprocess } = prepared;
  const stream = (part: 'train' | 'valid' | 'test') =>
    imageStream(dataset, part, { choices, preprocess });
  const [train, valid, test] = [stream('train')!, stream('valid'), stream('test')];
  try {
    const trained: TrainedRun = await trainRun({
      ...context,
      folder,
      prepared,
      train,
      valid,
      resume: context.resume === true,
    });
    if (trained.interrupted) {
      return { interrupted: true, epochs: trained.epochs, steps: trained.steps };
    }
    const parts: PartPredictions[] = [];
    for (const [name, part] of [
      ['valid', valid],
      ['test', test],
    ] as const) {
      if (part) parts.push(await predictPart(engine, prepared, trained.weights, name, part));
    }
    await savePredictions(folder, parts);
    const scored = (name: string) => parts.find((p) => p.part === name)?.result ?? null;
    const [onValid, onTest] = [scored('valid'), scored('test')];
    const { best, epochs, steps, trainable, total } = trained;
    return {
      interrupted: false,
      weights: trained.weights,
      result: {
        metrics: (onTest ?? onValid)?.metrics ?? {},
        valid: onValid,
        test: onTest,
        best: best && { epoch: best.epoch, step: best.step, metrics: best.metrics },
        epochs,
        steps,
        parameters: { total, trainable },
      },
    };
  } finally {
    for (const s of [train, valid, test]) s?.close();
  }
}

/** Null when it was interrupted. */
async function runControl(
  context: FitContext,
  folder: RunFolder,
  resume: boolean,
): Promise<RunResult | null> {
  const started = performance.now();
  const choices: FitChoices = { ...context.choices, method: 'scratch', lr: undefined };
  const prepared = prepareModel(await loadBase(context.engine, choices.base, choices), {
    labels: context.dataset.classes,
    size: choices.size,
    seed: choices.seed,
    fresh: true,
  });
  if (!resume) await folder.control.create();
  const scored = await trainAndScore({ ...context, choices, resume }, folder.control, prepared);
  if (scored.interrupted) return null;
  return { ...scored.result, seconds: (performance.now() - started) / 1000 };
}

async function folderOf({ out, data, resume }: FitOptions): Promise<RunFolder> {
  if (out !== undefined) return new RunFolder(resolve(out));
  if (resume) throw new ConfigError('resume: give the folder of the run with --out.', {}, 'usage');
  if (data === undefined) {
    throw new ConfigError('fit: give a folder or a list of labelled pictures.', {}, 'usage');
  }
  const name = basename(resolve(data)).replace(/\.[^.]+$/, '') || 'run';
  return RunFolder.free(resolve('runs'), name);
}

function chosen(options: FitOptions): FitChoices {
  const { data } = options;
  if (data === undefined) {
    throw new ConfigError('fit: give a folder or a list of labelled pictures.', {}, 'usage');
  }
  const choices: Record<string, unknown> = { ...FIT_DEFAULTS };
  for (const [key, value] of Object.entries(options)) {
    if (value !== undefined && CHOICE_KEYS.has(key)) choices[key] = value;
  }
  return {
    ...(choices as unknown as FitChoices),
    data: resolve(data),
    ...(typeof options.valid === 'string' ? { valid: resolve(options.valid) } : {}),
  };
}

const CHOICE_KEYS: ReadonlySet<string> = new Set([
  ...Object.keys(FIT_DEFAULTS),
  'data',
  'cut',
  'valid',
  'lr',
  'size',
  'ema',
  'patience',
]);

/** The choices of the run that is gone on with; what is given again must agree. */
function resumed({ choices }: RunRecord, options: FitOptions): FitChoices {
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || !CHOICE_KEYS.has(key)) continue;
    const kept = choices[key as keyof FitChoices];
    const same = kept === (key === 'data' ? resolve(String(value)) : value);
    if (!same) {
      throw new ConfigError(
        `resume: the run was begun with ${key} ${kept}, now it is ${value}. Leave it out, or begin a new run with another --out.`,
        { key, kept, value },
      );
    }
  }
  return choices;
}

function dataRecord(dataset: ImageDataset): RunRecord['data'] {
  const { classes, train, valid, test, split, skipped } = dataset;
  return {
    classes,
    train: train.length,
    valid: valid.length,
    test: test.length,
    split,
    skipped,
  };
}

function machineOf(engine: Engine): RunRecord['machine'] {
  return {
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
    device: engine.runtime.device,
    threads: engine.runtime.threads,
  };
}

function finished(folder: RunFolder, record: RunRecord): FitRun {
  return {
    out: folder.path,
    interrupted: false,
    summary: summaryOf(folder, record),
    text: formatRun(folder, record),
  };
}

function unfinished(
  folder: RunFolder,
  record: RunRecord,
  at: { readonly epochs: number; readonly steps: number } | null,
): FitRun {
  return {
    out: folder.path,
    interrupted: true,
    summary: summaryOf(folder, record, at ?? undefined),
    text: '',
  };
}
