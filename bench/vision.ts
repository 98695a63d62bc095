/**
 * `npm run bench:vision`: ResNet-50 from files to a trained model, beside PyTorch and torchvision,
 * and beside TensorFlow.js. Two threads each, batches of 16 pictures of 224 x 224.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageSample } from '../src/data/index.js';
import { Engine } from '../src/index.js';
import { nodeRuntime } from '../src/runtime/ort-node.js';
import { benchOptions, duel, type Row, type RowHead, type Side, sideOf, Table } from './harness.js';
import {
  BATCH,
  type FedStep,
  FULL_STEP,
  fedStep,
  fullStep,
  headEpochs,
  THREADS,
  trunkForward,
} from './models/vision.js';
import { ourPeak, Peer, PeerError, peerPeak } from './peer.js';
import { drawPictures } from './pictures.js';
import { START_UP_ROWS, startUpRows } from './start-up.js';

const TORCH = new URL('./peers/vision.py', import.meta.url);
const TFJS = new URL('./peers/tfjs/peer.mjs', import.meta.url);

const PICTURES = 96;
/** Steps in a measurement of the input pipeline: enough that one slow batch does not decide. */
const FED_STEPS = 5;
/** Holds all pictures decoded. */
const KEEP_ALL = 128 * 2 ** 20;

const TRUNK = 'ResNet-50 frozen trunk forward';
const HEAD = `ResNet-50 10 head epochs on ${PICTURES} pictures`;
const FED = 'ResNet-50 step fed from JPEG files';
const MEMORY = `${FULL_STEP}, peak memory`;
const TFJS_TRUNK = `${TRUNK}, TensorFlow.js`;
const TFJS_STEP = `${FULL_STEP}, batch 1 at 64^2, TensorFlow.js`;

const ORDER = [TRUNK, FULL_STEP, HEAD, FED, MEMORY, ...START_UP_ROWS, TFJS_TRUNK, TFJS_STEP];

/** What a row needs beside the engine, made when the first row asks for it. */
class Bench {
  private readonly folder = mkdtempSync(join(tmpdir(), 'graft-bench-'));
  private readonly peers: Peer[] = [];
  private torchPeer: Promise<Peer> | undefined;
  private tfjsPeer: Promise<Peer> | undefined;
  private drawn: Promise<ImageSample[]> | undefined;

  private async keep(starting: Promise<Peer>): Promise<Peer> {
    const peer = await starting;
    this.peers.push(peer);
    return peer;
  }

  torch(): Promise<Peer> {
    this.torchPeer ??= this.keep(Peer.python(TORCH, [this.folder]));
    return this.torchPeer;
  }

  tfjs(): Promise<Peer> {
    this.tfjsPeer ??= this.keep(Peer.node(TFJS));
    return this.tfjsPeer;
  }

  pictures(): Promise<ImageSample[]> {
    this.drawn ??= drawPictures(this.folder, PICTURES);
    return this.drawn;
  }

