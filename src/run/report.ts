/** From a run's folder to its report. */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import sharp from 'sharp';
import type { ImageDataset, ImageSample } from '../data/index.js';
import { readImageDataset } from '../data/index.node.js';
import type { Engine } from '../engine/index.js';
import {
  accuracy,
  bootstrapInterval,
  classScores,
  confusionMatrix,
  expectedCalibrationError,
  reliability,
} from '../metrics/index.js';
import { PIXELS } from '../models/index.js';
import { gradCam } from '../train/index.js';
import {
  type ReportAttention,
  type ReportData,
  type ReportSample,
  readMetricsLog,
  writeReport,
} from '../train/index.node.js';
import { KeyedRandom } from '../util/index.js';
import { loadRunModel } from './apply.js';
import { type EngineChoice, openEngine } from './engine.js';
import { imageViews } from './image-stream.js';
import { type PartPredictions, readPredictions } from './predictions.js';
import { RunFolder, type RunRecord } from './run-folder.js';

/** Samples shown with the highest losses, and mistakes shown with heat maps. */
const TOP_LOSSES = 24;
const MISTAKES = 8;
const THUMBNAIL = 160;
/** Chance that the interval of the accuracy covers the truth. */
const LEVEL = 0.95;

/** A small JPEG of a picture in the page itself; undefined when it cannot be read any more. */
async function thumbnail(file: string): Promise<string | undefined> {
  try {
    const bytes = await sharp(file)
      .rotate()
      .resize(THUMBNAIL, THUMBNAIL, { fit: 'cover' })
      .flatten({ background: '#fff' })
      .jpeg({ quality: 80 })
      .toBuffer();
    return `data:image/jpeg;base64,${bytes.toString('base64')}`;
  } catch {
    return undefined;
  }
}

interface Judged {
  readonly sample: ImageSample | undefined;
  readonly id: string;
  readonly actual: number;
  readonly predicted: number;
  readonly probability: number;
  readonly actualProbability: number;
  readonly loss: number;
}

/** Every sample of a part with its loss, worst first. */
function judged(
  { ids, labels, probabilities }: PartPredictions,
  samples: readonly ImageSample[],
  classes: number,
): Judged[] {
  const byId = new Map(samples.map((s) => [s.id, s]));
  return ids
    .map((id, i) => {
      const row = probabilities.slice(i * classes, (i + 1) * classes);
      const actual = labels[i]!;
      const predicted = row.indexOf(Math.max(...row));
      const actualProbability = row[actual]!;
      return {
        sample: byId.get(id),
        id,
        actual,
        predicted,
        probability: row[predicted]!,
        actualProbability,
        loss: -Math.log(Math.max(actualProbability, 1e-30)),
      };
    })
    .sort((a, b) => b.loss - a.loss);
}

async function shown({ sample, ...rest }: Judged): Promise<ReportSample> {
  const picture = sample && (await thumbnail(sample.file));
  return { ...rest, ...(picture ? { thumbnail: picture } : {}) };
}

/** What the report needs beside the files of the run. */
export interface ReportContext {
  readonly engine: Engine;
  readonly dataset: ImageDataset;
}

async function attentionOf(
  folder: RunFolder,
  { engine }: ReportContext,
  mistakes: readonly Judged[],
): Promise<ReportAttention[]> {
  const found = mistakes.filter((m) => m.sample).slice(0, MISTAKES);
  if (found.length === 0) return [];
  const loaded = await loadRunModel(engine, folder.path);
  const [view] = imageViews(
    found.map((m) => m.sample!),
    loaded,
    { batch: found.length, tta: false },
  );
  const list: ReportAttention[] = [];
  try {
    for await (const { feeds } of view!.read({ epoch: 0, training: false })) {
      const pixels = feeds[PIXELS]!;
      const cam = await gradCam(
        engine,
        loaded.model,
        loaded.weights,
        pixels.shape,
        loaded.config.labels.length,
      );
      const heats = await cam(
        pixels,
        found.map((m) => m.predicted),
      );
      for (const [i, mistake] of found.entries()) {
        const { height, width, heat } = heats[i]!;
        const { thumbnail: picture, ...rest } = await shown(mistake);
        if (picture)
          list.push({ ...rest, thumbnail: picture, heat: { height, width, values: heat } });
      }
    }
  } finally {
    await view!.close();
  }
  return list;
}

