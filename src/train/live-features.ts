/**
 * What a frozen trunk computes for heads that answer for each token, computed for each batch: where words are masked
 * anew in every pass, or where there are too many to keep.
 */
import type { Engine } from '../engine/index.js';
import { inputName } from '../graph/index.js';
import type { Network } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import { FEATURES, Forward, placeholders, tracePart } from './forward.js';
import type { BatchStream, ReadOptions, StreamBatch } from './stream.js';

/** Width of the rows that a trunk gives the tokens of these batches; null where it gives a text one row. */
export async function tokenWidth(stream: BatchStream, model: Network): Promise<number | null> {
  if (!stream.ofTokens) return null;
  for await (const { feeds } of stream.read({ epoch: 0, training: false })) {
    const { shape } = tracePart(model, 'trunk', placeholders(feeds));
    return shape.length > 2 ? shape[2]! : null;
  }
  return null;
}

/** What {@link LiveFeatures} works with. */
export interface LiveFeatureOptions {
  readonly engine: Engine;
  readonly model: Network;
  readonly weights: Weights;
  readonly isHead: (path: string) => boolean;
}

/** Batches of a stream with the frozen trunk's features beside what they hold. */
export class LiveFeatures implements BatchStream {
  readonly samples: number;
  readonly batchSize: number;
  readonly truth: readonly unknown[];
  readonly fingerprint: string;
  private readonly source: BatchStream;
  private readonly engine: Engine;
  private readonly trunk: Forward;
  private readonly weights: Readonly<Record<string, DeviceTensor>>;

  private constructor(
    source: BatchStream,
    engine: Engine,
    trunk: Forward,
    weights: Readonly<Record<string, DeviceTensor>>,
  ) {
    this.samples = source.samples;
    this.batchSize = source.batchSize;
    this.truth = source.truth;
    this.fingerprint = `features:${source.fingerprint}`;
    this.source = source;
    this.engine = engine;
    this.trunk = trunk;
    this.weights = weights;
  }

  static async create(
    source: BatchStream,
    { engine, model, weights, isHead }: LiveFeatureOptions,
  ): Promise<LiveFeatures> {
    const fed: Record<string, DeviceTensor> = {};
    // Fed, not constant: each length is a program, and constants would be packed once for each.
    for (const [path, { tensor }] of model.parameters()) {
      if (!isHead(path)) fed[inputName(tensor)!] = await engine.runtime.upload(weights.get(path)!);
    }
    const trunk = new Forward(engine, model, { part: 'trunk', weights: new Map() });
    return new LiveFeatures(source, engine, trunk, fed);
  }

  async *read(options: ReadOptions): AsyncGenerator<StreamBatch> {
    for await (const batch of this.source.read(options)) {
      const { data, ...type } = await this.trunk.run(batch.feeds, this.weights);
      // The next batch overwrites it, and a window holds several.
      const features = { ...type, data: data.slice() };
      yield { ...batch, feeds: { ...batch.feeds, [FEATURES]: features } };
    }
  }

  labelFeeds(indices: readonly number[], training: boolean) {
    return this.source.labelFeeds(indices, training);
  }

  free(): void {
    for (const tensor of Object.values(this.weights)) this.engine.runtime.free(tensor);
  }
}
