/**
 * `npm run demo:engine`: trains a small convolutional network on pictures drawn in code and shows what the
 * engine makes of it: the graph of a step, proof of its gradient, training, a resumed run.
 */
import { realpathSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import {
  adamW,
  BatchNorm,
  Context,
  Conv2d,
  cosineRate,
  createEngine,
  crossEntropy,
  Dropout,
  type Engine,
  globalAvgPool,
  grad,
  type HostTensor,
  hostTensor,
  initialize,
  input,
  Linear,
  Module,
  makeKey,
  maxPool2d,
  optimize,
  relu,
  reshape,
  type Tensor,
  TrainStep,
  toNumbers,
  toposort,
  uniformAt,
  variablesOf,
} from '../src/index.js';
import { drawShapes, type Pictures, pick, SHAPES, SIDE, sketch } from './shapes.js';

const BATCH = 48;

/** Two blocks of convolution, batch norm, relu and pooling; dropout; a linear head. */
class ShapeNet extends Module {
  readonly conv1 = new Conv2d(1, 16, 3, { padding: 1, bias: false });
  readonly norm1 = new BatchNorm(16);
  readonly conv2 = new Conv2d(16, 32, 3, { padding: 1, bias: false });
  readonly norm2 = new BatchNorm(32);
  readonly dropout = new Dropout(0.2);
  readonly head = new Linear(32, SHAPES.length);

  override forward(x: Tensor, context: Context): Tensor {
    const low = maxPool2d(relu(this.norm1.forward(this.conv1.forward(x), context)), 2);
    const high = maxPool2d(relu(this.norm2.forward(this.conv2.forward(low), context)), 2);
    const features = reshape(globalAvgPool(high), [x.shape[0]!, 32]);
    return this.head.forward(this.dropout.forward(features, context), context);
  }
}

interface Trainee {
  readonly net: ShapeNet;
  readonly step: TrainStep;
}

async function makeTrainee(engine: Engine, totalSteps: number): Promise<Trainee> {
  const net = new ShapeNet();
  const step = await TrainStep.create(engine, {
    ...variablesOf(net, initialize(net, 7)),
    optimizer: adamW({ lr: cosineRate({ lr: 0.01, total: totalSteps }), weightDecay: 0.01 }),
    clip: { norm: 1 },
    seed: 7,
    trace: ({ x, y }, key) => {
      const context = new Context({ training: true, key });
      const loss = crossEntropy(net.forward(x!, context), y!);
      return { loss, updates: context.updates };
    },
  });
  return { net, step };
}

/** A function that gives the class scores of pictures, by the current weights of `step`. */
async function makeScorer(engine: Engine, { net, step }: Trainee, count: number) {
  const x = input('x', 'float32', [count, 1, SIDE, SIDE]);
  const scores = net.forward(x, new Context({ training: false }));
  const program = await engine.program({ scores });
  return async (pictures: HostTensor): Promise<number[][]> => {
    const results = await program.run({ ...step.variables.feeds(), x: pictures });
    const flat = toNumbers(await engine.runtime.download(results.scores!));
    return Array.from({ length: count }, (_, i) =>
      flat.slice(i * SHAPES.length, (i + 1) * SHAPES.length),
    );
  };
}

const best = (scores: readonly number[]) => scores.indexOf(Math.max(...scores));

function accuracyOf(scores: readonly number[][], { y }: Pictures): number {
  return scores.filter((s, i) => best(s) === Number(y.data[i])).length / scores.length;
}

/** How the gradient graph compares with central differences; see {@link checkGradient}. */
interface GradientCheck {
  readonly tensors: number;
  readonly worst: number;
  readonly forwardNodes: number;
  readonly stepNodes: number;
}

/**
 * Compares the gradient of each parameter tensor with the slope of the loss along it, found by
 * central differences: along the true gradient the slope is its length.
 */
async function checkGradient(engine: Engine, data: Pictures): Promise<GradientCheck> {
  const net = new ShapeNet();
  const weights = initialize(net, 3);
  const parameters = [...net.parameters()];
  const trained = parameters.filter(([, p]) => p.trainable);
  const x = input('x', 'float32', data.x.shape);
  const y = input('y', 'int64', data.y.shape);
  const key = input('key', 'int32', [2]);
  const loss = crossEntropy(net.forward(x, new Context({ training: true, key })), y);
  const gradients = grad(
    loss,
    trained.map(([, p]) => p.tensor),
  );
  const feeds = new Map<Tensor, HostTensor>([
    [x, data.x],
    [y, data.y],
    [key, hostTensor('int32', [2], [0, 0])],
    ...parameters.map(([path, p]) => [p.tensor, weights.get(path)!] as const),
  ]);
  const analytic = await engine.evaluate(gradients, feeds);
  const slope = async (tensor: Tensor, direction: readonly number[], width: number) => {
    const value = feeds.get(tensor)!;
    const start = toNumbers(value);
    const ends: number[] = [];
    for (const side of [1, -1]) {
      const moved = start.map((w, i) => w + side * width * direction[i]!);
      const fed = new Map(feeds).set(tensor, hostTensor('float32', tensor.shape, moved));
      ends.push(toNumbers((await engine.evaluate([loss], fed))[0]!)[0]!);
    }
    return (ends[0]! - ends[1]!) / (2 * width);
  };
  let worst = 0;
  for (const [i, [, p]] of trained.entries()) {
    const g = toNumbers(analytic[i]!);
    const length = Math.hypot(...g);
    const direction = g.map((v) => v / length);
    // Two widths cancel the curve's cubic term (Richardson); narrower ones drown in rounding.
    const [wide, narrow] = [
      await slope(p.tensor, direction, 8e-3),
      await slope(p.tensor, direction, 4e-3),
    ];
    const numeric = (4 * narrow - wide) / 3;
    worst = Math.max(worst, Math.abs(numeric - length) / length);
  }
  return {
    tensors: trained.length,
    worst,
    forwardNodes: toposort(optimize([loss])).length,
    stepNodes: toposort(optimize([loss, ...gradients])).length,
  };
}

/** What a run of the demo found. */
export interface DemoResult {
  readonly gradient: GradientCheck;
  readonly losses: readonly number[];
  readonly accuracy: { readonly before: number; readonly after: number };
  /** True when a run stopped halfway, saved and resumed gave the very same bits. */
  readonly resumedEqual: boolean;
}

const BLOCKS = '▁▂▃▄▅▆▇█';

function sparkline(values: readonly number[], width: number): string {
  const at = (i: number) => values[Math.floor((i * (values.length - 1)) / (width - 1))]!;
  const top = Math.max(...values);
  return Array.from(
    { length: width },
    (_, i) => BLOCKS[Math.min(7, Math.floor((8 * at(i)) / top))],
  ).join('');
}

/** Order of the training pictures in an epoch: a shuffle that depends on the epoch alone. */
function order(count: number, epoch: number): number[] {
  const key = makeKey(11, epoch);
  return Array.from({ length: count }, (_, i) => [uniformAt(key, i), i] as const)
    .sort(([a], [b]) => a - b)
    .map(([, i]) => i);
}

/**
 * Runs the demo.
 * @param print takes a finished line
 * @param progress takes the progress bar, which overwrites itself
 */
export async function demo(
  print: (line: string) => void,
  progress: (bar: string, done: boolean) => void,
  { epochs = 12, pictures = 480 }: { epochs?: number; pictures?: number } = {},
): Promise<DemoResult> {
  const engine = await createEngine();
  const train = drawShapes(pictures, 1);
  const held = drawShapes(240, 2);
  const perEpoch = Math.floor(pictures / BATCH);
  const total = epochs * perEpoch;
  const batchAt = (i: number) => {
    const at = (i % perEpoch) * BATCH;
    return { ...pick(train, order(pictures, Math.floor(i / perEpoch)).slice(at, at + BATCH)) };
  };

  print(
    `Graft: a training step is one ONNX graph (${engine.runtime.device}, ${engine.runtime.threads} threads)`,
  );
  print('');
  print(`Data     ${pictures} pictures to learn from, 240 unseen ones to judge by, drawn in code:`);
  const labels = toNumbers(held.y);
  const shown = SHAPES.map((_, label) => labels.indexOf(label));
  const rows = shown.map((i) => sketch(held, i));
  for (let line = 0; line < SIDE / 2; line++)
    print(`         ${rows.map((r) => r[line]).join('  ')}`);
  print(
    `         ${SHAPES.map((name) => name.padEnd(SIDE + 2))
      .join('')
      .trimEnd()}`,
  );
  print('');

  const gradient = await checkGradient(
    engine,
    pick(
      train,
      Array.from({ length: 16 }, (_, i) => i),
    ),
  );
  print(
    `Gradient of all ${gradient.tensors} parameter tensors against central differences of the loss:`,
  );
  print(
    `         largest relative difference ${gradient.worst.toExponential(1)} (single precision)`,
  );

  const started = performance.now();
  const trainee = await makeTrainee(engine, total);
  const first = await trainee.step.step(batchAt(0));
  const compiled = performance.now() - started;
  const size = [...trainee.net.parameters().values()].reduce((n, p) => n + p.tensor.size, 0);
  print(
    `Step     ${gradient.forwardNodes} nodes forward, ${gradient.stepNodes} with the gradient; ${size} weights`,
  );
  print(
    `         ready in ${compiled.toFixed(0)} ms: traced, differentiated, encoded, loaded, first step done`,
  );
  print(`         ${trainee.step.updatedInPlace.length} tensors updated in place by the optimizer`);
  print('');

  const score = await makeScorer(engine, trainee, 240);
  const fresh = await makeTrainee(engine, total);
  const before = accuracyOf(await (await makeScorer(engine, fresh, 240))(held.x), held);
  const losses = [first.loss];
  const halfway = Math.floor(total / 2);
  let saved: Awaited<ReturnType<TrainStep['save']>> | undefined;
  let accuracy = before;
  const begun = performance.now();
  for (let i = 1; i < total; i++) {
    if (i === halfway) saved = await trainee.step.save();
    losses.push((await trainee.step.step(batchAt(i))).loss);
    if ((i + 1) % perEpoch === 0) accuracy = accuracyOf(await score(held.x), held);
    const part = (i + 1) / total;
    const left = ((performance.now() - begun) / i) * (total - 1 - i);
    const filled = Math.round(part * 24);
    progress(
      `Training ${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${String(i + 1).padStart(4)}/${total}  loss ${losses[i]!.toFixed(3)}  accuracy ${(100 * accuracy).toFixed(1).padStart(5)} %  ${(left / 1000).toFixed(1)} s left`,
      (i + 1) % perEpoch === 0,
    );
  }
  const seconds = (performance.now() - begun) / 1000;
  print('');
  print(`Loss     ${sparkline(losses, 60)}`);
  print(`         ${losses[0]!.toFixed(3)} at the start, ${losses.at(-1)!.toFixed(3)} at the end`);
  print(
    `Accuracy on unseen pictures: ${(100 * before).toFixed(1)} % before, ${(100 * accuracy).toFixed(1)} % after`,
  );
  print(
    `Speed    ${((total - 1) / seconds).toFixed(0)} steps a second, ${(((total - 1) * BATCH) / seconds).toFixed(0)} pictures a second`,
  );

  // A second run starts from the state saved halfway and sees the same second half.
  let resumedEqual = false;
  if (saved) {
    await fresh.step.load(saved);
    for (let i = halfway; i < total; i++) await fresh.step.step(batchAt(i));
    const [a, b] = [await trainee.step.save(), await fresh.step.save()];
    resumedEqual = Object.entries(a.tensors).every(([name, t]) => {
      const other = b.tensors[name]!.data;
      return Buffer.compare(bytesOf(t.data), bytesOf(other)) === 0;
    });
  }
  print(
    `Resume   stopped halfway, saved, loaded, finished: ${resumedEqual ? 'the same bits' : 'DIFFERENT bits'} in every weight and optimizer moment`,
  );
  trainee.step.free();
  fresh.step.free();
  await engine.release();
  return { gradient, losses, accuracy: { before, after: accuracy }, resumedEqual };
}

function bytesOf(data: HostTensor['data']): Uint8Array {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

const entry = process.argv[1];
if (entry && realpathSync(entry) === fileURLToPath(import.meta.url)) {
  const terminal = process.stdout.isTTY;
  const result = await demo(
    (line) => console.log(line),
    (bar, done) => {
      // A bar redraws itself on a terminal; a log gets a line an epoch.
      if (terminal) process.stdout.write(`\r${bar}\x1b[K`);
      else if (done) console.log(bar);
    },
  );
  process.exitCode = result.resumedEqual && result.gradient.worst < 0.01 ? 0 : 1;
}
