/** From the lines of a log to what charts draw. */
import type { LogRecord } from '../metrics-log.js';
import { type Naming, namingOf } from './format.js';

/** One line of a chart; the three lists have the same length, in the order of the steps. */
export interface ChartSeries {
  /** `train`, `valid`, or the name of a parameter group. */
  readonly name: string;
  readonly steps: readonly number[];
  readonly epochs: readonly number[];
  /** Null where the value was no finite number: the line has a gap there. */
  readonly values: readonly (number | null)[];
}

/** One chart. */
export interface Chart {
  readonly name: string;
  readonly title: string;
  readonly series: readonly ChartSeries[];
}

/** Where a part of the method began. */
export interface PhaseMark {
  readonly name: string;
  readonly step: number;
  readonly epoch: number;
}

/** More points than a screen has columns say nothing, and make the file large. */
const MAX_POINTS = 1200;

interface Point {
  readonly step: number;
  readonly epoch: number;
  readonly value: number;
}

/** Neighbours averaged until at most `MAX_POINTS` are left. */
function thinned(points: readonly Point[]): readonly Point[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const mean = group.reduce((sum, p) => sum + p.value, 0) / group.length;
    return { ...group.at(-1)!, value: mean };
  });
}

/** Six digits are more than a chart shows. */
const rounded = (x: number) => (Number.isFinite(x) ? Number(x.toPrecision(6)) : null);

function seriesOf(name: string, points: readonly Point[]): ChartSeries {
  const kept = thinned(points.toSorted((a, b) => a.step - b.step));
  return {
    name,
    steps: kept.map((p) => p.step),
    epochs: kept.map((p) => rounded(p.epoch) ?? 0),
    values: kept.map((p) => rounded(p.value)),
  };
}

/** The chart that a value belongs to and its line there: rates of all groups share one. */
function placeOf(name: string, split: string): readonly [chart: string, series: string] {
  if (name === 'lr') return ['lr', 'all'];
  if (name.startsWith('lr.')) return ['lr', name.slice(3)];
  return [name, split];
}

/**
 * Training logs its loss, an evaluation the log loss among its metrics. Only side by side do they
 * show overfitting, so the second joins the chart of the first where that has no line for its split.
 */
function joinLogLoss(charts: Map<string, Map<string, Point[]>>): void {
  const loss = charts.get('loss');
  const other = charts.get('logLoss');
  if (!loss || !other || [...other.keys()].some((split) => loss.has(split))) return;
  for (const [split, points] of other) loss.set(`${split}, log loss`, points);
  charts.delete('logLoss');
}

/**
 * One chart a value: those of `first` lead, the learning rate comes last, the others between in the
 * order in which they were logged.
 */
export function chartsOf(
  log: readonly LogRecord[],
  first: readonly string[] = [],
  labelOf: Naming = namingOf('', []),
): Chart[] {
  const charts = new Map<string, Map<string, Point[]>>();
  for (const { step, epoch, split, values } of log) {
    for (const [name, value] of Object.entries(values)) {
      const [chart, series] = placeOf(name, split);
      if (!charts.has(chart)) charts.set(chart, new Map());
      const lines = charts.get(chart)!;
      if (!lines.has(series)) lines.set(series, []);
      lines.get(series)!.push({ step, epoch, value });
    }
  }
  joinLogLoss(charts);
  const rank = (name: string) =>
    first.includes(name) ? first.indexOf(name) : name === 'lr' ? first.length + 1 : first.length;
  return [...charts]
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([name, lines]) => ({
      name,
      title: labelOf(name),
      series: [...lines].map(([series, points]) => seriesOf(series, points)),
    }));
}

/** Where each phase of a log begins. */
export function phasesOf(log: readonly LogRecord[]): PhaseMark[] {
  const marks: PhaseMark[] = [];
  for (const { phase, step, epoch } of log.toSorted((a, b) => a.step - b.step)) {
    if (!marks.some((m) => m.name === phase)) marks.push({ name: phase, step, epoch });
  }
  return marks;
}
