/**
 * Trains a small net with dropout and batch norm for some steps, and saves its whole state.
 * Arguments: the state to start from (or `-`), the step to stop at, the file to write.
 */
import process from 'node:process';
import {
  adamW,
  BatchNorm,
  Context,
  cosineRate,
  createEngine,
  crossEntropy,
  Dropout,
  hostTensor,
  initialize,
  KeyedRandom,
  Lambda,
  Linear,
  relu,
  Sequential,
  TrainStep,
} from '../../src/index.js';
import { readSafetensors, writeSafetensors } from '../../src/io/safetensors-file.js';

const [from, until, to] = process.argv.slice(2) as [string, string, string];
const BATCH = 8;
const SEED = 11;

const net = new Sequential(
  new Linear(6, 16),
  new BatchNorm(16),
  new Lambda(relu),
  new Dropout(0.3),
  new Linear(16, 3),
);
const weights = initialize(net, SEED);
const named = (kind: 'weight' | 'buffer') =>
  [...net.parameters()]
    .filter(([, p]) => p.kind === kind)
    .map(([name, p]) => ({ name, tensor: p.tensor, value: weights.get(name)! }));

const engine = await createEngine({ device: 'cpu', threads: 2 });
const step = await TrainStep.create(engine, {
  parameters: named('weight'),
  buffers: named('buffer'),
  optimizer: adamW({ lr: cosineRate({ lr: 0.01, warmup: 10, total: 200 }) }),
  clip: { norm: 1 },
  seed: SEED,
  trace: ({ x, y }, key) => {
    const context = new Context({ training: true, key });
    return { loss: crossEntropy(net.forward(x!, context), y!), updates: context.updates };
  },
});
if (from !== '-') {
  const { tensors, metadata } = await readSafetensors(from);
  await step.load({
    step: Number(metadata.step),
    batches: Number(metadata.batches),
    tensors: Object.fromEntries(tensors),
  });
}
while (step.steps < Number(until)) {
  const random = KeyedRandom.of(SEED, step.steps);
  const x = hostTensor('float32', [BATCH, 6], random.fold('x').normals(BATCH * 6));
  const y = hostTensor(
    'int64',
    [BATCH],
    Array.from({ length: BATCH }, (_, i) => random.fold('y').integer(i, 3)),
  );
  await step.step({ x, y });
}
const state = await step.save();
await writeSafetensors(to, new Map(Object.entries(state.tensors)), {
  step: String(state.step),
  batches: String(state.batches),
});
