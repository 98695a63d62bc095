/**
 * A run that is killed 20 times, at moments drawn by a seed, and gone on with each time, against the
 * same run left alone: the model and the log must be the same, byte for byte. The moments cover all
 * phases, the middle of epochs and of accumulated steps, the writing of checkpoints and the start of a process.
 *
 *     npm run bench:kill -- [--texts FILE] [--json]
 *
 * The run is of the demo's pictures; with `--texts` of the first rows of a table of texts, whose lengths differ.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { KeyedRandom } from '../src/util/index.js';
import { graft, type Running, resultOf, startGraft } from '../test/support/cli.js';

const KILLS = 20;
const SEED = 20;
const EVERY = 3;
/** Longest wait after a moment has come, ms: about two steps, so that kills fall anywhere in one. */
const LATE_MS = 250;

/** A run that is killed. */
interface Victim {
  readonly data: string;
  readonly flags: readonly string[];
  readonly epochs: number;
  /** Updates of the whole run. */
  readonly steps: number;
}

/** 24 batches an epoch, 3 a step: 48 steps, 16 of them of the head. */
const PICTURES: Victim = {
  data: fileURLToPath(new URL('../assets/demo', import.meta.url)),
  flags: ['--batch', '4', '--size', '64', '--seed', '1'],
  epochs: 6,
  steps: 48,
};

/** Rows of a table: three quarters are trained on, 18 batches an epoch, 6 steps. */
const ROWS = 192;

/** The first rows of a table of texts, the last quarter to validate on. */
function textsOf(table: string, folder: string): Victim {
  const [head, ...rows] = readFileSync(table, 'utf8')
    .split('\n')
    .slice(0, ROWS + 1);
  mkdirSync(folder);
  const write = (name: string, part: readonly string[]) =>
    writeFileSync(join(folder, `${name}.csv`), `${[head, ...part].join('\n')}\n`);
  write('train', rows.slice(0, 0.75 * ROWS));
  write('valid', rows.slice(0.75 * ROWS));
  const own = ['--augment', 'default', '--layer-decay', '0.9', '--method', 'gradual-unfreezing'];
  return {
    data: folder,
    flags: ['--batch', '8', '--max-length', '64', '--seed', '1', ...own],
    epochs: 8,
    steps: 48,
  };
}

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
function moments({ steps: all }: Victim): Moment[] {
  const random = KeyedRandom.of(SEED).fold('kill');
  const shares = random.fold('share').uniforms(KILLS);
  const steps = Array.from({ length: KILLS }, (_, i) => 1 + random.fold('step').integer(i, all));
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

const argumentsOf = ({ data, flags, epochs }: Victim) => [
  ...['fit', data, '--epochs', `${epochs}`, ...flags, ...CAREFUL],
];

/** Runs to the end, killed at every moment on the way. */
async function survive(victim: Victim, out: string): Promise<Killed[]> {
  const first = [...argumentsOf(victim), '--out', out];
  const again = ['fit', '--resume', '--out', out, '--checkpoint-every', `${EVERY}`];
  const args = () => (existsSync(join(out, 'run.json')) ? again : first);
  const all: Killed[] = [];
  for (const moment of moments(victim)) {
    const killed = await kill(startGraft(args()), out, moment);
    if (!killed) break;
    all.push(killed);
    console.error(`killed after step ${killed.done} (${killed.phase}), ${killed.kind}`);
  }
  const rest = await graft(args());
  if (rest.code !== 0) throw new Error(`The run did not go on:\n${rest.stderr}`);
  return all;
}

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, texts: { type: 'string' } },
});
const root = mkdtempSync(join(tmpdir(), 'graft-kill-'));
try {
  const [straight, killed] = [join(root, 'straight'), join(root, 'killed')];
  const victim = options.texts ? textsOf(options.texts, join(root, 'texts')) : PICTURES;
  const alone = await graft([...argumentsOf(victim), '--out', straight]);
  if (alone.code !== 0) throw new Error(`The straight run failed:\n${alone.stderr}`);
  const all = await survive(victim, killed);
  const [want, got] = [resultOf(straight), resultOf(killed)];
  const same = Object.keys(want).filter((file) => want[file] === got[file]);
  const count = (pick: (k: Killed) => boolean) => all.filter(pick).length;
  const log = readFileSync(join(straight, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const phases = [...new Set(log.map((line) => (JSON.parse(line) as Line).phase))];
  const covered = {
    ...Object.fromEntries(
      phases.map((phase) => [`in the phase ${phase}`, count((k) => k.phase === phase)]),
    ),
    'while a checkpoint was written': count((k) => k.kind === 'writing'),
    'within an epoch': count((k) => k.done % (victim.steps / victim.epochs) !== 0),
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
    row(
      'kills of one run',
      all.length,
      KILLS,
      'kills',
      `--epochs ${victim.epochs} ${CAREFUL.join(' ')}`,
    ),
    ...Object.entries(covered).map(([name, n]) => row(name, n, 1, 'kills')),
  ];
  if (options.json) console.log(JSON.stringify({ rows }));
  else console.table(rows, ['name', 'ours', 'goal', 'unit']);
  if (rows.some((r) => r.ours < r.goal)) process.exitCode = 1;
} finally {
  rmSync(root, { recursive: true });
}