  close(): void {
    for (const peer of this.peers) peer.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** An engine of its own, so that one row's sessions do not stay for the next. */
async function withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
  const engine = new Engine(await nodeRuntime({ threads: THREADS }));
  const result = await work(engine);
  await engine.release();
  return result;
}

/**
 * Ours against a peer's row of the same name.
 * @param turns with `calls`, nothing is run beforehand: a call takes so long that it does not matter
 */
function against(
  peer: Peer,
  head: RowHead,
  run: () => Promise<unknown>,
  turns: { readonly pairs: number; readonly calls?: number },
): Promise<Row> {
  return peer.with(
    head.name,
    (theirs, said) => {
      const note = [head.note, said].filter(Boolean).join('; ');
      return duel({ ...head, note }, sideOf(run), theirs, turns);
    },
    { warm: turns.calls === undefined },
  );
}

/** Steps on batches that are being made while the steps run. */
const fedSide = (step: FedStep): Side => ({
  async time(calls) {
    await step.begin();
    const time = await sideOf(step.fed).time(calls);
    await step.end();
    return time;
  },
});

/** The step fed from files against the same step on a ready batch; the peer is that step. */
async function pipelineRow(bench: Bench): Promise<Row> {
  const torch = await bench.torch();
  const samples = await bench.pictures();
  const head = { name: FED, goal: 0.952 };
  const measure = (cacheBytes: number, pairs: number) =>
    withEngine(async (engine) => {
      const step = await fedStep(engine, samples, cacheBytes);
      const alone = await step.alone(Math.ceil(PICTURES / BATCH));
      await step.end();
      await step.ready();
      const calls = FED_STEPS;
      const row = await duel(head, fedSide(step), sideOf(step.ready), { pairs, calls });
      await step.close();
      return { alone, row };
    });
  const { alone, row } = await measure(0, 5);
  const kept = await measure(KEEP_ALL, 2);
  const theirs = await torch.with(FULL_STEP, (ready) =>
    torch.with(FED, (fed) => duel(head, fed, ready, { pairs: 2, calls: FED_STEPS }), {
      warm: false,
    }),
  );
  const added = ({ ratio }: Row) => `${((1 / ratio! - 1) * 100).toFixed(1)} %`;
  const note = [
    `peer: the step on a ready batch; files add ${added(row)}`,
    `${added(kept.row)} while decoded pictures fit in memory`,
    `a batch alone takes ${alone.toFixed(0)} ms`,
    `PyTorch's DataLoader with 2 workers adds ${added(theirs)} to its own step`,
  ].join('; ');
  return { ...row, note };
}

function memoryRow(): Row {
  const ours = ourPeak('vision', FULL_STEP, 3);
  const peer = peerPeak(TORCH, FULL_STEP, 3);
  const ratio = peer / ours;
  return { name: MEMORY, ours, peer, ratio, spread: null, goal: 1, unit: 'MiB', note: '' };
}

const MAKERS: Readonly<Record<string, (bench: Bench) => Promise<Row>>> = {
  [TRUNK]: async (bench) => {
    const peer = await bench.torch();
    const head = { name: TRUNK, goal: 1.3 };
    return withEngine(async (engine) =>
      against(peer, head, await trunkForward(engine), { pairs: 7 }),
    );
  },
  [FULL_STEP]: async (bench) => {
    const peer = await bench.torch();
    const note = 'AdamW, gradient clipped, batch norms frozen';
    const head = { name: FULL_STEP, goal: 1.1, note };
    return withEngine(async (engine) => against(peer, head, await fullStep(engine), { pairs: 5 }));
  },
  [HEAD]: async (bench) => {
    const peer = await bench.torch();
    const run = await headEpochs(await bench.pictures());
    const note = 'ours with kept features; PyTorch runs the trunk in every epoch';
    return against(peer, { name: HEAD, goal: 8, note }, run, { pairs: 3, calls: 1 });
  },
  [FED]: pipelineRow,
  [MEMORY]: async () => memoryRow(),
  [TFJS_TRUNK]: async (bench) => {
    const peer = await bench.tfjs();
    const head = { name: TFJS_TRUNK, goal: 1 };
    return withEngine(async (engine) =>
      against(peer, head, await trunkForward(engine), { pairs: 3 }),
    );
  },
  [TFJS_STEP]: async (bench) => {
    const peer = await bench.tfjs();
    return withEngine(async (engine) => {
      const run = await fullStep(engine, 1, 64);
      await run();
      return against(peer, { name: TFJS_STEP, goal: 1 }, run, { pairs: 1, calls: 1 });
    });
  },
};

const options = benchOptions(process.argv.slice(2));
const table = new Table({
  options,
  kept: new URL('../.cache/bench-vision.json', import.meta.url),
  part: 'vision table',
  order: ORDER,
});
const bench = new Bench();
try {
  for (const [name, make] of Object.entries(MAKERS)) {
    if (table.wants(name)) table.add(await make(bench));
  }
  for (const row of startUpRows((name) => table.wants(name))) table.add(row);
  const versions = async () =>
    `PyTorch ${(await bench.torch()).version}, TensorFlow.js ${(await bench.tfjs()).version}`;
  table.finish(options.write ? `${await versions()}, ${THREADS} threads` : '');
} catch (error) {
  console.error(error instanceof PeerError ? error.message : error);
  process.exitCode = 1;
} finally {
  bench.close();
}
