/** From a run's folder to its report. */
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import sharp from 'sharp';
import type { ImageDataset, ImageSample } from '../data/index.js';
import { readImageDataset } from '../data/index.node.js';
import type { Engine } from '../engine/index.js';
import { PIXELS } from '../models/index.js';
import { gradCam } from '../train/index.js';
import { type ReportAttention, type ReportSample, writeReport } from '../train/index.node.js';
import { loadRunModel } from './apply.js';
import { type EngineChoice, openEngine } from './engine.js';
import { imageViews } from './image-stream.js';
import { modalityOf } from './options.js';
import { type ClassPredictions, readPredictions } from './predictions.js';
import { classParts, type Judged, judged, reportFrame } from './report-parts.js';
import { RunFolder, type RunRecord } from './run-folder.js';

/** Samples shown with the highest losses, and mistakes shown with heat maps. */
const TOP_LOSSES = 24;
const MISTAKES = 8;
const THUMBNAIL = 160;

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

async function shown({ sample, ...rest }: Judged<ImageSample>): Promise<ReportSample> {
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
  mistakes: readonly Judged<ImageSample>[],
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

/** Writes `report.html` of a run that has ended. */
export async function writeRunReport(
  folder: RunFolder,
  record: RunRecord,
  context: ReportContext,
): Promise<void> {
  const parts = (await readPredictions(folder)) as ClassPredictions[];
  const part = parts.find((p) => p.part === 'test') ?? parts.find((p) => p.part === 'valid');
  const frame = reportFrame(folder, record, part?.part ?? 'valid');
  if (!part) return writeReport(folder.report, { ...frame, metrics: [] });
  const names = record.data.classes;
  const samples = part.part === 'test' ? context.dataset.test : context.dataset.valid;
  const all = judged(part, samples, names.length);
  await writeReport(folder.report, {
    ...frame,
    ...classParts(part, names, record.choices.seed),
    topLosses: await Promise.all(all.slice(0, TOP_LOSSES).map(shown)),
    attention: await attentionOf(
      folder,
      context,
      all.filter((j) => j.predicted !== j.actual),
    ),
  });
}

/**
 * Writes the report of a run anew and returns its path.
 * @throws ConfigError when the run has not ended
 */
export async function reportRun(run: string, options: EngineChoice = {}): Promise<string> {
  const folder = new RunFolder(run);
  const record = await folder.readEnded();
  const { choices } = record;
  if (modalityOf(choices.task) === 'text') {
    await (await import('./text/report.js')).rewriteTextReport(folder, record);
    return folder.report;
  }
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
