/** Steps of whole networks on a fixed batch, for the table and for the memory probe. */
import {
  adamW,
  Context,
  crossEntropy,
  type Engine,
  type HostTensor,
  hostTensor,
  initialize,
  type Module,
  type Optimizer,
  sgd,
  type Tensor,
  TrainStep,
  type Variable,
} from '../../src/index.js';
import { randomTensor } from '../random.js';
import { ResNet50 } from './resnet50.js';
import { Encoder } from './transformer.js';

/** Runs one step and returns its loss. */
export type Step = () => Promise<number>;

const BATCH = 16;

async function stepOf(
  engine: Engine,
  model: Module,
  optimizer: Optimizer,
  x: HostTensor,
  classes: number,
  frozenNorms = false,
): Promise<Step> {
  const weights = initialize(model, 0);
  const parameters: Variable[] = [];
  const buffers: Variable[] = [];
  const constants = new Map<Tensor, HostTensor>();
  for (const [name, p] of model.parameters()) {
    const value = weights.get(name)!;
    if (p.trainable) parameters.push({ name, tensor: p.tensor, value });
    else if (p.kind === 'buffer' && !frozenNorms) buffers.push({ name, tensor: p.tensor, value });
    else constants.set(p.tensor, value);
  }
  const step = await TrainStep.create(engine, {
    parameters,
    buffers,
    constants,
    optimizer,
    trace: (batch) => {
      const context = new Context({ training: true });
      const loss = crossEntropy(model.forward(batch.x!, context), batch.labels!);
      return { loss, updates: context.updates };
    },
  });
  const labels = hostTensor(
    'int64',
    [BATCH],
    Array.from({ length: BATCH }, (_, i) => i % classes),
  );
  return async () => (await step.step({ x, labels })).loss;
}

/** Forward, backward and AdamW of a 12-layer encoder. */
export function transformerStep(engine: Engine): Promise<Step> {
  const x = randomTensor('x', [BATCH, 128, 768]);
  return stepOf(engine, new Encoder(), adamW({ lr: 1e-5 }), x, 2);
}

/** Forward, backward and momentum SGD of a ResNet-50. */
export function resnetStep(engine: Engine, frozenNorms: boolean): Promise<Step> {
  const model = new ResNet50(10);
  if (frozenNorms) model.freezeNorms();
  const x = randomTensor('x', [BATCH, 3, 224, 224]);
  return stepOf(engine, model, sgd({ lr: 1e-3, momentum: 0.9 }), x, 10, frozenNorms);
}

/** How to prepare each step of a benchmark, by the names that both sides give them. */
export type Steps = Readonly<Record<string, (engine: Engine) => Promise<Step>>>;

export const STEPS: Steps = {
  'transformer step': transformerStep,
  'ResNet-50 step': (engine) => resnetStep(engine, false),
  'ResNet-50 step, frozen norms': (engine) => resnetStep(engine, true),
};
