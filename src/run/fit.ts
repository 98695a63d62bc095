/** A whole run: data and base in, adapted model, scores and report out. */
import type { Engine } from '../engine/index.js';
import { ConfigError, EngineError } from '../errors.js';
import { explainFullDisk } from '../train/index.node.js';
import { packageVersion } from './base.js';
import { checkSameData } from './data-record.js';
import { checkEngine, type EngineChoice, openEngine } from './engine.js';
import { chosen, folderOf, resumed } from './fit-choices.js';
import { checkChoices, type FitChoices, modalityOf } from './options.js';
import { newRecord, type RunFolder, type RunRecord } from './run-folder.js';
import { withRunLock } from './run-lock.js';
import { formatRun, type RunSummary, summaryOf } from './summary.js';
import { runControl, type TrainContext, trainAndScore } from './train-and-score.js';
import type { RunListener } from './train-run.js';
import type { Workload } from './workload.js';

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
 * Adapts a base to labelled pictures or to texts and writes a run: scores, model, report.
 * @throws ConfigError for a choice that cannot be; DataError for data that cannot be learned from;
 *   WeightsError for a base or a checkpoint that does not fit; IoError `disk-full`; the signal's reason
 *   when it is aborted before there is a run to go on with
 * @example
 * const run = await fit({ data: 'photos', out: 'runs/photos' });
 * console.log(run.summary.metrics.accuracy);
 */
export async function fit(options: FitOptions): Promise<FitRun> {
  const started = performance.now();
  checkEngine(options);
  const folder = await folderOf(options);
  return explainFullDisk(folder.path, () =>
    options.resume ? goOn(folder, options, started) : begin(folder, options, started),
  );
}

/** A new run. Its folder is made when base and data are known to be good. */
async function begin(folder: RunFolder, options: FitOptions, started: number): Promise<FitRun> {
  const asked = await chosen(options);
  checkChoices(asked, options.checkpointEvery);
  await folder.checkFree();
  const taskNamed = options.task !== undefined;
  const inputs = await readInputs(asked, options, taskNamed);
  const { engine, workload, choices } = inputs;
  const record: RunRecord = {
    ...newRecord(),
    graft: await packageVersion(),
    choices,
    taskNamed,
    data: workload.data,
    model: workload.model,
    primary: workload.task.primary,
    machine: machineOf(engine),
    command: options.command ?? `fit ${JSON.stringify(choices)}`,
  };
  return withRunLock(folder.path, async () => {
    await folder.checkFree(); // another process may have taken it meanwhile
    return execute(folder, record, { ...inputs, resume: false }, started);
  });
}

/** A run that was interrupted or killed. One that has ended gives its result again. */
async function goOn(folder: RunFolder, options: FitOptions, started: number): Promise<FitRun> {
  const seen = await folder.read();
  const choices = resumed(seen, options);
  checkChoices(choices, options.checkpointEvery);
  if (seen.status === 'done') return finished(folder, seen);
  if (seen.status === 'failed') {
    throw new ConfigError(
      `${folder.path} has failed: its loss was no number any more, and would be none again. Begin a new run with another --out and a lower --lr.`,
      { run: folder.path },
      'run-failed',
    );
  }
  return withRunLock(folder.path, async () => {
    const record = await folder.read();
    if (record.status === 'done') return finished(folder, record);
    await folder.removeLeftOvers();
    let inputs: Inputs;
    try {
      inputs = await readInputs(choices, options, true, record.taskNamed);
    } catch (error) {
      const { signal } = options;
      if (signal?.aborted && error === signal.reason) return unfinished(folder, record, null);
      throw error;
    }
    checkSameData(record.data, inputs.workload.data);
    return execute(folder, record, { ...inputs, resume: true }, started);
  });
}

/** What a run reads before it writes anything. */
type Inputs = Omit<TrainContext, 'resume'>;

/**
 * @param taskKnown false: the task of texts is found out from their columns
 * @param taskNamed whether it was known when the run was begun
 * @throws the signal's reason when it is aborted on the way
 */
async function readInputs(
  choices: FitChoices,
  options: FitOptions,
  taskKnown: boolean,
  taskNamed = taskKnown,
): Promise<Inputs> {
  const { listener = () => {}, signal, checkpointEvery } = options;
  const engine: Engine = await openEngine(options);
  const context = { engine, listener, signal, taskKnown, taskNamed };
  const workload = await openWorkload(choices, context);
  return { engine, choices: workload.choices, workload, listener, signal, checkpointEvery };
}

/** Only what a run is of is loaded: pictures need codecs, texts a tokenizer. */
async function openWorkload(
  choices: FitChoices,
  context: Parameters<typeof import('./text/workload.js').openTextWorkload>[1],
): Promise<Workload> {
  if (modalityOf(choices.task) === 'image') {
    const { openImageWorkload } = await import('./image-workload.js');
    return openImageWorkload(choices, context);
  }
  const { openTextWorkload } = await import('./text/workload.js');
  return openTextWorkload(choices, context);
}

/** Trains, scores, reports; what an earlier process has finished is not done again. */
async function execute(
  folder: RunFolder,
  before: RunRecord,
  context: TrainContext,
  started: number,
): Promise<FitRun> {
  const { choices, workload, listener } = context;
  let record = before;
  const keep = async (changes: Partial<RunRecord>) => {
    record = { ...record, ...changes };
    await folder.write(record);
  };
  const interrupted = async (at: { epochs: number; steps: number } | null) => {
    await keep({ status: 'interrupted' });
    return unfinished(folder, record, at);
  };
  await keep({ status: 'running' });
  try {
    if (!record.result) {
      const network = await workload.prepare(choices.method === 'scratch');
      const trained = await trainAndScore(context, folder, network);
      if (trained.interrupted) return await interrupted(trained);
      const seconds = (performance.now() - started) / 1000;
      await workload.save(folder.model, network, trained.weights);
      await keep({ result: { ...trained.result, seconds } });
    }
    if (choices.control && !record.control) {
      listener({ type: 'note', text: 'control: the same network and budget from random weights' });
      const control = await runControl(context, folder);
      if (!control) return await interrupted(null);
      await keep({ control });
    }
    await workload.report(folder, record);
    await keep({ status: 'done' });
  } catch (error) {
    // It runs no more. The disk may be full, and what went wrong first is what is to be told.
    const failed = error instanceof EngineError && error.code === 'non-finite';
    await keep({ status: failed ? 'failed' : 'interrupted' }).catch(() => {});
    if (!failed) throw error;
    throw new EngineError(
      error.code,
      `${error.message} This run cannot go on; begin a new one with another --out. ${folder.path} keeps its curves.`,
      error.data,
      { cause: error },
    );
  }
  return finished(folder, record);
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
