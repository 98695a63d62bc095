/** ResNet-50 as `src/train` runs it, for the table and for the memory probe. */
import type { ImageSample } from '../../src/data/index.js';
import { WorkerImageLoader } from '../../src/data/index.node.js';
import { Engine, type HostTensor, hostTensor, initialize, type Weights } from '../../src/index.js';
import { featureExtraction, fineTune } from '../../src/methods/index.js';
import {
  findVariant,
  type ImageClassifier,
  type ImagePreprocess,
  type ModelDefinition,
  PIXELS,
} from '../../src/models/index.js';
import { ImageStream } from '../../src/run/image-stream.js';
import { nodeRuntime } from '../../src/runtime/ort-node.js';
import { imageClassification } from '../../src/tasks/index.js';
import {
  type BatchStream,
  Forward,
  MemoryCheckpoints,
  PhaseRun,
  type StreamBatch,
  Trainer,
} from '../../src/train/index.js';
import { CLASSES } from '../pictures.js';
import { randomTensor } from '../random.js';
import type { Step, Steps } from './train.js';

export const THREADS = 2;
export const BATCH = 16;
const SIZE = 224;
/** Passes of a head over kept features. */
export const EPOCHS = 10;
/** Long enough that no learning rate comes to its end while it is measured. */
const LONG = 1000;

/** A network with fresh weights, as a run prepares it. */
interface Prepared {
  readonly definition: ModelDefinition;
  readonly model: ImageClassifier;
  readonly weights: Weights;
  readonly preprocess: ImagePreprocess;
  readonly structure: string;
  readonly isHead: (path: string) => boolean;
}

async function resnet50(): Promise<Prepared> {
  const { definition, variant } = await findVariant('resnet50');
  const labels = Array.from({ length: CLASSES }, (_, i) => `class ${i}`);
  const config = { ...variant.config, labels };
  const model = definition.build(config);
  return {
    definition,
    model,
    weights: initialize(model, 0),
    preprocess: variant.preprocess,
    structure: `resnet:${JSON.stringify(definition.write(config))}`,
    isHead: (path) => definition.roles.head!.test(path),
  };
}

/** Options of a run that every row shares. */
const COMMON = {
  task: imageClassification,
  valid: null,
  optimizer: { name: 'adamw', weightDecay: 0.01 },
  clipNorm: 1,
  seed: 0,
} as const;

const pictureTensor = (batch: number, size: number): HostTensor =>
  randomTensor('x', [batch, 3, size, size]);

/** A batch through the frozen trunk, as kept features are computed. */
export async function trunkForward(engine: Engine): Promise<() => Promise<unknown>> {
  const { model, weights } = await resnet50();
  const x = pictureTensor(BATCH, SIZE);
  const forward = new Forward(engine, model, { part: 'trunk', weights });
  return () => forward.run({ [PIXELS]: x });
}

/** One batch, again and again. */
function fixedStream(batchSize: number, size: number): BatchStream & { batch: StreamBatch } {
  const labels = Array.from({ length: batchSize }, (_, i) => i % CLASSES);
  const targets = new Float32Array(batchSize * CLASSES);
  for (const [row, label] of labels.entries()) targets[row * CLASSES + label] = 1;
  const labelFeeds = {
    targets: hostTensor('float32', [batchSize, CLASSES], targets),
    weights: hostTensor('float32', [batchSize], new Float32Array(batchSize).fill(1)),
  };
  const batch = {
    feeds: { ...labelFeeds, [PIXELS]: pictureTensor(batchSize, size) },
    indices: labels.map((_, i) => i),
  };
  return {
    samples: batchSize,
    batchSize,
    truth: labels,
    fingerprint: 'fixed',
    labelFeeds: () => labelFeeds,
    batch,
    async *read() {
      yield batch;
    },
  };
}

