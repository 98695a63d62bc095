/**
 * What a frozen trunk computes for heads that answer for each token: as many rows as the batch has tokens, and
 * targets that may differ from pass to pass, such as masked words. So it is computed for each batch and not kept.
 */
import type { Engine } from '../engine/index.js';
import { inputName } from '../graph/index.js';
import type { Network } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { DeviceTensor } from '../runtime/index.js';
import { FEATURES, Forward, placeholders, tracePart } from './forward.js';
import type { BatchStream, ReadOptions, StreamBatch } from './stream.js';

/** Whether a trunk gives each token of these batches a row of its own. */
export async function readsTokens(stream: BatchStream, model: Network): Promise<boolean> {
  if (!stream.ofTokens) return false;
  for await (const { feeds } of stream.read({ epoch: 0, training: false })) {
    return tracePart(model, 'trunk', placeholders(feeds)).shape.length > 2;
  }
  return false;
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
