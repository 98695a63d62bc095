/** Numbers and names as a report writes them. */

/** Stands where there is no number. */
export const MISSING = '–';

/** What the metrics are called on paper; others keep their names. */
const LABELS: Readonly<Record<string, string>> = {
  accuracy: 'Accuracy',
  top5: 'Top-5 accuracy',
  balancedAccuracy: 'Balanced accuracy',
  precision: 'Precision',
  recall: 'Recall',
  f1: 'F1',
  macroF1: 'F1 (macro)',
  f1Weighted: 'F1 (weighted)',
  exactMatch: 'Exact match',
  pearson: "Pearson's correlation",
  spearman: "Spearman's correlation",
  mse: 'Mean squared error',
  perplexity: 'Perplexity',
  auroc: 'AUROC',
  averagePrecision: 'Average precision',
  matthews: 'Matthews correlation',
  logLoss: 'Log loss',
  brier: 'Brier score',
  calibrationError: 'Calibration error',
  loss: 'Loss',
  lr: 'Learning rate',
};

/** Metrics that are a mean, or a count over all, of something. */
const AVERAGED: ReadonlySet<string> = new Set(['precision', 'recall', 'f1']);

/**
 * What `precision`, `recall` and `f1` of a task are over: `macro` is the mean of the classes, `micro` all decisions
 * together; undefined for other metrics, and where nothing is averaged.
 * @param names of all metrics of the result
 */
export function averageOf(
  name: string,
  task: string,
  names: readonly string[],
): string | undefined {
  if (!AVERAGED.has(name)) return undefined;
  if (task === 'token-classification') return 'entities, micro';
  if (task === 'question-answering') return 'words of the answers';
  return names.includes('macroF1') ? 'micro' : 'macro';
}

/** Names metrics of a result for people. */
export type Naming = (name: string) => string;

/** How the metrics of a task are named. @param names of all metrics of the result */
export function namingOf(task: string, names: readonly string[]): Naming {
  return (name) => {
    const label = Object.hasOwn(LABELS, name) ? LABELS[name]! : name;
    const average = averageOf(name, task, names);
    return average === undefined ? label : `${label} (${average})`;
  };
}

/** Where a number may be missing: data kept as JSON has null for NaN. */
type MaybeNumber = number | null | undefined;

function isNumber(value: MaybeNumber): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** A proper minus sign, as wide as a plus. */
function minus(text: string): string {
  return text.replace('-', '−');
}

/** A metric with three decimals; very large and very small ones with three digits. */
export function metric(value: MaybeNumber): string {
  if (!isNumber(value)) return MISSING;
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 5e-4)) return minus(value.toPrecision(3));
  return minus(value.toFixed(size < 1000 ? 3 : 0));
}

/** A difference, with its sign. */
export function signed(value: number): string {
  return value > 0 ? `+${metric(value)}` : metric(value);
}

/** A share as per cent: `98.2 %`. */
export function percent(share: MaybeNumber): string {
  return isNumber(share) ? `${(share * 100).toFixed(share >= 0.9995 ? 0 : 1)} %` : MISSING;
}

/** A count with narrow spaces between thousands, where no line breaks; weights may have decimals. */
export function count(value: MaybeNumber): string {
  if (!isNumber(value)) return MISSING;
  const text = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return minus(text.replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f'));
}

/** `1 picture`, `2 pictures`. */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`;
}

/** Seconds for people: `0.8 s`, `42 s`, `12 min 7 s`, `3 h 5 min`. */
export function duration(seconds: MaybeNumber): string {
  if (!isNumber(seconds)) return MISSING;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  const m = Math.round(s / 60);
  return `${Math.floor(m / 60)} h ${m % 60} min`;
}

/** Bytes for people, in powers of 1024: `1.6 GiB`. */
export function bytes(value: MaybeNumber): string {
  if (!isNumber(value)) return MISSING;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(
    Math.max(0, Math.floor(Math.log2(Math.max(value, 1)) / 10)),
    units.length - 1,
  );
  return `${(value / 1024 ** power).toFixed(power > 1 ? 1 : 0)} ${units[power]}`;
}

/** A point in time, to the minute, as UTC: `2026-03-01 14:05 UTC`; what is no time stays as it is. */
export function moment(iso: string): string {
  const at = new Date(iso);
  return Number.isNaN(at.getTime())
    ? iso
    : `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