function comparisonOf({
  choices,
  data,
  result,
  control,
}: RunRecord): Partial<Pick<ReportData, 'comparison'>> {
  if (!result || !control) return {};
  return {
    comparison: {
      metric: 'accuracy',
      higherIsBetter: true,
      transfer: [result.metrics.accuracy!],
      scratch: [control.metrics.accuracy!],
      budget: `${choices.epochs} epochs of ${data.train} pictures, one seed`,
    },
  };
}

/** Writes `report.html` of a run that has ended. */
export async function writeRunReport(
  folder: RunFolder,
  record: RunRecord,
  context: ReportContext,
): Promise<void> {
  const { choices, data, result } = record;
  const parts = await readPredictions(folder);
  const part = parts.find((p) => p.part === 'test') ?? parts.find((p) => p.part === 'valid');
  const names = data.classes;
  const base: ReportData = {
    title: `${basename(choices.data)}: ${choices.method}`,
    created: new Date().toISOString(),
    run: {
      task: choices.task,
      command: record.command,
      seed: choices.seed,
      base: choices.base,
      method: choices.method,
      device: `${record.machine.device}, ${record.machine.threads} threads`,
      data: {
        path: choices.data,
        split: data.split,
        counts: { train: data.train, valid: data.valid, test: data.test },
      },
      parameters: result!.parameters,
      settings: settingsOf(record),
      versions: { graftml: record.graft, node: String(record.machine.node) },
    },
    metrics: [],
    split: part?.part ?? 'valid',
    log: readMetricsLog(folder.log),
    skipped: data.skipped,
    timing: { seconds: result!.seconds },
    ...(result!.best ? { best: { step: result!.best.step, epoch: result!.best.epoch } } : {}),
    ...comparisonOf(record),
  };
  if (!part) return writeReport(folder.report, base);
  const predictions = {
    probabilities: Float32Array.from(part.probabilities),
    labels: part.labels,
    classes: names.length,
  };
  const matrix = confusionMatrix(predictions);
  const samples = part.part === 'test' ? context.dataset.test : context.dataset.valid;
  const all = judged(part, samples, names.length);
  const interval = bootstrapInterval(accuracy, predictions, {
    random: KeyedRandom.of(choices.seed).fold('bootstrap'),
    level: LEVEL,
  });
  await writeReport(folder.report, {
    ...base,
    metrics: Object.entries(part.result.metrics).map(([name, value]) => ({
      name,
      value,
      ...(name === 'accuracy' ? { interval: { ...interval, level: LEVEL } } : {}),
    })),
    classes: { names, confusion: [...matrix.counts], scores: classScores(matrix) },
    calibration: {
      bins: reliability(predictions),
      error: expectedCalibrationError(predictions),
    },
    topLosses: await Promise.all(all.slice(0, TOP_LOSSES).map(shown)),
    attention: await attentionOf(
      folder,
      context,
      all.filter((j) => j.predicted !== j.actual),
    ),
  });
}

function settingsOf({ choices }: RunRecord): Record<string, string | number | boolean> {
  const { data: _, task: __, base: ___, method: ____, ...settings } = choices;
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  ) as Record<string, string | number | boolean>;
}

/** Writes the report of a run anew and returns its path. */
export async function reportRun(run: string, options: EngineChoice = {}): Promise<string> {
  const folder = new RunFolder(run);
  const record = await folder.read();
  const { choices } = record;
  const there = await stat(choices.data).catch(() => null);
  const empty = {
    root: choices.data,
    classes: record.data.classes,
    train: [],
    valid: [],
    test: [],
    skipped: [],
    split: '',
  };
  const dataset: ImageDataset = there
    ? await readImageDataset(choices.data, {
        ...(choices.valid === undefined ? {} : { valid: choices.valid }),
        seed: choices.seed,
      })
    : // Scores and curves need no pictures.
      empty;
  const engine = await openEngine({ threads: availableParallelism(), ...options });
  await writeRunReport(folder, record, { engine, dataset });
  return folder.report;
}
