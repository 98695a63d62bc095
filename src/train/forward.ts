/** Inference programs of a model's parts, for samples that come from a stream. */
import type { Batch, Engine, Program } from '../engine/index.js';
import { formatType, type HostTensor, input, type Tensor } from '../graph/index.js';
import type { BatchTensors, Network } from '../models/index.js';
import { Context, type Weights } from '../nn/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import type { Row } from '../tasks/index.js';
import { type BatchStream, rowsOf, rowView, type StreamBatch } from './stream.js';

/** Name of the input of a head that runs on kept features. */
export const FEATURES = 'features';

/** Which part of a model a program computes. */
export type Part = 'trunk' | 'head' | 'all';

/** What a part of a model gives for a batch. */
export function tracePart(
  model: Network,
  part: Part,
  batch: BatchTensors,
  context = new Context({ training: false }),
): Tensor {
  if (part === 'trunk') return model.throughTrunk(batch, context);
  if (part === 'head') return model.throughHead(batch[FEATURES]!, batch, context);
  return model.through(batch, context);
}

/** Placeholders for the tensors of a batch. */
export function placeholders(batch: Batch): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(batch).map(([name, t]) => [name, input(name, t.dtype, t.shape)] as const),
  );
}

/** How a part is compiled. */
export interface ForwardOptions {
  readonly part: Part;
  /** Weights that become constants: packed once, batch norms folded; the others are fed. */
  readonly weights: Weights;
  /** What is kept of the output, batch first; all of it by default. */
  readonly keep?: ((outputs: Tensor, batch: BatchTensors) => Tensor) | undefined;
}

/** A part of a model in evaluation mode, compiled for each signature of batches that comes. */
export class Forward {
  private readonly engine: Engine;
  private readonly model: Network;
  private readonly options: ForwardOptions;
  private readonly constants = new Map<Tensor, HostTensor>();
  private readonly programs = new Map<string, Promise<Program>>();

  constructor(engine: Engine, model: Network, options: ForwardOptions) {
    this.engine = engine;
    this.model = model;
    this.options = options;
    for (const [path, { tensor }] of model.parameters()) {
      const value = options.weights.get(path);
      if (value) this.constants.set(tensor, value);
    }
  }

  private compile(batch: Batch): Promise<Program> {
    const signature = Object.entries(batch)
      .map(([name, t]) => `${name}:${formatType(t)}`)
      .sort()
      .join(';');
    let program = this.programs.get(signature);
    if (!program) {
      const { part, keep = (outputs) => outputs } = this.options;
      const tensors = placeholders(batch);
      const y = keep(tracePart(this.model, part, tensors), tensors);
      program = this.engine.program({ y }, { constants: this.constants });
      program.catch(() => this.programs.delete(signature));
      this.programs.set(signature, program);
    }
    return program;
  }

  /** Runs on one batch; the result is valid until the next run. */
  async run(
    batch: Batch,
    weights: Readonly<Record<string, DeviceTensor>> = {},
  ): Promise<HostTensor> {
    const program = await this.compile(batch);
    const { y } = await program.run({ ...weights, ...batch });
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
 * What a stream is walked for: one row a sample, in the order of the samples, whatever that of the
 * batches. A sample that no batch held, since it could not be read, has zeros.
 * @throws the signal's reason when it is aborted on the way
 */
export async function collect(
  stream: BatchStream,
  run: (batch: StreamBatch) => Promise<HostTensor>,
  { progress = () => {}, signal }: CollectOptions = {},
): Promise<Row[]> {
  const found = new Array<Row | undefined>(stream.samples);
  let some: Row = { shape: [0], data: new Float32Array(0) };
  let done = 0;
  for await (const batch of stream.read({ epoch: 0, training: false })) {
    signal?.throwIfAborted();
    const rows = await run(batch);
    const shape = rows.shape.slice(1);
    for (const [row, sample] of rowsOf(batch.indices)) {
      some = { shape, data: rowView(rows, row).slice() };
      found[sample] = some;
      done++;
    }
    progress(done, stream.samples);
  }
  return Array.from(
    found,
    (row) => row ?? { shape: some.shape, data: new Float32Array(some.data.length) },
  );
}
