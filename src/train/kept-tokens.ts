/**
 * What a frozen trunk computes for heads that answer for each token, computed once: a row of features a token, laid
 * into the batches of every pass.
 */
import { filled, type HostTensor } from '../graph/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { FEATURES, Forward } from './forward.js';
import type { LiveFeatureOptions } from './live-features.js';
import { type BatchStream, type ReadOptions, rowsOf, rowView, type StreamBatch } from './stream.js';

/** Bytes of one stream's features that are kept; more are computed anew in every pass. */
const MOST_BYTES = 2 ** 30;

/** Whether the features of a stream's tokens are the same in every pass and few enough to keep. */
export function keepsTokens({ steadyTokens }: BatchStream, width: number): boolean {
  if (!steadyTokens) return false;
  const tokens = steadyTokens.reduce((sum, n) => sum + n, 0);
  return tokens * width * Float32Array.BYTES_PER_ELEMENT <= MOST_BYTES;
}

/** How the features are computed. */
export interface KeptTokenOptions extends LiveFeatureOptions {
  readonly progress?: ((done: number, total: number) => void) | undefined;
  /** Ends the computing between two batches; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** Batches of a stream with kept features beside what they hold. */
export class KeptTokens implements BatchStream {
  readonly samples: number;
  readonly batchSize: number;
  readonly truth: readonly unknown[];
  readonly fingerprint: string;
  private readonly source: BatchStream;
  /** A row a token, sample after sample. */
  private readonly rows: readonly Float32Array[];
  private readonly width: number;

  private constructor(source: BatchStream, rows: readonly Float32Array[], width: number) {
    this.samples = source.samples;
    this.batchSize = source.batchSize;
    this.truth = source.truth;
    this.fingerprint = `features:${source.fingerprint}`;
    this.source = source;
    this.rows = rows;
    this.width = width;
  }

  /**
   * Computes the features, in the batches of evaluation: an interrupted run that computes them anew gets the same bits.
   * @throws the signal's reason when it is aborted on the way
   */
  static async create(
    source: BatchStream,
    { engine, model, weights, isHead, progress = () => {}, signal }: KeptTokenOptions,
  ): Promise<KeptTokens> {
    const trunk = new Map([...weights].filter(([path]) => !isHead(path)));
    const forward = new Forward(engine, model, { part: 'trunk', weights: trunk });
    const rows = new Array<Float32Array>(source.samples).fill(new Float32Array(0));
    let width = 0;
    let done = 0;
    for await (const { feeds, indices } of source.read({ epoch: 0, training: false })) {
      signal?.throwIfAborted();
      const features = await forward.run(feeds);
      width = features.shape[2]!;
      for (const [row, sample] of rowsOf(indices)) {
        // What padding gave means nothing.
        rows[sample] = rowView(features, row).slice(0, source.steadyTokens![sample]! * width);
      }
      done += rowsOf(indices).length;
      progress(done, source.samples);
    }
    return new KeptTokens(source, rows, width);
  }

  async *read(options: ReadOptions): AsyncGenerator<StreamBatch> {
    for await (const batch of this.source.read(options)) {
      const features = this.laid(batch);
      yield { ...batch, feeds: { ...batch.feeds, [FEATURES]: features } };
    }
  }

  labelFeeds(indices: readonly number[], training: boolean) {
    return this.source.labelFeeds(indices, training);
  }

  /** The features of a batch, zeros where it is padded. */
  private laid({ feeds, indices }: StreamBatch): HostTensor {
    const [rows, tokens] = feeds[TEXT_INPUTS.ids]!.shape as [number, number];
    const features = filled('float32', [rows, tokens, this.width], 0);
    for (const [row, sample] of rowsOf(indices)) rowView(features, row).set(this.rows[sample]!);
    return features;
  }
}
