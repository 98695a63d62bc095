/** Where the loop gets its batches from. */
import type { Batch } from '../engine/index.js';
import type { HostTensor } from '../graph/index.js';
import type { TrainingIds } from './moving-rows.js';

/** One batch, by placeholder name, and which samples it holds. */
export interface StreamBatch {
  readonly feeds: Batch;
  /** Positions in the stream's samples; -1 for padding. */
  readonly indices: readonly number[];
}

/** Which batches are asked for. */
export interface ReadOptions {
  /** Pass over the data, from 0; it keys order and augmentation. */
  readonly epoch: number;
  /** Batches to leave out at the start: where an interrupted pass goes on. */
  readonly from?: number;
  /** True: shuffled and augmented; false: every sample once, in order, as it is evaluated. */
  readonly training: boolean;
}

/**
 * A set of samples that can be read again and again. Batches come in few signatures, each of which is
 * compiled: one for pictures, one for each length bucket of texts.
 */
export interface BatchStream<T = unknown> {
  readonly samples: number;
  readonly batchSize: number;
  /** What is true of each sample, as the task scores it: a class, tags, an answer. */
  readonly truth: readonly T[];
  /**
   * Stands for the samples and for how they are prepared when they are evaluated, so that what was
   * computed from them can be kept.
   */
  readonly fingerprint: string;
  /** Which ids training reads, where that is known beforehand: the rows of a table for others need not move. */
  readonly trainingIds?: TrainingIds | undefined;
  /** Batches hold tokens, in numbers that differ. */
  readonly ofTokens?: boolean;
  /** Tokens of each sample, where what the model reads of a sample is the same in every pass. */
  readonly steadyTokens?: Int32Array | undefined;
  read(options: ReadOptions): AsyncIterable<StreamBatch>;
  /**
   * What the loss reads beside the model's output (targets and weights), for samples chosen by
   * their positions; -1 is padding, of weight 0.
   */
  labelFeeds(indices: readonly number[], training: boolean): Batch;
  /** Gives back what it holds on the device. */
  free?(): void;
}

/** Batches in one pass over a stream. */
export function batchesOf({ samples, batchSize }: BatchStream): number {
  return Math.ceil(samples / batchSize);
}

/** Collects batches into windows of at most `size`. */
export async function* windows(
  batches: AsyncIterable<StreamBatch>,
  size: number,
): AsyncGenerator<StreamBatch[]> {
  let window: StreamBatch[] = [];
  for await (const batch of batches) {
    window.push(batch);
    if (window.length === size) {
      yield window;
      window = [];
    }
  }
  if (window.length > 0) yield window;
}

/** The rows of a batch that are no padding: [row, sample]. */
export function rowsOf(indices: readonly number[]): [number, number][] {
  return indices.flatMap((sample, row) => (sample < 0 ? [] : [[row, sample] as [number, number]]));
}

/** Row `row` of a float32 tensor, as a view. */
export function rowView({ data, shape }: HostTensor, row: number): Float32Array {
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  return (data as Float32Array).subarray(row * width, (row + 1) * width);
}
