/** `npm run bench:engine`: kernels and whole training steps beside PyTorch eager, two threads each. */
import {
  adamW,
  batchNorm,
  conv2d,
  Engine,
  embedding,
  filled,
  gelu,
  type HostTensor,
  hostTensor,
  input,
  inputName,
  layerNorm,
  matmul,
  maxPool2d,
  StatefulProgram,
  softmax,
  type Tensor,
  Variables,
  vjp,
} from '../src/index.js';
import { nodeRuntime } from '../src/runtime/ort-node.js';
import { benchOptions, duel, type Row, sideOf, Table } from './harness.js';
import { ResNet50 } from './models/resnet50.js';
import { STEPS } from './models/train.js';
import { ourPeak, Peer, peerPeak } from './peer.js';
import { randomTensor } from './random.js';

const THREADS = 2;
const PEER = new URL('./peers/engine.py', import.meta.url);
const KEPT = new URL('../.cache/bench-engine.json', import.meta.url);

const MEMORY_STEPS = ['transformer step', 'ResNet-50 step'];
const FIRST_COMPILE = 'ResNet-50 step, compile';
const SECOND_COMPILE = 'ResNet-50 step, second compile';

type Run = () => Promise<unknown>;
type Build = (engine: Engine) => Promise<Run>;

interface Case {
  readonly name: string;
  readonly goal: number;
  readonly note?: string;
  readonly pairs?: number;
  readonly build: Build;
}

const f32 = (name: string, ...shape: number[]) => input(name, 'float32', shape);

/** Feeds random numbers, and gives every result a buffer that is used again. */
function kernel(build: () => readonly Tensor[], feeds: readonly Tensor[]): Build {
  return async (engine) => {
    const results = build();
    const program = await engine.program(
      Object.fromEntries(results.map((t, i) => [`y${i}`, t] as const)),
    );
    const { runtime } = engine;
    const fed = Object.fromEntries(
      await Promise.all(
        feeds.map(async (t) => {
          const name = inputName(t)!;
          return [name, await runtime.upload(valueFor(t, name))] as const;
        }),
      ),
    );
    const into = Object.fromEntries(
      await Promise.all(
        results.map(
          async (t, i) => [`y${i}`, await runtime.upload(filled(t.dtype, t.shape, 0))] as const,
        ),
      ),
    );
    return () => program.run(fed, into);
  };
}

function valueFor(t: Tensor, name: string): HostTensor {
  if (t.dtype !== 'int64') return randomTensor(name, t.shape, name === 'w' ? 0.05 : 1);
  const positions = randomTensor(name, t.shape).data as Float32Array;
  const ids = Array.from(positions, (x) => Math.floor(((x + 2) / 4) * VOCABULARY) % VOCABULARY);
  return hostTensor('int64', t.shape, ids);
}

/** Forward and backward: y, and the gradients of all of `wrt`. */
function both(y: Tensor, dy: Tensor, wrt: readonly Tensor[]): Tensor[] {
  return [y, ...vjp([y], [dy], wrt)];
}

const CONVS = [
  ['3x3 64ch 56^2', [16, 64, 56, 56], [64, 64, 3, 3], { padding: 1 }],
  ['3x3 256ch 14^2', [16, 256, 14, 14], [256, 256, 3, 3], { padding: 1 }],
  ['7x7/2 3->64 224^2', [16, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 }],
  ['depthwise 3x3 144ch 56^2', [16, 144, 56, 56], [144, 1, 3, 3], { padding: 1, groups: 144 }],
  ['1x1 512->512 28^2', [16, 512, 28, 28], [512, 512, 1, 1], {}],
] as const;

function convCases(): Case[] {
  return CONVS.flatMap(([shape, xShape, wShape, options]) => {
    const x = f32('x', ...xShape);
    const w = f32('w', ...wShape);
    const y = () => conv2d(x, w, options);
    const dy = f32('dy', ...y().shape);
    const name = `conv ${shape}`;
    return [
      { name: `${name} forward`, goal: 1, build: kernel(() => [y()], [x, w]) },
      { name: `${name} dX`, goal: 1, build: kernel(() => vjp([y()], [dy], [x]), [w, dy]) },
      { name: `${name} dW`, goal: 1, build: kernel(() => vjp([y()], [dy], [w]), [x, dy]) },
    ];
  });
}