/** The second phase of the method `fine-tune`: all weights move, batch norms are frozen. */
async function fineTuning(engine: Engine, train: BatchStream): Promise<PhaseRun> {
  const { definition, model, weights } = await resnet50();
  const phases = fineTune.plan({
    model,
    hasRole: (path) => definition.roles.head!.test(path),
    epochs: LONG,
  });
  return PhaseRun.create({
    ...COMMON,
    engine,
    model,
    weights,
    train,
    phase: phases.at(-1)!,
    steps: LONG,
    ema: undefined,
  });
}

/** A step on a ready batch. */
export async function fullStep(engine: Engine, batch = BATCH, size = SIZE): Promise<Step> {
  const stream = fixedStream(batch, size);
  const run = await fineTuning(engine, stream);
  return async () => (await run.update([stream.batch])).loss;
}

export const FULL_STEP = 'ResNet-50 full step';
/** For the memory probe. */
export const STEPS: Steps = { [FULL_STEP]: (engine) => fullStep(engine) };

/** Pictures of a folder, read as a run does it; decoded anew every time unless `cacheBytes` keeps them. */
async function pictureStream(
  samples: readonly ImageSample[],
  cacheBytes?: number,
): Promise<ImageStream> {
  const { variant } = await findVariant('resnet50');
  return new ImageStream(
    new WorkerImageLoader(samples, {
      classes: CLASSES,
      preprocess: variant.preprocess,
      batchSize: BATCH,
      augmentation: 'default',
      ...(cacheBytes === undefined ? {} : { cacheBytes }),
    }),
  );
}

/** Copies of a list under other names: an epoch that does not end while it is measured. */
const COPIES = 20;

/** The same step on a ready batch and on batches from files. */
export interface FedStep {
  readonly ready: () => Promise<unknown>;
  /** Starts reading and takes the first step: from then on batches are made ahead. */
  begin(): Promise<void>;
  readonly fed: () => Promise<unknown>;
  /** Milliseconds to make a batch while nothing else runs. */
  alone(batches: number): Promise<number>;
  /** Stops reading. */
  end(): Promise<void>;
  /** Gives up the thread that reads. */
  close(): Promise<void>;
}

/** @param cacheBytes memory for decoded pictures, 0 for none */
export async function fedStep(
  engine: Engine,
  samples: readonly ImageSample[],
  cacheBytes: number,
): Promise<FedStep> {
  const many = Array.from({ length: COPIES }, (_, copy) =>
    samples.map((s) => ({ ...s, id: `${copy}/${s.id}` })),
  ).flat();
  const stream = await pictureStream(many, cacheBytes);
  const run = await fineTuning(engine, stream);
  const { batch: readyBatch } = fixedStream(BATCH, SIZE);
  let epoch = 0;
  const read = () => stream.read({ epoch: epoch++, training: true })[Symbol.asyncIterator]();
  let batches = read();
  const next = async () => (await batches.next()).value as StreamBatch;
  return {
    ready: () => run.update([readyBatch]),
    async begin() {
      batches = read();
      await run.update([await next()]);
    },
    fed: async () => run.update([await next()]),
    async alone(count) {
      batches = read();
      await next();
      const start = performance.now();
      for (let i = 0; i < count; i++) await next();
      return (performance.now() - start) / count;
    },
    // What was made ahead is given up, so that it does not run beside the other side.
    end: async () => void (await batches.return?.(undefined)),
    close: () => stream.close(),
  };
}

/** A run of the method `feature-extraction`, from files to a trained head. */
export async function headEpochs(samples: readonly ImageSample[]): Promise<() => Promise<unknown>> {
  const prepared = await resnet50();
  const phases = featureExtraction.plan({
    model: prepared.model,
    hasRole: (path) => prepared.isHead(path),
    epochs: EPOCHS,
  });
  return async () => {
    // Everything anew, as in a run of its own: nothing is compiled or decoded yet.
    const engine = new Engine(await nodeRuntime({ threads: THREADS }));
    const train = await pictureStream(samples);
    const trainer = new Trainer({
      ...COMMON,
      ...prepared,
      engine,
      phases,
      train,
      accumulate: 1,
      checkpoints: new MemoryCheckpoints(),
    });
    const result = await trainer.run();
    await train.close();
    await engine.release();
    return result;
  };
}
