/**
 * What a frozen trunk computes for a deterministic input, computed once. Training a head then reads
 * a few thousand numbers a sample in place of a pass through the network.
 */
import type { Engine } from '../engine/index.js';
import { type DType, filled, type HostTensor } from '../graph/index.js';
import type { Network } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { Row } from '../tasks/index.js';
import { hashBytes, hashText, KeyedRandom } from '../util/index.js';
import { collect, FEATURES, Forward } from './forward.js';
import { KeptTokens, keepsTokens } from './kept-tokens.js';
import { LiveFeatures, tokenWidth } from './live-features.js';
import { type BatchStream, type ReadOptions, rowsOf, rowView, type StreamBatch } from './stream.js';

/** Keeps features between runs. */
export interface FeatureStore {
  /** Features under this key; null when there are none, or none that can be read. */
  get(key: string): Promise<HostTensor | null>;
  put(key: string, features: HostTensor): Promise<void>;
}

/** Stands for the values of all weights that the trunk reads. */
function trunkFingerprint(model: Network, weights: Weights, isHead: (p: string) => boolean) {
  const parts: string[] = [];
  for (const path of model.parameters().keys()) {
    if (isHead(path)) continue;
    const { data } = weights.get(path)!;
    parts.push(path, hashBytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
  }
  return parts.join('|');
}

/** What {@link featureStream} works with. */
export interface FeatureOptions {
  readonly engine: Engine;
  readonly model: Network;
  readonly weights: Weights;
  readonly isHead: (path: string) => boolean;
  /** Stands for the network that the weights belong to: its type and configuration. */
  readonly structure: string;
  /** Seed of the order in which the kept samples are read. */
  readonly seed: number;
  readonly store?: FeatureStore | undefined;
  readonly progress?: (done: number, total: number) => void;
  /** Ends the computing between two batches; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A stream of features in place of pixels or ids. They are kept where a sample has the same in every batch. The key
 * under which they are stored covers the trunk's weights, its structure and the stream's fingerprint, so none of them
 * can go stale.
 */
export async function featureStream(
  stream: BatchStream,
  options: FeatureOptions,
): Promise<BatchStream> {
  const { engine, model, weights, isHead, structure, seed, store, progress, signal } = options;
  const width = await tokenWidth(stream, model);
  if (width !== null) {
    const kind = keepsTokens(stream, width) ? KeptTokens : LiveFeatures;
    return kind.create(stream, options);
  }
  const identity = `${structure}|${stream.fingerprint}|${trunkFingerprint(model, weights, isHead)}`;
  const key = [0, 1, 2, 3].map((i) => hashText(`${i}${identity}`).toString(16).padStart(8, '0'));
  const name = key.join('');
  let features = (await store?.get(name)) ?? null;
  if (!features || features.shape[0] !== stream.samples) {
    const forward = new Forward(engine, model, { part: 'trunk', weights });
    features = packed(
      await collect(stream, ({ feeds }) => forward.run(feeds), { progress, signal }),
    );
    await store?.put(name, features);
  }
  return new FeatureStream(stream, features, seed);
}

/** Rows of one shape as one tensor. */
function packed(rows: readonly Row[]): HostTensor {
  const shape = rows[0]?.shape ?? [];
  const width = shape.reduce((a, b) => a * b, 1);
  const data = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) data.set(row.data, i * width);
  return { dtype: 'float32' satisfies DType, shape: [rows.length, ...shape], data };
}

/** Batches of kept rows; targets and weights are made anew by the stream they came from. */
class FeatureStream implements BatchStream {
  readonly samples: number;
  readonly batchSize: number;
  readonly truth: readonly unknown[];
  readonly fingerprint: string;
  private readonly source: BatchStream;
  private readonly features: HostTensor;
  private readonly order: KeyedRandom;

  constructor(source: BatchStream, features: HostTensor, seed: number) {
    this.samples = source.samples;
    this.truth = source.truth;
    // A row is small, so the steps of a head can take larger batches; the optimum hardly moves.
    this.batchSize = source.batchSize;
    this.fingerprint = `features:${source.fingerprint}`;
    this.source = source;
    this.features = features;
    this.order = KeyedRandom.of(seed).fold('features');
  }

  async *read({ epoch, from = 0, training }: ReadOptions): AsyncGenerator<StreamBatch> {
    const order = training
      ? this.order.fold(epoch).permutation(this.samples)
      : Uint32Array.from({ length: this.samples }, (_, i) => i);
    for (let start = from * this.batchSize; start < this.samples; start += this.batchSize) {
      const indices = Array.from({ length: this.batchSize }, (_, i) => order[start + i] ?? -1);
      yield {
        feeds: { ...this.source.labelFeeds(indices, training), [FEATURES]: this.rows(indices) },
        indices,
      };
    }
  }

  labelFeeds(indices: readonly number[], training: boolean) {
    return this.source.labelFeeds(indices, training);
  }

  private rows(indices: readonly number[]): HostTensor {
    const shape = [this.batchSize, ...this.features.shape.slice(1)];
    const rows = filled('float32', shape, 0);
    for (const [row, sample] of rowsOf(indices)) {
      rowView(rows, row).set(rowView(this.features, sample));
    }
    return rows;
  }
}
