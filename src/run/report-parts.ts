/** What reports of all kinds of runs have in common. */
import { basename } from 'node:path';
import {
  accuracy,
  bootstrapInterval,
  classScores,
  confusionMatrix,
  expectedCalibrationError,
  reliability,
} from '../metrics/index.js';
import { type ReportData, readMetricsLog } from '../train/index.node.js';
import { KeyedRandom } from '../util/index.js';
import type { ClassPredictions } from './predictions.js';
import type { RunFolder, RunRecord } from './run-folder.js';
import { controlWarning, leftOutPiece, plural, primaryOf } from './summary.js';

/** Chance that the interval of the accuracy covers the truth. */
const LEVEL = 0.95;

/** A sample that was classified, and what that cost. */
export interface Judged<S> {
  readonly sample: S | undefined;
  readonly id: string;
  readonly actual: number;
  readonly predicted: number;
  readonly probability: number;
  readonly actualProbability: number;
  readonly loss: number;
}

/** Every sample of a part with its loss, worst first. */
export function judged<S extends { readonly id: string }>(
  { ids, labels, probabilities }: ClassPredictions,
  samples: readonly S[],
  classes: number,
): Judged<S>[] {
  const places = new Map(samples.map((s, i) => [s.id, i]));
  return ids
    .map((id, i) => {
      const row = probabilities.slice(i * classes, (i + 1) * classes);
      const actual = labels[i]!;
      const predicted = row.indexOf(Math.max(...row));
      const actualProbability = row[actual]!;
      return {
        // Few of them are shown, and those of large sets lie on disk.
        get sample() {
          return samples[places.get(id) ?? -1];
        },
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

function comparisonOf(record: RunRecord): Partial<Pick<ReportData, 'comparison'>> {
  const { choices, data, result, control } = record;
  const { metric, better } = primaryOf(record);
  const [transfer, scratch] = [result?.metrics[metric], control?.metrics[metric]];
  if (transfer === undefined || scratch === undefined) return {};
  const note = controlWarning(record);
  return {
    comparison: {
      metric,
      higherIsBetter: better === 'higher',
      transfer: [transfer],
      scratch: [scratch],
      budget: `${plural(choices.epochs, 'epoch')} of ${data.train} ${data.unit ?? 'pictures'}, one seed`,
      ...(note ? { note } : {}),
    },
  };
}

function settingsOf({ choices }: RunRecord): Record<string, string | number | boolean> {
  const { data: _, task: __, base: ___, method: ____, ...settings } = choices;
  return Object.fromEntries(
    Object.entries(settings).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  ) as Record<string, string | number | boolean>;
}

/** Everything of a report but what is known of single samples. */
export function reportFrame(folder: RunFolder, record: RunRecord, split: string): ReportData {
  const { choices, data, result } = record;
  const { metric } = primaryOf(record);
  const metrics = Object.entries(result!.metrics).map(([name, value]) => ({ name, value }));
  return {
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
        piece: leftOutPiece(data),
      },
      parameters: result!.parameters,
      settings: settingsOf(record),
      versions: { graftml: record.graft, node: String(record.machine.node) },
    },
    // The score that counts is shown large.
    metrics: metrics.sort((a, b) => Number(b.name === metric) - Number(a.name === metric)),
    split,
    log: readMetricsLog(folder.log),
    skipped: data.skipped,
    ...(data.notes ? { notes: data.notes } : {}),
    timing: { seconds: result!.seconds },
    ...(result!.best ? { best: { step: result!.best.step, epoch: result!.best.epoch } } : {}),
    ...comparisonOf(record),
  };
}

/** What is known of a classifier: scores with an interval, confusions, classes, calibration. */
export function classParts(
  part: ClassPredictions,
  names: readonly string[],
  seed: number,
): Pick<ReportData, 'metrics' | 'classes' | 'calibration'> {
  const predictions = {
    probabilities: Float32Array.from(part.probabilities),
    labels: part.labels,
    classes: names.length,
  };
  const matrix = confusionMatrix(predictions);
  const interval = bootstrapInterval(accuracy, predictions, {
    random: KeyedRandom.of(seed).fold('bootstrap'),
    level: LEVEL,
  });
  return {
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
  };
}
