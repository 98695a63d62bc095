/**
 * A two-layer CNN learns to tell horizontal stripes, vertical stripes and checkers apart. It runs
 * unchanged in Node and in a browser: hand `train` the engine that `createEngine` gives there.
 */
import {
  Context,
  Conv2d,
  crossEntropy,
  type Engine,
  globalAvgPool,
  type HostTensor,
  hostTensor,
  initialize,
  Linear,
  Module,
  makeKey,
  maxPool2d,
  relu,
  reshape,
  sgd,
  type Tensor,
  TrainStep,
  uniformAt,
} from '../src/api.js';

const SIZE = 12;
const BATCH = 30;

class Net extends Module {
  readonly conv1 = new Conv2d(1, 8, 3, { padding: 1 });
  readonly conv2 = new Conv2d(8, 16, 3, { padding: 1 });
  readonly head = new Linear(16, 3);

  override forward(x: Tensor, _context: Context): Tensor {
    const low = maxPool2d(relu(this.conv1.forward(x)), 2);
    const high = relu(this.conv2.forward(low));
    return this.head.forward(reshape(globalAvgPool(high), [x.shape[0]!, 16]));
  }
}

/** One batch of noisy patterns; the same index gives the same images on every platform. */
export function makeBatch(index: number): { x: HostTensor; y: HostTensor } {
  const key = makeKey(index);
  const patterns = [
    (row: number, _: number) => row & 1,
    (_: number, column: number) => column & 1,
    (row: number, column: number) => (row + column) & 1,
  ];
  const labels = Array.from({ length: BATCH }, (_, i) => i % 3);
  const pixels = Float32Array.from({ length: BATCH * SIZE * SIZE }, (_, i) => {
    const pixel = i % (SIZE * SIZE);
    const pattern = patterns[labels[Math.floor(i / (SIZE * SIZE))]!]!;
    return pattern(Math.floor(pixel / SIZE), pixel % SIZE) + 2 * uniformAt(key, i) - 1.5;
  });
  return {
    x: hostTensor('float32', [BATCH, 1, SIZE, SIZE], pixels),
    y: hostTensor('int64', [BATCH], labels),
  };
}

/** Trains on batches that come round again every `different`; returns the loss of every step. */
export async function train(engine: Engine, steps = 50, different = 5): Promise<number[]> {
  const net = new Net();
  const weights = initialize(net, 1);
  const parameters = [...net.parameters()].map(([name, { tensor }]) => ({
    name,
    tensor,
    value: weights.get(name)!,
  }));
  const step = await TrainStep.create(engine, {
    parameters,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    trace: ({ x, y }) => ({
      loss: crossEntropy(net.forward(x!, new Context({ training: true })), y!),
    }),
  });
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push((await step.step(makeBatch(i % different))).loss);
  step.free();
  return losses;
}
