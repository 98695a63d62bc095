/**
 * A run that is killed 20 times, at moments drawn by a seed, and gone on with each time, against the
 * same run left alone: the model and the log must be the same, byte for byte. The moments cover both
 * phases of fine-tuning, the middle of epochs and of accumulated steps, the writing of checkpoints and
 * the start of a process.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { KeyedRandom } from '../src/util/index.js';
import { graft, type Running, resultOf, startGraft } from '../test/support/cli.js';

const KILLS = 20;
const SEED = 20;
/** 24 batches an epoch, 3 a step: 48 steps, 16 of them of the head. */
const STEPS = 48;
const EVERY = 3;
/** Longest wait after a moment has come, ms: about two steps, so that kills fall anywhere in one. */
const LATE_MS = 250;

const DATA = fileURLToPath(new URL('../assets/demo', import.meta.url));
const FLAGS = ['--epochs', '6', '--batch', '4', '--size', '64', '--seed', '1'];
const CAREFUL = ['--ema', '0.9', '--accumulate', '3', '--checkpoint-every', `${EVERY}`];

/** When a process is killed. */
interface Moment {
  /** Once this step is done. */
  readonly step: number;
  /** `any`: some time later; `writing`: while the next checkpoint is written; `start`: before its first step. */
  readonly kind: 'any' | 'writing' | 'start';
  /** Part of the wait, or of the checkpoint's bytes. */
  readonly share: number;
}

/** The moments in the order of the run. */
function moments(): Moment[] {
  const random = KeyedRandom.of(SEED).fold('kill');
  const shares = random.fold('share').uniforms(KILLS);
  const steps = Array.from({ length: KILLS }, (_, i) => 1 + random.fold('step').integer(i, STEPS));
  steps.sort((a, b) => a - b);
  return steps.map((step, i) => ({
    step,
    kind: i % 7 === 6 ? 'start' : i % 3 === 1 ? 'writing' : 'any',
    share: shares[i]!,
  }));
}

interface Killed {
  readonly kind: Moment['kind'];
  readonly phase: string;
  /** Steps done when it was killed. */
  readonly done: number;
}

interface Line {
  readonly step: number;
  readonly phase: string;
}

/** The last whole line of a log. */
function lastLine(path: string): Line {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  return lines.length > 1 ? (JSON.parse(lines.at(-2)!) as Line) : { step: 0, phase: 'none' };
}

/** Size of what is being written into a folder; 0 when nothing is. */
function writing(folder: string): number {
  const name = existsSync(folder) && readdirSync(folder).find((file) => file.endsWith('.tmp'));
  if (!name) return 0;
  try {
    return statSync(join(folder, name)).size;
  } catch {
    return 0; // it has just become whole
  }
}

/** Waits for a moment of a process and kills it; null when the run was over before. */
async function kill(run: Running, out: string, moment: Moment): Promise<Killed | null> {
  const log = join(out, 'metrics.jsonl');
  const checkpoints = join(out, 'checkpoints');
  const begun = Date.now();
  // What earlier processes have logged does not count.
  const own = () => existsSync(log) && statSync(log).mtimeMs > begun;
  try {
    if (moment.kind === 'start') {
      await run.until(() => run.stderr().includes('reading'));
      await wait(moment.share * 2 * LATE_MS);
    } else {
      await run.until(() => own() && lastLine(log).step >= moment.step);
      if (moment.kind === 'any') await wait(moment.share * LATE_MS);
      else {
        const best = join(checkpoints, 'best.safetensors');
        const whole = existsSync(best) ? statSync(best).size : 1;
        await run.until(() => writing(checkpoints) > moment.share * whole);
      }
    }
  } catch {
    return null;
  }
  run.child.kill('SIGKILL');
  if ((await run.ended).signal !== 'SIGKILL') return null;
  const { step, phase } = lastLine(log);
  const caught = writing(checkpoints) > 0 ? 'writing' : moment.kind === 'start' ? 'start' : 'any';
  return { kind: caught, phase, done: step };
}

/** Runs to the end, killed at every moment on the way. */
async function survive(out: string): Promise<Killed[]> {
  const first = ['fit', DATA, ...FLAGS, ...CAREFUL, '--out', out];
  const again = ['fit', '--resume', '--out', out, '--checkpoint-every', `${EVERY}`];
  const args = () => (existsSync(join(out, 'run.json')) ? again : first);
  const all: Killed[] = [];
  for (const moment of moments()) {
    const killed = await kill(startGraft(args()), out, moment);
    if (!killed) break;
    all.push(killed);
    console.error(`killed after step ${killed.done} (${killed.phase}), ${killed.kind}`);
  }
  const rest = await graft(args());
  if (rest.code !== 0) throw new Error(`The run did not go on:\n${rest.stderr}`);
  return all;
}

const root = mkdtempSync(join(tmpdir(), 'graft-kill-'));
try {
  const [straight, killed] = [join(root, 'straight'), join(root, 'killed')];
  const alone = await graft(['fit', DATA, ...FLAGS, ...CAREFUL, '--out', straight]);
  if (alone.code !== 0) throw new Error(`The straight run failed:\n${alone.stderr}`);
  const all = await survive(killed);
  const [want, got] = [resultOf(straight), resultOf(killed)];
  const same = Object.keys(want).filter((file) => want[file] === got[file]);
  const count = (pick: (k: Killed) => boolean) => all.filter(pick).length;
  const covered = {
    'in the head phase': count((k) => k.phase === 'head'),
    'in the unfrozen phase': count((k) => k.phase === 'all'),
    'while a checkpoint was written': count((k) => k.kind === 'writing'),
    'within an epoch': count((k) => k.done % (STEPS / 6) !== 0),
    'before the first step of a process': count((k) => k.kind === 'start'),
  };
  const row = (name: string, ours: number, goal: number, unit: string, note = '') => ({
    name: `kill -9 and resume: ${name}`,
    ours,
    peer: null,
    ratio: Number((ours / goal).toFixed(2)),
    spread: null,
    goal,
    unit,
    note,
  });
  const rows = [
    row(
      'files that equal the straight run’s',
      same.length,
      3,
      'files',
      Object.keys(want).join(', '),
    ),
    row('kills of one run', all.length, KILLS, 'kills', `--epochs 6 ${CAREFUL.join(' ')}`),
    ...Object.entries(covered).map(([name, n]) => row(name, n, 1, 'kills')),
  ];
  if (process.argv.includes('--json')) console.log(JSON.stringify({ rows }));
  else console.table(rows, ['name', 'ours', 'goal', 'unit']);
  if (rows.some((r) => r.ours < r.goal)) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true });
}
