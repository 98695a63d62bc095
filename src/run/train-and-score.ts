/** A model of a run, trained and scored; and the control, the same from random weights. */
import type { ImageDataset } from '../data/index.js';
import { LoaderThread } from '../data/index.node.js';
import type { Engine } from '../engine/index.js';
import type { Weights } from '../nn/index.js';
import { loadBase, type PreparedModel, prepareModel } from './base.js';
import { imageStream } from './image-stream.js';
import type { FitChoices } from './options.js';
import { type PartPredictions, predictPart, savePredictions } from './predictions.js';
import type { RunFolder, RunResult } from './run-folder.js';
import { type RunListener, type TrainedRun, trainRun } from './train-run.js';

/** What a model is trained and scored with. */
export interface TrainContext {
  readonly engine: Engine;
  readonly choices: FitChoices;
  readonly dataset: ImageDataset;
  readonly listener: RunListener;
  /** Go on from the checkpoints in the folder, if there are any. */
  readonly resume: boolean;
  readonly checkpointEvery?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A model that was trained to the end, or where it was interrupted. */
export type Scored =
  | { readonly interrupted: true; readonly epochs: number; readonly steps: number }
  | {
      readonly interrupted: false;
      readonly weights: Weights;
      readonly result: Omit<RunResult, 'seconds'>;
    };

/** Predictions of the parts there are; null when it was interrupted. */
async function predictParts(
  { engine, signal }: TrainContext,
  prepared: PreparedModel,
  weights: Weights,
  streams: { readonly [part: string]: ReturnType<typeof imageStream> },
): Promise<PartPredictions[] | null> {
  const parts: PartPredictions[] = [];
  try {
    for (const [part, stream] of Object.entries(streams)) {
      if (!stream) continue;
      parts.push(await predictPart(engine, prepared, weights, { part, stream, signal }));
    }
  } catch (error) {
    if (signal?.aborted && error === signal.reason) return null;
    throw error;
  }
  return parts;
}

/** Trains into `folder` and scores what came of it. */
export async function trainAndScore(
  context: TrainContext,
  folder: RunFolder,
  prepared: PreparedModel,
): Promise<Scored> {
  const { choices, dataset } = context;
  const { preprocess } = prepared;
  const thread = new LoaderThread();
  const stream = (part: 'train' | 'valid' | 'test') =>
    imageStream(dataset, part, { choices, preprocess, thread });
  try {
    const [train, valid, test] = [stream('train')!, stream('valid'), stream('test')];
    const trained: TrainedRun = await trainRun({ ...context, folder, prepared, train, valid });
    const { best, epochs, steps, trainable, total, weights } = trained;
    if (trained.interrupted) return { interrupted: true, epochs, steps };
    const parts = await predictParts(context, prepared, weights, { valid, test });
    if (!parts) return { interrupted: true, epochs, steps };
    await savePredictions(folder, parts);
    const scored = (name: string) => parts.find((p) => p.part === name)?.result ?? null;
    const [onValid, onTest] = [scored('valid'), scored('test')];
    return {
      interrupted: false,
      weights,
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
    await thread.close(); // and with it all that it reads
  }
}

/** Trains and scores the control of a run, in a folder of its own; null when it was interrupted. */
export async function runControl(
  context: TrainContext,
  folder: RunFolder,
): Promise<RunResult | null> {
  const started = performance.now();
  const choices: FitChoices = { ...context.choices, method: 'scratch', lr: undefined };
  const prepared = prepareModel(await loadBase(context.engine, choices.base, choices), {
    labels: context.dataset.classes,
    size: choices.size,
    seed: choices.seed,
    fresh: true,
  });
  const scored = await trainAndScore({ ...context, choices }, folder.control, prepared);
  if (scored.interrupted) return null;
  return { ...scored.result, seconds: (performance.now() - started) / 1000 };
}