const VOCABULARY = 30522;

function normCases(): Case[] {
  const rows = f32('x', 2048, 768);
  const scale = f32('scale', 768);
  const bias = f32('bias', 768);
  const dRows = f32('dy', 2048, 768);
  const scores = f32('x', 192, 128, 128);
  const dScores = f32('dy', 192, 128, 128);
  const wide = f32('x', 2048, 3072);
  const dWide = f32('dy', 2048, 3072);
  const maps = f32('x', 16, 64, 56, 56);
  const dMaps = f32('dy', 16, 64, 56, 56);
  const [gain, shift] = [f32('gain', 64), f32('shift', 64)];
  const big = f32('x', 16, 64, 112, 112);
  const table = f32('table', VOCABULARY, 768);
  const ids = input('ids', 'int64', [16, 128]);
  const dTable = f32('dy', 16, 128, 768);
  return [
    {
      name: 'layer norm 2048x768 fwd+bwd',
      goal: 1,
      build: kernel(
        () => both(layerNorm(rows, { scale, bias }), dRows, [rows, scale, bias]),
        [rows, scale, bias, dRows],
      ),
    },
    {
      name: 'softmax 192x128x128 fwd+bwd',
      goal: 1,
      build: kernel(() => both(softmax(scores), dScores, [scores]), [scores, dScores]),
    },
    {
      name: 'gelu 2048x3072 fwd+bwd',
      goal: 1,
      build: kernel(() => both(gelu(wide), dWide, [wide]), [wide, dWide]),
    },
    {
      name: 'batch norm 16x64x56x56 fwd+bwd',
      goal: 1,
      build: kernel(() => {
        const { y } = batchNorm(maps, { scale: gain, bias: shift }, { normalizeBy: 'batch' });
        return both(y, dMaps, [maps, gain, shift]);
      }, [maps, gain, shift, dMaps]),
    },
    {
      name: 'max-pool 3x3/2 16x64x112x112 fwd+bwd',
      goal: 1,
      note: 'the backward pass needs the maxima of the forward pass, so both are timed',
      build: kernel(() => {
        const y = maxPool2d(big, 3, { stride: 2, padding: 1 });
        return both(y, f32('dy', ...y.shape), [big]);
      }, [big, f32('dy', 16, 64, 56, 56)]),
    },
    {
      name: 'embedding gradient 30522x768',
      goal: 1,
      build: kernel(() => vjp([embedding(table, ids)], [dTable], [table]), [ids, dTable]),
    },
  ];
}

/** AdamW's update program on parameters of ResNet-50's shapes, everything in place. */
async function adamwStep(engine: Engine): Promise<Run> {
  const optimizer = adamW({ lr: 1e-3 });
  const variables = new Variables(engine.runtime);
  const updates = new Map<Tensor, Tensor>();
  const scalars = Object.fromEntries(
    Object.keys(optimizer.scalars(1)).map((k) => [k, f32(`scalar:${k}`)] as const),
  );
  const gradientScale = f32('scalar:scale');
  const model = [...new ResNet50(1000).parameters().values()].filter((p) => p.trainable);
  for (const [i, { tensor: parameter }] of model.entries()) {
    const gradient = f32(`gradient:${i}`, ...parameter.shape);
    await variables.create(parameter, randomTensor(`p${i}`, parameter.shape, 0.1));
    await variables.create(gradient, randomTensor(`g${i}`, parameter.shape, 0.01));
    const state: Record<string, Tensor> = {};
    for (const [k, type] of Object.entries(optimizer.state(parameter))) {
      state[k] = input(`${k}:${i}`, type.dtype, type.shape);
      await variables.create(state[k], filled(type.dtype, type.shape, 0));
    }
    const next = optimizer.update({ parameter, gradient, gradientScale, state, scalars });
    updates.set(parameter, next.parameter);
    for (const [k, t] of Object.entries(next.state)) updates.set(state[k]!, t);
  }
  const program = await StatefulProgram.compile(engine, variables, {}, updates);
  let step = 0;
  return () => {
    const numbers = Object.entries({ ...optimizer.scalars(++step), scale: 1 });
    return program.run(
      Object.fromEntries(numbers.map(([k, v]) => [`scalar:${k}`, filled('float32', [], v)])),
    );
  };
}

