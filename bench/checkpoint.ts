/**
 * What checkpointing saves and costs: a chain of layers, forward and backward, with every layer a
 * region against none. Each variant runs in a process of its own, since a peak never falls again.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  add,
  checkpoint,
  createEngine,
  dropout,
  foldIn,
  grad,
  hostTensor,
  input,
  matmul,
  mul,
  silu,
  sum,
  type Tensor,
} from '../src/index.js';
import { makeKey } from '../src/util/index.js';
import { randomTensor } from './random.js';

const LAYERS = 24;
const WIDTH = 256;
const ROWS = 8192;

interface Measured {
  readonly megabytes: number;
  readonly milliseconds: number;
}

async function measure(marked: boolean): Promise<Measured> {
  const x = input('x', 'float32', [ROWS, WIDTH]);
  const key = input('key', 'int32', [2]);
  const weights = Array.from({ length: LAYERS }, (_, i) =>
    input(`w${i}`, 'float32', [WIDTH, WIDTH]),
  );
  let h: Tensor = x;
  for (const [i, w] of weights.entries()) {
    const layer = (t: Tensor) => add(t, dropout(silu(matmul(t, w)), 0.1, foldIn(key, i)));
    h = marked ? checkpoint((t) => layer(t!), [h]) : layer(h);
  }
  const grads = grad(sum(mul(h, h)), weights);
  const engine = await createEngine({ threads: 2 });
  const program = await engine.program(
    Object.fromEntries(grads.map((g, i) => [`g${i}`, g] as const)),
  );
  const feeds = {
    key: hostTensor('int32', [2], Int32Array.from(makeKey(0))),
    ...Object.fromEntries(
      [x, ...weights].map((t, i) => [i ? `w${i - 1}` : 'x', randomTensor(`${i}`, t.shape, 0.05)]),
    ),
  };
  const before = process.resourceUsage().maxRSS;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await program.run(feeds);
    best = Math.min(best, performance.now() - start);
  }
  return { megabytes: (process.resourceUsage().maxRSS - before) / 1024, milliseconds: best };
}

function child(variant: string): Measured {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.url), variant],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`The ${variant} variant failed: ${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

const variant = process.argv[2];
if (variant === 'plain' || variant === 'checkpointed') {
  console.log(JSON.stringify(await measure(variant === 'checkpointed')));
} else {
  const plain = child('plain');
  const marked = child('checkpointed');
  const row = (name: string, unit: string, pick: (m: Measured) => number, goal: number | null) => ({
    name: `checkpoint, ${LAYERS} layers of ${ROWS} x ${WIDTH}: ${name}`,
    ours: Number(pick(marked).toFixed(1)),
    peer: Number(pick(plain).toFixed(1)),
    ratio: Number((pick(plain) / pick(marked)).toFixed(2)),
    spread: null,
    goal,
    unit,
    note: 'peer: the same chain without checkpoints',
  });
  const rows = [
    row('peak memory', 'MB', (m) => m.megabytes, 2.5),
    row('step', 'ms', (m) => m.milliseconds, null),
  ];
  if (process.argv.includes('--json')) console.log(JSON.stringify({ rows }));
  else console.table(rows, ['name', 'ours', 'peer', 'ratio', 'unit']);
}
