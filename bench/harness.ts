/** Runs our side and a peer in turn, and turns their times into rows of a table. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

/** A line of the table; `ratio` is peer / ours, so that more is better for us. */
export interface Row {
  readonly name: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly ratio: number | null;
  /** Least and greatest ratio of a pair of neighbouring measurements. */
  readonly spread: readonly [number, number] | null;
  readonly goal: number;
  readonly unit: 'ms' | 'MiB' | 's';
  readonly note: string;
}

/** What every benchmark of this folder understands on its command line. */
export interface BenchOptions {
  readonly json: boolean;
  readonly write: boolean;
  /** Only rows whose name contains this. */
  readonly only: string;
}

export function benchOptions(args: readonly string[]): BenchOptions {
  const at = args.indexOf('--only');
  const only = at >= 0 ? args[at + 1] : '';
  const known = new Set(['--json', '--write', '--only']);
  const stray = args.find((a, i) => !known.has(a) && i !== at + 1);
  if (only === undefined || (stray !== undefined && at !== args.indexOf(stray) - 1)) {
    throw new Error(
      `Usage: [--json] [--write] [--only NAME]; did not understand '${stray ?? '--only'}'.`,
    );
  }
  return { json: args.includes('--json'), write: args.includes('--write'), only };
}

const milliseconds = () => Number(process.hrtime.bigint()) / 1e6;

/** What is measured: ours, or a row that a peer has prepared. */
export interface Side {
  /** Milliseconds a call. */
  time(calls: number): Promise<number>;
}

/** A side in this process. */
export function sideOf(run: () => Promise<unknown>): Side {
  return {
    async time(calls) {
      const start = milliseconds();
      for (let i = 0; i < calls; i++) await run();
      return (milliseconds() - start) / calls;
    },
  };
}

/** The middle value, or the mean of the two in the middle. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** How long a measurement of either side should take at least, so that timer and start do not count. */
const TURN_MS = 60;

/** What a row is called and held to. */
export interface RowHead {
  readonly name: string;
  readonly goal: number;
  readonly note?: string | undefined;
}

/**
 * Measures both sides in turn, ours first in one pair and last in the next.
 * @param pairs how many times each side is measured
 * @param calls in a measurement; absent: after a warm-up, as many as fill a turn
 */
export async function duel(
  { name, goal, note = '' }: RowHead,
  ours: Side,
  theirs: Side,
  { pairs = 7, calls }: { readonly pairs?: number; readonly calls?: number } = {},
): Promise<Row> {
  const fill = async (side: Side) =>
    calls ?? Math.min(200, Math.max(1, Math.round(TURN_MS / (await side.time(1)))));
  if (calls === undefined) await ours.time(1);
  const [oursCalls, theirCalls] = [await fill(ours), await fill(theirs)];
  const times: [number, number][] = [];
  for (let i = 0; i < pairs; i++) {
    if (i % 2) {
      const t = await theirs.time(theirCalls);
      times.push([await ours.time(oursCalls), t]);
    } else times.push([await ours.time(oursCalls), await theirs.time(theirCalls)]);
  }
  const ratios = times.map(([o, t]) => t / o);
  return {
    name,
    ours: median(times.map(([o]) => o)),
    peer: median(times.map(([, t]) => t)),
    ratio: median(ratios),
    spread: [Math.min(...ratios), Math.max(...ratios)],
    goal,
    unit: 'ms',
    note,
  };
}

const short = (x: number) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2));

/** The rows as a Markdown table. */
export function markdown(rows: readonly Row[]): string {
  const lines = rows.map((r) => {
    const spread = r.spread ? `${short(r.spread[0])}-${short(r.spread[1])}` : '';
    const met = r.ratio === null || r.ratio >= r.goal ? '' : 'below';
    const peer = r.peer === null ? '' : short(r.peer);
    const ratio = r.ratio === null ? '' : r.ratio.toFixed(2);
    return `| ${[r.name, short(r.ours), peer, r.unit, ratio, spread, String(r.goal), met, r.note].join(' | ')} |`;
  });
  return [
    '| row | ours | peer | unit | ratio | spread | goal | | note |',
    '|---|---|---|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}

/**
 * Rows measured so far, the newest of each name, so that a long table can be made in several goes.
 * @param file where they are kept between runs
 */
export function keepRows(file: URL, rows: readonly Row[]): Row[] {
  const before: Row[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const all = new Map([...before, ...rows].map((row) => [row.name, row] as const));
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, JSON.stringify([...all.values()], null, 1));
  return [...all.values()];
}

/** Replaces what stands between the two markers of a generated part. */
export function writeTable(file: URL, part: string, content: string): void {
  const begin = `<!-- ${part}: generated by --write -->`;
  const end = `<!-- end of ${part} -->`;
  const text = readFileSync(file, 'utf8');
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file.pathname} lacks the markers of '${part}'.`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`);
}

/** Where a benchmark's rows go. */
export interface TableOptions {
  readonly options: BenchOptions;
  /** File that keeps rows between runs. */
  readonly kept: URL;
  /** Part of NOTES.md, see {@link writeTable}. */
  readonly part: string;
  /** Names of all rows, in the order of the table. */
  readonly order: readonly string[];
}

const NOTES = new URL('./NOTES.md', import.meta.url);

/** Shows rows as they come, keeps them, and writes the table at the end. */
export class Table {
  private readonly rows: Row[] = [];
  private readonly options: TableOptions;

  constructor(options: TableOptions) {
    this.options = options;
  }

  /** Whether a row was asked for: by a part of its name, or alone by all of it. */
  wants(name: string): boolean {
    const only = this.options.options.only.toLowerCase();
    const whole = this.options.order.some((n) => n.toLowerCase() === only);
    return whole ? name.toLowerCase() === only : name.toLowerCase().includes(only);
  }

  add(row: Row): void {
    this.rows.push(row);
    keepRows(this.options.kept, [row]);
    if (this.options.options.json) console.error(row.name);
    else console.log(markdown([row]).split('\n').at(-1));
  }

  /** @param title what was measured against what, above the table */
  finish(title: string): void {
    const { options, kept, part, order } = this.options;
    if (options.write) {
      const date = new Date().toISOString().slice(0, 10);
      const known = keepRows(kept, []);
      const ordered = order.flatMap((name) => known.filter((r) => r.name === name));
      writeTable(NOTES, part, `${title}, ${date}.\n\n${markdown(ordered)}`);
    }
    if (options.json) console.log(JSON.stringify({ rows: this.rows }));
  }
}
