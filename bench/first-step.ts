/** How long a fresh process takes to its first finished training step, ours and PyTorch's. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median, type Row } from './harness.js';
import { BATCH, THREADS, TOKENS } from './models/text.js';
import { findPython, PeerError } from './peer.js';

export const FIRST_STEP = 'BERT-base process start to first finished step';
/** Milliseconds that are allowed. */
const LIMIT_MS = 4000;
const STARTS = 3;
const OURS = fileURLToPath(new URL('./first-step.mjs', import.meta.url));

/** Milliseconds from the start of a process. */
interface Start {
  /** Until it stood before the step. */
  readonly ready: number;
  /** Until the step was done. */
  readonly done: number;
  /** How long another step took; NaN where none was asked for. */
  readonly later: number;
}

async function startOf(command: string, args: readonly string[]): Promise<Start> {
  const begin = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const times: Record<string, number> = {};
  for await (const line of createInterface({ input: child.stdout })) {
    times[line] = performance.now() - begin;
  }
  const { ready, done, again } = times;
  if (ready === undefined || done === undefined) {
    throw new PeerError(`${command} ${args.join(' ')} took no step; its message is above.`);
  }
  return { ready, done, later: again === undefined ? Number.NaN : again - done };
}

/**
 * The row; the peer is the limit, PyTorch's times stand in the note.
 * @param folder a base with its tokenizer, in Hugging Face's layout
 */
export async function firstStepRow(folder: string, script: URL): Promise<Row> {
  const ours: Start[] = [];
  const theirs: Start[] = [];
  const python = findPython();
  // The first of each fills the file cache.
  for (let i = 0; i <= STARTS; i++) {
    const args = [folder, BATCH, TOKENS, THREADS].map(String);
    const [mine, peer] = [
      await startOf(process.execPath, [OURS, ...args]),
      await startOf(python, [fileURLToPath(script), '--first-step', folder]),
    ];
    if (i > 0) {
      ours.push(mine);
      theirs.push(peer);
    }
  }
  const done = ours.map((start) => start.done);
  const middle = (starts: readonly Start[], part: keyof Start) =>
    (median(starts.map((start) => start[part])) / 1000).toFixed(1);
  return {
    name: FIRST_STEP,
    ours: median(done),
    peer: LIMIT_MS,
    ratio: LIMIT_MS / median(done),
    spread: [LIMIT_MS / Math.max(...done), LIMIT_MS / Math.min(...done)],
    goal: 1,
    unit: 'ms',
    note: `limit ${LIMIT_MS / 1000} s; before the step ${middle(ours, 'ready')} s, compiled within it; a later step takes ${middle(ours, 'later')} s; PyTorch ${middle(theirs, 'done')} s, ${middle(theirs, 'ready')} s before the step`,
  };
}
