/** The end of a run in one object, and in words. */
import { relative } from 'node:path';
import { betterThanGuessing } from '../metrics/index.js';
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
  readonly control?: {
    readonly metrics: Metrics;
    readonly seconds: number;
    /** Of a classifier; false: it learned nothing, and the gain is one over guesses. */
    readonly betterThanGuessing?: boolean;
  };
  readonly transferGain?: number;
  /** Texts that were longer than the model reads, where there are any. */
  readonly cut?: RunRecord['data']['cut'];
  /** What else there is to know of the data. */
  readonly notes?: readonly string[];
  readonly out: string;
}

/** The summary of a run; `at` is where an unfinished one stands. */
export function summaryOf(
  folder: RunFolder,
  record: RunRecord,
  at?: { readonly epochs: number; readonly steps: number },
): RunSummary {
  const { choices, data, result, control } = record;
  const gain = gainOf(record);
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
    ...(control ? { control: controlSummary(control) } : {}),
    ...(gain === null ? {} : { transferGain: gain }),
    ...(data.cut ? { cut: data.cut } : {}),
    ...(data.notes ? { notes: data.notes } : {}),
    out: folder.path,
  };
}

function controlSummary(control: RunResult): NonNullable<RunSummary['control']> {
  const { metrics, seconds } = control;
  const learned = hasLearned(control);
  return { metrics, seconds, ...(learned === null ? {} : { betterThanGuessing: learned }) };
}

/** Whether a classifier's answers are better than guesses; null for models of other tasks. */
function hasLearned({ metrics, test, valid }: RunResult): boolean | null {
  const samples = (test ?? valid)?.samples ?? 0;
  if (metrics.matthews === undefined || samples === 0) return null;
  return betterThanGuessing(metrics.matthews, samples);
}

/** What is to be said of a control that learned nothing; null of others. */
export function controlWarning({ control }: RunRecord): string | null {
  if (!control || hasLearned(control) !== false) return null;
  return 'The control learned nothing: its answers are no better than guesses, and the gain is one over guesses. It may need more passes than the base does.';
}

/** The score that counts in a run. */
export function primaryOf({ primary }: RunRecord): NonNullable<RunRecord['primary']> {
  return primary ?? { metric: 'accuracy', better: 'higher' };
}

/** How much better the base is than the same budget from scratch; null without a control. */
function gainOf(record: RunRecord): number | null {
  const { metric, better } = primaryOf(record);
  const [a, b] = [record.result?.metrics[metric], record.control?.metrics[metric]];
  if (a === undefined || b === undefined) return null;
  return better === 'higher' ? a - b : b - a;
}

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

/** Files named where all of them would be too many. */
const NAMED = 5;

/** `1 row`, `2 rows`. */
export function plural(n: number, one: string): string {
  return `${n} ${one}${n === 1 ? '' : 's'}`;
}

/** The place of a row behind the name of its file. */
const ROW = /:[^:/]+$/;

/** What was left out of some data: pictures are files, and so are texts whose file was not even opened. */
export function leftOutPiece({
  unit = 'pictures',
  skipped,
}: Pick<RunRecord['data'], 'unit' | 'skipped'>): 'file' | 'row' {
  const files =
    unit === 'pictures' || (skipped.length > 0 && !skipped.some(({ id }) => ROW.test(id)));
  return files ? 'file' : 'row';
}

/** What was left out of the data and why, for people; the first few by name. */
export function leftOutText(data: Pick<RunRecord['data'], 'unit' | 'skipped'>): string {
  const { skipped } = data;
  const some = skipped.slice(0, NAMED).map(({ id, reason }) => `${id}: ${reason}`);
  const more = skipped.length > NAMED ? '; ...' : '';
  return `left out ${plural(skipped.length, leftOutPiece(data))}: ${some.join('; ')}${more}`;
}

/** Scores that are shares, which people read in percent. */
const SHARES = new Set(['accuracy', 'f1', 'precision', 'recall', 'auroc', 'exactMatch']);
/** Scores that say most, in the order in which they are shown after the first. */
const TELLING = ['accuracy', 'f1', 'matthews', 'bleu', 'rougeL', 'perplexity'];

const NAMES: Readonly<Record<string, string>> = { f1: 'F1', bleu: 'BLEU', rougeL: 'ROUGE-L' };

/** A score with its name, shares in percent. */
export function formatScore(metric: string, value: number): string {
  const number = SHARES.has(metric) ? percent(value) : value.toFixed(value < 10 ? 3 : 1);
  return `${NAMES[metric] ?? metric} ${number}`;
}

/** The end of a run for people. */
export function formatRun(folder: RunFolder, record: RunRecord): string {
  const { choices, data, result, control } = record;
  const { metric } = primaryOf(record);
  const unit = data.unit ?? 'pictures';
  const here = (path: string) => relative(process.cwd(), path) || '.';
  const part = result?.test ? 'test' : 'validation';
  const samples = (result?.test ?? result?.valid)?.samples ?? 0;
  const classes = data.classes.length > 0 ? ` of ${data.classes.length} classes` : '';
  const lines = [
    `${choices.method} of ${choices.base} on ${data.train} ${unit}${classes}, ${plural(result?.epochs ?? 0, 'epoch')}, ${result?.seconds.toFixed(1)} s`,
  ];
  if (samples > 0) {
    const { metrics } = result!;
    const names = [metric, ...TELLING.filter((name) => name !== metric)];
    const scores = names.flatMap((n) =>
      metrics[n] === undefined ? [] : [formatScore(n, metrics[n])],
    );
    lines.push(`${part}: ${scores.slice(0, 2).join(', ')} of ${samples} ${unit}`);
  }
  const gain = gainOf(record);
  if (gain !== null) {
    const verdict = gain > 0 ? 'the transfer helped' : 'the transfer did not help';
    const size = SHARES.has(metric) ? `${(100 * gain).toFixed(1)} points` : gain.toFixed(3);
    lines.push(
      `from scratch, same budget: ${formatScore(metric, control!.metrics[metric]!)}; transfer gain ${gain >= 0 ? '+' : ''}${size}: ${verdict} (one seed)`,
    );
    const warning = controlWarning(record);
    if (warning) lines.push(warning);
  }
  if (data.skipped.length > 0) {
    lines.push(`left out: ${plural(data.skipped.length, leftOutPiece(data))}, see the report`);
  }
  lines.push(...(data.notes ?? []));
  lines.push(`model:  ${here(folder.model)}`, `report: ${here(folder.report)}`);
  return `${lines.join('\n')}\n`;
}
