/** The real command line in a process of its own, as a person or a script runs it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../bin/graft.mjs', import.meta.url));

/** How a command ended. */
export interface Outcome {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The one object that `--json` leaves on stdout; it throws when there is more or less. */
  readonly json: () => Record<string, unknown>;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** What it has written to stderr so far. */
  readonly stderr: () => string;
  /**
   * Waits until something is so.
   * @throws Error with what the command said when it ends before
   */
  readonly until: (condition: () => boolean) => Promise<void>;
}

/** How often a condition is asked for. It decides how soon a test goes on, not how it ends. */
const LOOK_MS = 3;

/** Starts a command. No hub is asked and no cache of the machine is seen. */
export function startGraft(args: readonly string[], cwd?: string): Running {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...process.env, HF_HUB_OFFLINE: '1', HF_HUB_CACHE: '/nonexistent/hub' },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (part: string) => {
      text[stream] += part;
    });
  }
  let running = true;
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      running = false;
      resolve({ code, signal, ...text, json: () => oneObject(text.stdout) });
    });
  });
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      if (!running) throw new Error(`The command ended too soon:\n${text.stdout}${text.stderr}`);
      await wait(LOOK_MS);
    }
  };
  return { child, ended, stderr: () => text.stderr, until };
}

/** Runs a command to its end. */
export function graft(args: readonly string[], cwd?: string): Promise<Outcome> {
  return startGraft(args, cwd).ended;
}

function oneObject(stdout: string): Record<string, unknown> {
  const lines = stdout.split('\n');
  if (lines.length !== 2 || lines[1] !== '') throw new Error(`Not one line: ${stdout}`);
  return JSON.parse(lines[0]!) as Record<string, unknown>;
}

/** The message of an error that `--json` has told of. */
export function errorOf(outcome: Outcome): { code: string; message: string } {
  return outcome.json().error as { code: string; message: string };
}

/** Every file below a folder with a hash of its content; nothing when there is no folder. */
export function contentOf(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  const visit = (path: string, prefix: string) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const at = join(path, entry.name);
      if (entry.isDirectory()) visit(at, `${prefix}${entry.name}/`);
      else files[prefix + entry.name] = hashOf(at);
    }
  };
  visit(folder, '');
  return files;
}

/** Hash of a file. */
export function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** What two runs of one seed have in common, bit for bit. */
export function resultOf(run: string): Record<string, string> {
  const names = ['model/model.safetensors', 'metrics.jsonl', 'checkpoints/best.safetensors'];
  return Object.fromEntries(names.map((name) => [name, hashOf(join(run, name))]));
}
