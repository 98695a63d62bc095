/** The end of a run in one object, and in words. */
import { relative } from 'node:path';
import type { Metrics } from '../tasks/index.js';
import type { RunFolder, RunRecord, RunResult } from './run-folder.js';

/** What `graft fit --json` ends with. */
export interface RunSummary {
  readonly task: string;
  readonly base: string;
  readonly method: string;
  /** Of the test part, or of the validation part where there is none. */
  readonly metrics: Metrics;
  /** The model that was kept. */
  readonly best: Readonly<Record<string, number>> | null;
  readonly epochs: number;
  readonly seconds: number;
  readonly parameters: { readonly total: number; readonly trainable: number };
  /** The control's scores, and what the transfer gained over it. */
  readonly control?: { readonly metrics: Metrics; readonly seconds: number };
  readonly transferGain?: number;
  readonly out: string;
}

/** The summary of a run; `at` is where an unfinished one stands. */
export function summaryOf(
  folder: RunFolder,
  { choices, result, control }: RunRecord,
  at?: { readonly epochs: number; readonly steps: number },
): RunSummary {
  const gain = gainOf(result, control);
  return {
    task: choices.task,
    base: choices.base,
    method: choices.method,
    metrics: result?.metrics ?? {},
    best: result?.best
      ? { epoch: result.best.epoch, step: result.best.step, ...result.best.metrics }
      : null,
    epochs: result?.epochs ?? at?.epochs ?? 0,
    seconds: Math.round((result?.seconds ?? 0) * 100) / 100,
    parameters: result?.parameters ?? { total: 0, trainable: 0 },
    ...(control ? { control: { metrics: control.metrics, seconds: control.seconds } } : {}),
    ...(gain === null ? {} : { transferGain: gain }),
    out: folder.path,
  };
}

/** Accuracy with the base minus accuracy of the same budget from scratch; null without a control. */
function gainOf(result: RunResult | undefined, control: RunResult | undefined): number | null {
  const [a, b] = [result?.metrics.accuracy, control?.metrics.accuracy];
  return a === undefined || b === undefined ? null : a - b;
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** Files named where all of them would be too many. */
const NAMED = 5;

/** What was left out of the data and why, for people; the first few by name. */
export function leftOutText(skipped: RunRecord['data']['skipped']): string {
  const some = skipped.slice(0, NAMED).map(({ id, reason }) => `${id}: ${reason}`);
  const more = skipped.length > NAMED ? '; ...' : '';
  return `left out ${skipped.length} file${skipped.length === 1 ? '' : 's'}: ${some.join('; ')}${more}`;
}

/** The end of a run for people. */
export function formatRun(folder: RunFolder, record: RunRecord): string {
  const { choices, data, result, control } = record;
  const here = (path: string) => relative(process.cwd(), path) || '.';
  const part = result?.test ? 'test' : 'validation';
  const samples = (result?.test ?? result?.valid)?.samples ?? 0;
  const lines = [
    `${choices.method} of ${choices.base} on ${data.train} pictures of ${data.classes.length} classes, ${result?.epochs} epochs, ${result?.seconds.toFixed(1)} s`,
  ];
  if (samples > 0) {
    const { accuracy, f1 } = result!.metrics;
    lines.push(
      `${part}: accuracy ${percent(accuracy!)}, F1 ${percent(f1!)} of ${samples} pictures`,
    );
  }
  const gain = gainOf(result, control);
  if (gain !== null) {
    const verdict = gain > 0 ? 'the transfer helped' : 'the transfer did not help';
    lines.push(
      `from scratch, same budget: accuracy ${percent(control!.metrics.accuracy!)}; transfer gain ${gain >= 0 ? '+' : ''}${(100 * gain).toFixed(1)} points: ${verdict} (one seed)`,
    );
  }
  if (data.skipped.length > 0) {
    const n = data.skipped.length;
    lines.push(`left out: ${n} file${n === 1 ? '' : 's'}, see the report`);
  }
  lines.push(`model:  ${here(folder.model)}`, `report: ${here(folder.report)}`);
  return `${lines.join('\n')}\n`;
}
