/** Runs our side and a peer in turn, and turns their times into rows of a table. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

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

function findPython(): string {
  const candidates = process.env.GRAFT_PYTHON ? [process.env.GRAFT_PYTHON] : ['python3', 'python'];
  for (const python of candidates) {
    try {
      execFileSync(python, ['-c', 'import torch'], { stdio: 'ignore' });
      return python;
    } catch {
      // Not there, or without torch: the next one.
    }
  }
  throw new Error(
    `The peer needs a Python with PyTorch (pip install torch); tried ${candidates.join(', ')}. Set GRAFT_PYTHON to one that has it.`,
  );
}

/** A peer's process: it prepares rows, and runs them when asked, so that nothing else runs beside ours. */
export class Peer {
  readonly version: string;
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly replies: AsyncIterator<string>;

  private constructor(
    child: ChildProcessByStdio<Writable, Readable, null>,
    replies: AsyncIterator<string>,
    version: string,
  ) {
    this.child = child;
    this.replies = replies;
    this.version = version;
  }

  /** Starts `script` with a Python that has PyTorch. */
  static async start(script: URL): Promise<Peer> {
    const child = spawn(findPython(), [script.pathname], { stdio: ['pipe', 'pipe', 'inherit'] });
    const replies = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const hello = await replies.next();
    if (hello.done) throw new Error('The peer ended before it said hello.');
    return new Peer(child, replies, JSON.parse(hello.value).version);
  }

  private async ask(request: object): Promise<{ seconds: number }> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const reply = await this.replies.next();
    if (reply.done) throw new Error('The peer ended; its message is above.');
    return JSON.parse(reply.value);
  }

  async prepare(row: string): Promise<void> {
    await this.ask({ do: 'prepare', row });
  }

  async drop(row: string): Promise<void> {
    await this.ask({ do: 'drop', row });
  }

  /** Milliseconds a call. */
  async time(row: string, calls: number): Promise<number> {
    return ((await this.ask({ do: 'time', row, calls })).seconds * 1000) / calls;
  }

  stop(): void {
    this.child.stdin.end();
  }
}

/** Peak resident memory of a process of its own, in MiB: it prints `{"mib": n}` last. */
export function peakOf(command: string, args: readonly string[]): number {
  const out = execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 24 });
  return JSON.parse(out.trim().split('\n').at(-1)!).mib;
}

/** Peak memory of a peer's row. */
export function peerPeak(script: URL, row: string, calls: number): number {
  return peakOf(findPython(), [script.pathname, '--peak', row, String(calls)]);
}

const milliseconds = () => Number(process.hrtime.bigint()) / 1e6;

async function timeOurs(run: () => Promise<unknown>, calls: number): Promise<number> {
  const start = milliseconds();
  for (let i = 0; i < calls; i++) await run();
  return (milliseconds() - start) / calls;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/** How long a measurement of either side should take at least, so that timer and start do not count. */
const TURN_MS = 60;

/**
 * Measures both sides in turn, ours first in one pair and last in the next.
 * @param pairs how many times each side is measured
 */
export async function duel(
  peer: Peer,
  row: { readonly name: string; readonly goal: number; readonly note?: string },
  run: () => Promise<unknown>,
  pairs = 7,
): Promise<Row> {
  const { name, goal, note = '' } = row;
  await peer.prepare(name);
  await run();
  const oursOnce = await timeOurs(run, 1);
  const peerOnce = await peer.time(name, 1);
  const callsFor = (once: number) => Math.min(200, Math.max(1, Math.round(TURN_MS / once)));
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < pairs; i++) {
    const turns = [
      async () => ours.push(await timeOurs(run, callsFor(oursOnce))),
      async () => theirs.push(await peer.time(name, callsFor(peerOnce))),
    ];
    if (i % 2) turns.reverse();
    for (const turn of turns) await turn();
  }
  await peer.drop(name);
  const ratios = ours.map((t, i) => theirs[i]! / t);
  return {
    name,
    ours: median(ours),
    peer: median(theirs),
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
