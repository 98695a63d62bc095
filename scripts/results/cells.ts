/** One run of the command line as a cell of a table, kept until what it depends on changes. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunRecord } from '../../src/run/index.node.js';
import { hashBytes } from '../../src/util/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Everything that decides a cell's numbers. */
export interface CellKey {
  /** Choices of the run that are no path. */
  readonly choices: Readonly<Record<string, string | number>>;
  /** Hash of the data's files. */
  readonly data: string;
  /** Hash of the base, or for a run from random weights of the network and its first weights. */
  readonly start: string;
  /** Hash of the code, see {@link codeVersion}. */
  readonly code: string;
}

/** What a run gave. */
export interface Cell {
  /** By the field's names. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Processor threads that it ran with. */
  readonly threads: number;
}

/** Hash of the names and bytes of all files below a folder. */
export function fingerprint(folder: string): string {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const parts = names.map(
    (path) => `${path.slice(folder.length)} ${hashBytes(readFileSync(path))}`,
  );
  return hashBytes(bytesOf(parts.join('\n')));
}

/** Cells on disk, one file a key. */
export class KeptCells {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  read(key: CellKey): Cell | null {
    const path = this.path(key);
    if (!existsSync(path)) return null;
    return (JSON.parse(readFileSync(path, 'utf8')) as { cell: Cell }).cell;
  }

  /** The newest cell of the same choices, data and start, whatever code made it. */
  readOlder(asked: CellKey): Cell | null {
    if (!existsSync(this.folder)) return null;
    let found: { cell: Cell; made: number } | null = null;
    for (const name of readdirSync(this.folder).filter((n) => n.endsWith('.json'))) {
      const path = join(this.folder, name);
      const { key, cell } = JSON.parse(readFileSync(path, 'utf8')) as { key: CellKey; cell: Cell };
      const same = (['choices', 'data', 'start'] as const).every(
        (part) => JSON.stringify(key[part]) === JSON.stringify(asked[part]),
      );
      const made = statSync(path).mtimeMs;
      if (!same || made <= (found?.made ?? 0)) continue;
      found = { cell, made };
    }
    return found?.cell ?? null;
  }

  write(key: CellKey, cell: Cell): void {
    mkdirSync(this.folder, { recursive: true });
    const path = this.path(key);
    writeFileSync(`${path}.tmp`, `${JSON.stringify({ key, cell }, null, 1)}\n`);
    renameSync(`${path}.tmp`, path);
  }

  private path(key: CellKey): string {
    return join(this.folder, `${hashBytes(bytesOf(JSON.stringify(key)))}.json`);
  }
}

/** Arguments of `graft fit` for a run, without the place where it is written. */
export function fitArguments(
  data: string,
  options: Readonly<Record<string, string | number>>,
): string[] {
  return [data, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`])];
}

/** Runs a command of graft as a user would; the end of what it says is in the error when it fails. */
export function graft(args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [join(root, 'bin/graft.mjs'), ...args, '--json'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-2000);
  });
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code, signal) => {
      if (code === 0) done();
      else failed(new Error(`graft ${args.join(' ')} ended with ${code ?? signal}:\n${said}`));
    });
  });
}

/** What a finished run says of itself. */
export function readRun(run: string) {
  const { result, machine } = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as RunRecord;
  if (!result) throw new Error(`${run} has not ended.`);
  const { test, seconds } = result;
  return { test: test?.metrics, seconds, threads: Number(machine.threads) };
}

/** Metrics of the last validated pass, from the run's log. */
function lastPass(run: string): Readonly<Record<string, number>> {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const passes = lines.map((line) => JSON.parse(line)).filter((l) => l.split === 'valid');
  const last = passes.at(-1);
  if (!last) throw new Error(`${run} has validated no pass.`);
  return last.values;
}

/**
 * Runs a cell in a process of its own.
 * @param scored see `VisionSet.scored`
 */
export async function runCell(args: readonly string[], scored: 'test' | 'last'): Promise<Cell> {
  const scratch = mkdtempSync(join(tmpdir(), 'graft-results-'));
  const out = join(scratch, 'run');
  try {
    await graft(['fit', ...args, '--out', out]);
    const { test, seconds, threads } = readRun(out);
    const metrics = scored === 'last' ? lastPass(out) : test;
    if (!metrics) throw new Error(`${args[0]} has no part to be scored on.`);
    return { metrics, seconds, threads };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
