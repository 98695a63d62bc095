/** From cells to rows, and from rows to the table of docs/results.md. */
import { type TransferGain, transferGain } from '../../src/metrics/index.js';
import type { Cell } from './cells.js';
import type { Anchor, VisionSet } from './vision-sets.js';

/** A line of `--json`: ours and peer are means over seeds, ratio is ours - peer. */
export interface ResultRow {
  readonly name: string;
  readonly ours: number;
  readonly peer: number;
  readonly ratio: number;
  /** Interval of `ratio` that seeds leave; null when a side is a single figure. */
  readonly spread: readonly [number, number] | null;
  /** What `ratio` is to be at least. */
  readonly goal: number;
  readonly unit: 'accuracy' | 'auroc' | 'f1' | 'bleu' | 'rougeL' | 'perplexity';
  readonly note: string;
}

/** The runs of a set with one base, and those from random weights with the same budget. */
export interface Comparison {
  readonly set: VisionSet;
  readonly base: string;
  /** One a seed. */
  readonly transfer: readonly Cell[];
  readonly scratch: readonly Cell[];
}

type Metric = VisionSet['metrics'][number];

/** Mean of some values. */
export const mean = (values: readonly number[]) =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** Sample standard deviation; NaN for one value. */
export function deviation(values: readonly number[]): number {
  const m = mean(values);
  return Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1));
}

const of = (cells: readonly Cell[], metric: Metric) => cells.map((c) => c.metrics[metric]!);
const seconds = (cells: readonly Cell[]) => mean(cells.map((c) => c.seconds));

function gainOf({ transfer, scratch }: Comparison, metric: Metric): TransferGain {
  return transferGain(of(transfer, metric), of(scratch, metric));
}

/** What is said of a gain. */
export const VERDICTS: Readonly<Record<TransferGain['verdict'], string>> = {
  helped: 'helped',
  hurt: 'hurt',
  'within-noise': 'within the noise of seeds',
  'noise-unknown': 'one seed only',
};

/** One row a metric. */
export function rowsOf(comparison: Comparison): ResultRow[] {
  const { set, base, transfer, scratch } = comparison;
  return set.metrics.map((metric) => {
    const { gain, low, high, verdict } = gainOf(comparison, metric);
    const [a, b] = [of(transfer, metric), of(scratch, metric)];
    return {
      name: `${set.name}, ${base}${metric === 'accuracy' ? '' : `, ${metric}`}`,
      ours: mean(a),
      peer: mean(b),
      ratio: gain,
      spread: Number.isFinite(low) ? [low, high] : null,
      goal: 0,
      unit: metric,
      note: `peer: from scratch, same budget; ${VERDICTS[verdict]}; deviation over seeds ${short(deviation(a))} and ${short(deviation(b))}; ${seconds(transfer).toFixed(0)} s and ${seconds(scratch).toFixed(0)} s a run`,
    };
  });
}

/** Ours against a figure of other software. */
export function anchorRow(
  { name, accuracy, goal, note }: Anchor,
  cells: readonly Cell[],
): ResultRow {
  const ours = mean(of(cells, 'accuracy'));
  return {
    name,
    ours,
    peer: accuracy,
    ratio: ours - accuracy,
    spread: null,
    goal: goal - accuracy,
    unit: 'accuracy',
    note,
  };
}

/** Three digits behind the point. */
export const short = (x: number) => (Number.isFinite(x) ? x.toFixed(3) : 'unknown');
/** The same with its sign. */
export const signed = (x: number) => `${x >= 0 ? '+' : ''}${x.toFixed(3)}`;
/** Mean and deviation. */
export const spreadOf = (values: readonly number[]) =>
  values.length > 1 ? `${short(mean(values))} ± ${short(deviation(values))}` : short(mean(values));

/** The table for people: one line a set, base and metric. */
export function markdown(
  comparisons: readonly Comparison[],
  anchors: readonly ResultRow[],
): string {
  const lines = comparisons.flatMap((comparison) => {
    const { set, base, transfer, scratch } = comparison;
    return set.metrics.map((metric) => {
      const { gain, low, high, verdict } = gainOf(comparison, metric);
      const interval = Number.isFinite(low) ? ` (${signed(low)} to ${signed(high)})` : '';
      return [
        set.name,
        base,
        metric,
        spreadOf(of(transfer, metric)),
        spreadOf(of(scratch, metric)),
        `${signed(gain)}${interval}`,
        VERDICTS[verdict],
        `${seconds(transfer).toFixed(0)} / ${seconds(scratch).toFixed(0)}`,
      ];
    });
  });
  const table = [
    ['data', 'base', 'metric', 'with the base', 'from scratch', 'transfer gain', 'the base', 's'],
    new Array<string>(8).fill('---'),
    ...lines,
  ].map((cells) => `| ${cells.join(' | ')} |`);
  const beside = anchors.map((row) => {
    const met = row.ratio >= row.goal ? 'met' : 'missed';
    return `- ${row.name}: ours ${short(row.ours)}, peer ${short(row.peer)}; ${row.note}: ${met}`;
  });
  return [...table, ...(beside.length ? ['', ...beside] : [])].join('\n');
}
