/** What a finished model says of every sample of a part, kept for the report. */
import { readFile } from 'node:fs/promises';
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import type { Weights } from '../nn/index.js';
import { imageClassification, packedRows, probabilitiesOf, type Row } from '../tasks/index.js';
import { type CollectOptions, collect, Forward } from '../train/index.js';
import type { PreparedModel } from './base.js';
import type { ImageStream } from './image-stream.js';
import type { PartResult, RunFolder } from './run-folder.js';

/** What a model made of one part of the data. */
export interface PartPredictions {
  /** `valid` or `test`. */
  readonly part: string;
  readonly result: PartResult;
  readonly ids: readonly string[];
}

/** Predictions of a classifier. */
export interface ClassPredictions extends PartPredictions {
  readonly labels: readonly number[];
  /** [samples, classes], row by row. */
  readonly probabilities: readonly number[];
}

/** What is asked of a model. */
export type Model = Pick<PreparedModel, 'model'>;

/**
 * Probabilities [samples, classes] of a stream's samples, averaged over its views when it has
 * several.
 * @throws the signal's reason when it is aborted on the way
 */
export async function predictStream(
  engine: Engine,
  { model }: Model,
  weights: Weights,
  streams: readonly ImageStream[],
  options: CollectOptions = {},
): Promise<{ probabilities: Float32Array; classes: number }> {
  const forward = new Forward(engine, model, { part: 'all', weights });
  let sum: Float32Array | undefined;
  let classes = 0;
  for (const stream of streams) {
    const rows = await collect(stream, ({ feeds }) => forward.run(feeds), options);
    const { values, width } = packedRows(rows);
    classes = width;
    const probabilities = probabilitiesOf({ logits: values, classes });
    if (!sum) sum = probabilities;
    else for (const [i, p] of probabilities.entries()) sum[i]! += p;
  }
  const probabilities = (sum ?? new Float32Array(0)).map((p) => p / streams.length);
  return { probabilities, classes };
}

/** Scores from probabilities; the logarithm is as good as logits to the task. */
export function scoreOf(
  probabilities: Float32Array,
  classes: number,
  labels: readonly number[],
): PartResult {
  return {
    samples: labels.length,
    metrics: imageClassification.score({
      rows: labels.map((_, i): Row => {
        const row = probabilities.subarray(i * classes, (i + 1) * classes);
        return { shape: [classes], data: row.map((p) => Math.log(Math.max(p, 1e-30))) };
      }),
      truth: labels,
    }),
  };
}

/** Predicts and scores one part. Samples that turned out unreadable are left out. */
export async function predictPart(
  engine: Engine,
  model: Model,
  weights: Weights,
  {
    part,
    stream,
    signal,
  }: {
    readonly part: string;
    readonly stream: ImageStream;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<ClassPredictions> {
  const views = [stream];
  const { probabilities, classes } = await predictStream(engine, model, weights, views, { signal });
  return {
    part,
    result: scoreOf(probabilities, classes, stream.truth),
    ids: stream.ids,
    labels: stream.truth,
    probabilities: Array.from(probabilities, (p) => Number(p.toPrecision(7))),
  };
}

/** Writes the predictions of a run. */
export async function savePredictions(
  folder: RunFolder,
  parts: readonly PartPredictions[],
): Promise<void> {
  await folder.writeJson(folder.predictions, parts);
}

/**
 * Reads them back.
 * @throws ConfigError when they are missing
 */
export async function readPredictions(folder: RunFolder): Promise<PartPredictions[]> {
  try {
    return JSON.parse(await readFile(folder.predictions, 'utf8')) as PartPredictions[];
  } catch (cause) {
    throw new ConfigError(
      `${folder.predictions} cannot be read; the run has not ended. Go on with it by graft fit --resume --out ${folder.path}.`,
      { path: folder.predictions, cause: String(cause) },
      'no-predictions',
    );
  }
}
