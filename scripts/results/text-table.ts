/** From runs on texts to rows, and to the table of docs/results.md. */
import { type TransferGain, transferGain } from '../../src/metrics/index.js';
import type { Cell } from './cells.js';
import type { CurvePoint } from './text-curves.js';
import type { TextSet } from './text-sets.js';
import {
  deviation,
  mean,
  type ResultRow,
  short,
  signed,
  spreadOf,
  VERDICTS,
} from './vision-table.js';

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
const seconds = (cells: readonly Cell[]) => mean(cells.map((c) => c.seconds)).toFixed(0);

function gainOf({ set, tuned, scratch }: TextComparison): TransferGain {
  return transferGain(of(tuned, set), of(scratch, set));
}

/** A row of `--json`: fine-tuned against from scratch; the frozen trunk is told of in the note. */
export function textRow(comparison: TextComparison): ResultRow {
  const { set, base, tuned, frozen, scratch } = comparison;
  const [a, b] = [of(tuned, set), of(scratch, set)];
  const { gain, low, high, verdict } = gainOf(comparison);
  return {
    name: `${set.name}, ${base}`,
    ours: mean(a),
    peer: mean(b),
    ratio: gain,
    spread: Number.isFinite(low) ? [low, high] : null,
    goal: 0,
    unit: set.metric,
    note: `peer: from scratch, same passes; ${VERDICTS[verdict]}; frozen ${spreadOf(of(frozen, set))}; deviation over seeds ${short(deviation(a))} and ${short(deviation(b))}`,
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

/** The table for people. */
export function textMarkdown(comparisons: readonly TextComparison[]): string {
  const lines = comparisons.map((comparison) => {
    const { set, base, real, tuned, frozen, scratch } = comparison;
    const { gain, low, high, verdict } = gainOf(comparison);
    const interval = Number.isFinite(low) ? ` (${signed(low)} to ${signed(high)})` : '';
    const reached = mean(of(tuned, set));
    const expected =
      set.goal === undefined || !real
        ? ''
        : `${set.goal}: ${reached >= set.goal ? 'met' : 'missed'}`;
    return [
      set.name,
      base,
      set.metric,
      spreadOf(of(tuned, set)),
      spreadOf(of(frozen, set)),
      spreadOf(of(scratch, set)),
      `${signed(gain)}${interval}`,
      VERDICTS[verdict],
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
