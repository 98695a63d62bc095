/** A model of a run, trained and scored; and the control, the same from random weights. */
import type { Engine } from '../engine/index.js';
import type { Weights } from '../nn/index.js';
import type { FitChoices } from './options.js';
import { type PartPredictions, savePredictions } from './predictions.js';
import type { RunFolder, RunResult } from './run-folder.js';
import { type RunListener, type TrainedRun, trainRun } from './train-run.js';
import type { NamedStream, PreparedNetwork, Workload } from './workload.js';

/** What a model is trained and scored with. */
export interface TrainContext {
  readonly engine: Engine;
  readonly choices: FitChoices;
  readonly workload: Workload;
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
  { workload, signal }: TrainContext,
  network: PreparedNetwork,
  weights: Weights,
  streams: { readonly [part: string]: NamedStream | null },
): Promise<PartPredictions[] | null> {
  const parts: PartPredictions[] = [];
  try {
    for (const [part, stream] of Object.entries(streams)) {
      if (!stream) continue;
      parts.push(await workload.predict(network, weights, { part, stream, signal }));
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
  network: PreparedNetwork,
): Promise<Scored> {
  const { task } = context.workload;
  const streams = await context.workload.streams();
  try {
    const { train, valid, test } = streams;
    const trained: TrainedRun = await trainRun({ ...context, folder, network, task, train, valid });
    const { best, epochs, steps, trainable, total, weights } = trained;
    if (trained.interrupted) return { interrupted: true, epochs, steps };
    const parts = await predictParts(context, network, weights, { valid, test });
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
    await streams.close();
  }
}

/** Trains and scores the control of a run, in a folder of its own; null when it was interrupted. */
export async function runControl(
  context: TrainContext,
  folder: RunFolder,
): Promise<RunResult | null> {
  const started = performance.now();
  const choices: FitChoices = { ...context.choices, method: 'scratch', lr: undefined };
  const network = await context.workload.prepare(true);
  const scored = await trainAndScore({ ...context, choices }, folder.control, network);
  if (scored.interrupted) return null;
  return { ...scored.result, seconds: (performance.now() - started) / 1000 };
}
