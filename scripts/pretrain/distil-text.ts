/** Teaches a smaller encoder to give the hidden states of a larger one. */
import {
  adamW,
  Context,
  type Engine,
  type HostTensor,
  hostTensor,
  KeyedRandom,
  linearRate,
  type Tensor,
  TrainStep,
  type Weights,
} from '../../src/index.js';
import { TEXT_INPUTS, type TextModel } from '../../src/models/index.js';
import { add, cast, mul, sub, sum } from '../../src/ops/index.js';
import { meanPooled, unitRows } from '../../src/tasks/index.js';

/** An encoder with its weights. */
export interface Encoder {
  readonly model: TextModel;
  readonly weights: Weights;
}

/** How it is taught. */
export interface DistilOptions {
  /** Token ids of the pieces of text, special tokens included. */
  readonly pieces: readonly Int32Array[];
  readonly tokens: number;
  readonly padToken: number;
  readonly batchSize: number;
  readonly epochs: number;
  readonly lr: number;
  readonly seed: number;
  readonly log: (step: number, steps: number, loss: number) => void;
}

/** Weight of the direction of the mean beside that of every token. */
const POOLED = 1;

function batchOf(
  pieces: readonly Int32Array[],
  { tokens, padToken, batchSize }: DistilOptions,
): Record<string, HostTensor> {
  const ids = new Int32Array(batchSize * tokens).fill(padToken);
  const mask = new Int32Array(batchSize * tokens);
  for (let r = 0; r < batchSize; r++) {
    const piece = pieces[r] ?? new Int32Array([padToken]);
    ids.set(piece, r * tokens);
    mask.fill(1, r * tokens, r * tokens + piece.length);
  }
  const shape = [batchSize, tokens];
  return {
    [TEXT_INPUTS.ids]: hostTensor('int32', shape, ids),
    [TEXT_INPUTS.mask]: hostTensor('int32', shape, mask),
  };
}

/**
 * Mean squared difference of the last hidden states over the tokens (as in Jiao et al., "TinyBERT", 2020), and of
 * the unit vectors of their means.
 */
function distance(student: Tensor, teacher: Tensor, mask: Tensor) {
  const seen = cast(mask, 'float32');
  const error = sub(student, teacher);
  const byToken = mul(sum(mul(error, error), { axes: 2 }), 1 / student.shape[2]!);
  const apart = sub(unitRows(meanPooled(student, mask)), unitRows(meanPooled(teacher, mask)));
  const byText = sum(mul(apart, apart), { axes: 1, keepDims: true });
  return { loss: sum(mul(seen, add(byToken, mul(byText, POOLED)))), weight: sum(seen) };
}

/** Trains `student` in place of its weights; returns the new ones. */
export async function distil(
  engine: Engine,
  teacher: Encoder,
  student: Encoder,
  options: DistilOptions,
): Promise<Weights> {
  const { pieces, batchSize, epochs, lr, seed, log } = options;
  const constants = new Map<Tensor, HostTensor>();
  for (const [path, p] of teacher.model.parameters()) {
    constants.set(p.tensor, teacher.weights.get(path)!);
  }
  const perEpoch = Math.ceil(pieces.length / batchSize);
  const steps = perEpoch * epochs;
  const step = await TrainStep.create(engine, {
    parameters: [...student.model.parameters()].map(([name, p]) => ({
      name,
      tensor: p.tensor,
      value: student.weights.get(name)!,
    })),
    constants,
    optimizer: adamW({ lr: linearRate({ lr, warmup: Math.round(0.05 * steps), total: steps }) }),
    clip: { norm: 1 },
    seed,
    trace: (batch) => {
      // No dropout: what is asked for is a function, and there is more text than the student can learn by heart.
      const plain = new Context({ training: false });
      const mask = batch[TEXT_INPUTS.mask]!;
      const [s, t] = [student.model.through(batch, plain), teacher.model.through(batch, plain)];
      return distance(s, t, mask);
    },
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = KeyedRandom.of(seed).fold(epoch).permutation(pieces.length);
    for (let b = 0; b < perEpoch; b++) {
      const chosen = order.slice(b * batchSize, (b + 1) * batchSize).map((i) => pieces[i]!);
      const { loss } = await step.step(batchOf(chosen, options));
      log(epoch * perEpoch + b + 1, steps, loss);
    }
  }
  const { tensors } = await step.save();
  step.free();
  return new Map([...student.weights.keys()].map((path) => [path, tensors[path]!]));
}
