/** From runs on texts to rows, and to the table of docs/results.md. */
import { betterThanGuessing, type TransferGain, transferGain } from '../../src/metrics/index.js';
import { ROUGES } from './abstracts.js';
import type { Cell } from './cells.js';
import type { CurvePoint } from './text-curves.js';
import { SEEDS, type TextSet } from './text-sets.js';
import type { SummaryResult } from './text-summaries.js';
import type { WayResult } from './text-ways.js';
import { deviation, mean, type ResultRow, signed, spreadOf, VERDICTS } from './vision-table.js';

/** All runs of a set with one base. */
export interface TextComparison {
  readonly set: TextSet;
  readonly base: string;
  /** Whether `goal` of the set is asked of this base. */
  readonly real: boolean;
  readonly tuned: readonly Cell[];
  readonly frozen: readonly Cell[];
  readonly scratch: readonly Cell[];
}

const of = (cells: readonly Cell[], { metric }: TextSet) => cells.map((c) => c.metrics[metric]!);
const MISSING = '-';
const seconds = (cells: readonly Cell[]) =>
  cells.length ? mean(cells.map((c) => c.seconds)).toFixed(0) : MISSING;

/** Null without a control. */
function gainOf({ set, tuned, scratch }: TextComparison): TransferGain | null {
  return scratch.length ? transferGain(of(tuned, set), of(scratch, set)) : null;
}

/** Mean and deviation, and the number of seeds where it is not that of the others. */
function shown(cells: readonly Cell[], set: TextSet): string {
  if (cells.length === 0) return MISSING;
  const values = of(cells, set);
  const few =
    cells.length < SEEDS.length ? `, ${cells.length} seed${cells.length > 1 ? 's' : ''}` : '';
  return `${cells.length > 1 ? spreadOf(values) : values[0]!.toFixed(3)}${few}${guessing(cells, set)}`;
}

/** How many of the models do no better than guesses. */
function guessing(cells: readonly Cell[], { tested }: TextSet): string {
  if (tested === undefined) return '';
  const guess = ({ metrics: { matthews } }: Cell) =>
    matthews !== undefined && !betterThanGuessing(matthews, tested);
  const count = cells.filter(guess).length;
  return count > 0 ? `, ${count} learned nothing` : '';
}

/** A row of `--json`; peer and ratio are null without a control. */
export type TextRow = Omit<ResultRow, 'peer' | 'ratio'> & {
  readonly peer: number | null;
  readonly ratio: number | null;
};

/** A row of `--json`: fine-tuned against from scratch; the frozen trunk is told of in the note. */
export function textRow(comparison: TextComparison): TextRow {
  const { set, base, tuned, frozen, scratch } = comparison;
  const gain = gainOf(comparison);
  const spread = gain && Number.isFinite(gain.low) ? ([gain.low, gain.high] as const) : null;
  const verdict = gain ? VERDICTS[gain.verdict] : 'no control yet';
  return {
    name: `${set.name}, ${base}`,
    ours: mean(of(tuned, set)),
    peer: gain ? mean(of(scratch, set)) : null,
    ratio: gain ? gain.gain : null,
    spread,
    goal: 0,
    unit: set.metric,
    note: `peer: from scratch, same passes; ${verdict}; tuned ${shown(tuned, set)}; frozen ${shown(frozen, set)}; from scratch ${shown(scratch, set)}`,
  };
}

/** A row of `--json` for a point of a curve. */
export function curveRow({ curve, samples, transfer, scratch }: CurvePoint): ResultRow {
  const values = (cells: readonly Cell[]) => cells.map((c) => c.metrics[curve.metric]!);
  const [a, b] = [values(transfer), values(scratch)];
  const { gain, low, high, verdict } = curveGain(a, b, curve.better);
  return {
    name: `${curve.name}, ${samples} samples`,
    ours: mean(a),
    peer: mean(b),
    ratio: gain,
    spread: Number.isFinite(low) ? [low, high] : null,
    goal: 0,
    unit: curve.metric as ResultRow['unit'],
    note: `peer: from scratch, same passes; ${VERDICTS[verdict]}`,
  };
}

