/** Inference programs of a model's parts, for samples that come from a stream. */
import type { Engine, Program } from '../engine/index.js';
import { type HostTensor, input, type Shape, type Tensor } from '../graph/index.js';
import type { ImageClassifier } from '../models/index.js';
import { Context, type Weights } from '../nn/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import { type BatchStream, rowsOf, rowView, type StreamBatch } from './stream.js';

/** Name of the input of every model, as in Hugging Face's exported models. */
export const PIXELS = 'pixels';
/** Name of the input of a head that runs on kept features. */
export const FEATURES = 'features';

/** Which part of a model a program computes. */
export type Part = 'trunk' | 'head' | 'all';

/** The tensor that a part reads, and what it gives in evaluation mode. */
export function tracePart(
  model: ImageClassifier,
  part: Part,
  shape: Shape,
  training = new Context({ training: false }),
): { x: Tensor; y: Tensor } {
  const x = input(part === 'head' ? FEATURES : PIXELS, 'float32', shape);
  if (part === 'head') return { x, y: model.classify(x, training) };
  const pooled = model.pool(model.features(x, training), training);
  return { x, y: part === 'trunk' ? pooled : model.classify(pooled, training) };
}

/** A part of a model, compiled for one size of batch. */
export class Forward {
  readonly part: Part;
  readonly output: Tensor;
  private readonly engine: Engine;
  private readonly program: Program;

  private constructor(engine: Engine, part: Part, output: Tensor, program: Program) {
    this.engine = engine;
    this.part = part;
    this.output = output;
    this.program = program;
  }

  /**
   * Compiles a part in evaluation mode.
   * @param shape of the input, batch first
   * @param weights those that become constants: packed once, batch norms folded; the others are fed
   */
  static async compile(
    engine: Engine,
    model: ImageClassifier,
    part: Part,
    shape: Shape,
    weights: Weights,
  ): Promise<Forward> {
    const { y } = tracePart(model, part, shape);
    const constants = new Map<Tensor, HostTensor>();
    for (const [path, { tensor }] of model.parameters()) {
      const value = weights.get(path);
      if (value) constants.set(tensor, value);
    }
    const program = await engine.program({ y }, { constants });
    return new Forward(engine, part, y, program);
  }

  /** Runs on one batch; the result is valid until the next run. */
  async run(
    x: HostTensor,
    weights: Readonly<Record<string, DeviceTensor>> = {},
  ): Promise<HostTensor> {
    const name = this.part === 'head' ? FEATURES : PIXELS;
    const { y } = await this.program.run({ ...weights, [name]: x });
    const value = await this.engine.runtime.download(y!);
    if (this.engine.runtime.device === 'cpu') return value;
    const copy = { ...value, data: value.data.slice() };
    this.engine.runtime.free(y!);
    return copy;
  }
}

/** How a stream is walked. */
export interface CollectOptions {
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Ends the walk between two batches. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * What a stream is walked for: one result a sample, whatever the order of the batches.
 * @throws the signal's reason when it is aborted on the way
 */
export async function collect(
  stream: BatchStream,
  compile: (first: StreamBatch) => Promise<(batch: StreamBatch) => Promise<HostTensor>>,
  { progress = () => {}, signal }: CollectOptions = {},
): Promise<HostTensor> {
  let run: ((batch: StreamBatch) => Promise<HostTensor>) | undefined;
  let all: Float32Array | undefined;
  let shape: Shape = [];
  let done = 0;
  for await (const batch of stream.read({ epoch: 0, training: false })) {
    signal?.throwIfAborted();
    run ??= await compile(batch);
    const rows = await run(batch);
    shape = rows.shape.slice(1);
    const width = shape.reduce((a, b) => a * b, 1);
    all ??= new Float32Array(stream.samples * width);
    for (const [row, sample] of rowsOf(batch.indices)) {
      all.set(rowView(rows, row), sample * width);
      done++;
    }
    progress(done, stream.samples);
  }
  return { dtype: 'float32', shape: [stream.samples, ...shape], data: all ?? new Float32Array(0) };
}