function cases(): Case[] {
  const [a, b] = [f32('a', 2048, 2048), f32('b', 2048, 2048)];
  const step = (name: string, goal: number): Case => ({
    name,
    goal,
    pairs: 3,
    build: STEPS[name]!,
  });
  return [
    { name: 'matmul 2048^3', goal: 1, build: kernel(() => [matmul(a, b)], [a, b]) },
    ...convCases(),
    ...normCases(),
    { name: 'AdamW 25M parameters', goal: 1, build: adamwStep },
    step('transformer step', 1.2),
    step('ResNet-50 step', 1.1),
    step('ResNet-50 step, frozen norms', 1.1),
  ];
}

/** Peak memory of the two steps, each side in a process of its own. */
function memoryRows(wanted: (name: string) => boolean): Row[] {
  const rows: Row[] = [];
  for (const step of MEMORY_STEPS) {
    const name = `${step}, peak memory`;
    if (!wanted(name)) continue;
    const ours = ourPeak('train', step, 3);
    const peer = peerPeak(PEER, step, 3);
    const ratio = peer / ours;
    rows.push({ name, ours, peer, ratio, spread: null, goal: 1, unit: 'MiB', note: '' });
  }
  return rows;
}

/** Compile time of the ResNet-50 step, and of an equal one afterwards; no peer. */
async function compileRows(wanted: (name: string) => boolean): Promise<Row[]> {
  if (!wanted(FIRST_COMPILE) && !wanted(SECOND_COMPILE)) return [];
  const runtime = await nodeRuntime({ threads: THREADS });
  let loading = 0;
  let loads = 0;
  // What a step's first call takes beyond a usual call is tracing, encoding and loading.
  const engine = new Engine({
    device: runtime.device,
    threads: runtime.threads,
    load: async (...args) => {
      const start = performance.now();
      loads++;
      const session = await runtime.load(...args);
      loading += performance.now() - start;
      return session;
    },
    upload: (value) => runtime.upload(value),
    write: (tensor, value) => runtime.write(tensor, value),
    download: (tensor) => runtime.download(tensor),
    free: (tensor) => runtime.free(tensor),
  });
  const measure = async () => {
    loading = 0;
    loads = 0;
    const step = await STEPS['ResNet-50 step']!(engine);
    const start = performance.now();
    await step();
    const once = performance.now() - start;
    const again = performance.now();
    await step();
    const usual = performance.now() - again;
    return { seconds: Math.max(1, once - usual) / 1000, loads, loading: loading / 1000 };
  };
  const row = (name: string, ours: number, note: string): Row => ({
    name,
    ours,
    peer: 3,
    ratio: 3 / ours,
    spread: null,
    goal: 1,
    unit: 's',
    note,
  });
  const cold = await measure();
  const warm = await measure();
  return [
    row(
      FIRST_COMPILE,
      cold.seconds,
      `limit 3 s; ${cold.loading.toFixed(2)} s of it in ONNX Runtime`,
    ),
    row(SECOND_COMPILE, warm.seconds, `${warm.loads} sessions made: it comes from the cache`),
  ].filter((r) => wanted(r.name));
}

const ORDER = [
  ...cases().map((c) => c.name),
  ...MEMORY_STEPS.map((step) => `${step}, peak memory`),
  FIRST_COMPILE,
  SECOND_COMPILE,
];

const table = new Table({
  options: benchOptions(process.argv.slice(2)),
  kept: KEPT,
  part: 'table',
  order: ORDER,
});
const wanted = (name: string) => table.wants(name);
const peer = await Peer.python(PEER).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
try {
  for (const c of cases().filter((c) => wanted(c.name))) {
    // An engine of its own, so that one row's sessions do not stay for the next.
    const engine = new Engine(await nodeRuntime({ threads: THREADS }));
    const ours = sideOf(await c.build(engine));
    const { pairs } = c;
    const row = await peer.with(c.name, (theirs) =>
      duel(c, ours, theirs, pairs === undefined ? {} : { pairs }),
    );
    await engine.release();
    table.add(row);
  }
} finally {
  peer.stop();
}
for (const row of [...memoryRows(wanted), ...(await compileRows(wanted))]) table.add(row);
table.finish(`PyTorch ${peer.version} eager, ${THREADS} threads`);