/** A gain above zero is always for the source. */
function curveGain(a: readonly number[], b: readonly number[], better: 'higher' | 'lower') {
  return better === 'higher' ? transferGain(a, b) : transferGain(b, a);
}

/** Curves for people: a line a number of samples. */
export function curveMarkdown(points: readonly CurvePoint[]): string {
  const lines = points.map((point) => {
    const { curve, samples, transfer, scratch } = point;
    const values = (cells: readonly Cell[]) => cells.map((c) => c.metrics[curve.metric]!);
    const [a, b] = [values(transfer), values(scratch)];
    const { verdict } = curveGain(a, b, curve.better);
    const digits = (v: readonly number[]) =>
      `${mean(v).toFixed(1)}${v.length > 1 ? ` ± ${deviation(v).toFixed(1)}` : ''}`;
    return [
      curve.name,
      `${samples}`,
      curve.metric,
      digits(a),
      digits(b),
      VERDICTS[verdict],
      `${seconds(transfer)} / ${seconds(scratch)}`,
    ];
  });
  return [
    ['transfer', 'samples', 'metric', 'after the source', 'from scratch', 'the source', 's'],
    new Array<string>(7).fill('---'),
    ...lines,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** ROUGE of summaries for people. */
export function summaryMarkdown({ lead, cells, tuned, scratch }: SummaryResult): string {
  const line = (what: string, runs: readonly Cell[]) => {
    if (runs.length === 0) return [];
    const scores = ROUGES.map((name) => {
      const values = runs.map((c) => c.metrics[name]!);
      return runs.length > 1 ? spreadOf(values) : values[0]!.toFixed(3);
    });
    return [[what, ...scores, `${runs.length}`, seconds(runs)]];
  };
  const lines = [
    ['the first sentence', ...ROUGES.map((name) => lead[name].toFixed(3)), '-', '-'],
    ...line('a sentence picked by all-MiniLM-L6-v2, fine-tuned', tuned),
    ...line('a sentence picked by the same network from random weights', scratch),
    ...line('written by a small encoder-decoder from random weights', cells),
  ];
  return [['scitldr', ...ROUGES, 'seeds', 's'], new Array<string>(6).fill('---'), ...lines]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

/** Ways of tuning for people, each against plain fine-tuning. */
export function waysMarkdown(ways: readonly WayResult[]): string {
  const lines = ways.map(({ set, name, cells, plain }) => {
    const gain = plain ? transferGain(of(cells, set), of(plain, set)) : null;
    return [
      `${set.name}, ${name}`,
      set.metric,
      shown(cells, set),
      gain ? signed(gain.gain) : MISSING,
      gain ? VERDICTS[gain.verdict] : MISSING,
      seconds(cells),
    ];
  });
  return [
    ['way', 'metric', 'reached', 'gain over plain', 'it', 's'],
    new Array<string>(6).fill('---'),
    ...lines,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** The table for people. */
export function textMarkdown(comparisons: readonly TextComparison[]): string {
  const lines = comparisons.map((comparison) => {
    const { set, base, real, tuned, frozen, scratch } = comparison;
    const gain = gainOf(comparison);
    const interval =
      gain && Number.isFinite(gain.low) ? ` (${signed(gain.low)} to ${signed(gain.high)})` : '';
    const reached = mean(of(tuned, set));
    const expected =
      set.goal === undefined || !real
        ? ''
        : `${set.goal}: ${reached >= set.goal ? 'met' : 'missed'}`;
    return [
      set.name,
      base,
      set.metric,
      shown(tuned, set),
      shown(frozen, set),
      shown(scratch, set),
      gain ? `${signed(gain.gain)}${interval}` : MISSING,
      gain ? VERDICTS[gain.verdict] : MISSING,
      expected,
      `${seconds(tuned)} / ${seconds(frozen)} / ${seconds(scratch)}`,
    ];
  });
  return [
    [
      'data',
      'base',
      'metric',
      'fine-tuned',
      'frozen trunk',
      'from scratch',
      'transfer gain',
      'the base',
      'expected',
      's',
    ],
    new Array<string>(10).fill('---'),
    ...lines,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
