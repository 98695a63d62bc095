/** Which texts share a batch, and the few sizes that batches are padded to. */
import {
  fittedBuckets,
  fittedPairs,
  lengthBatches,
  type PairLength,
  pairKeys,
  pairSize,
} from '../data/index.js';
import type { TextItem } from '../tasks/index.js';
import { KeyedRandom } from '../util/index.js';

/**
 * Lengths to pad to. In batches of 16 ten of them add, in %: SST 12, TREC 9, AG news 6, MR 11, CoNLL-2003 18, reviews
 * of books 3; eight 16, 14, 8, 14, 23 and 3. Each takes a program: 0.4 s and memory of its own. A finished
 * model packs its weights once for each, so evaluation has fewer. Two sides take a few more, see {@link pairKeys}.
 */
const SIZES = { training: 10, evaluation: 4 };
const PAIRED_SIZES = { training: 12, evaluation: 6 };

/** Tokens of items. */
export interface ItemLengths {
  readonly sources: Int32Array;
  /** Those that the decoder of an encoder-decoder reads; null for others. */
  readonly targets: Int32Array | null;
}

/** Goes through the items once. */
export function itemLengths(items: readonly TextItem[]): ItemLengths {
  const sources = new Int32Array(items.length);
  const targets = new Int32Array(items.length);
  let paired = false;
  for (const [i, { ids, decoderIds }] of items.entries()) {
    sources[i] = ids.length;
    paired ||= decoderIds !== undefined;
    targets[i] = decoderIds?.length ?? 0;
  }
  return { sources, targets: paired ? targets : null };
}

/** Which batches are asked for. */
type Pass = { readonly epoch: number; readonly training: boolean };

/** A batch of texts, and what it is padded to. */
export interface SizedBatch {
  readonly indices: readonly number[];
  readonly tokens: number;
  /** The same for the decoder of an encoder-decoder; 0 for others. */
  readonly decoderTokens: number;
}

/** How batches are made. */
export interface TextSizeOptions {
  readonly batchSize: number;
  /** The most tokens the model takes. */
  readonly maxTokens: number;
  readonly seed: number;
}

/** Batches of texts, by the lengths of one side or of both. */
export abstract class TextSizes {
  protected readonly options: TextSizeOptions;
  /** What texts are sorted by. */
  private readonly keys: Int32Array;

  protected constructor(options: TextSizeOptions, keys: Int32Array) {
    this.options = options;
    this.keys = keys;
  }

  static of({ sources, targets }: ItemLengths, options: TextSizeOptions): TextSizes {
    const atLeastOne = sources.map((n) => Math.max(1, n));
    return targets
      ? new PairedSizes(atLeastOne, targets, options)
      : new SingleSizes(atLeastOne, options);
  }

  /** Batches of a pass, in its order. */
  batches(pass: Pass): SizedBatch[] {
    return this.groups(pass).map((indices) => ({ indices, ...this.size(indices, pass.training) }));
  }

  protected groups(pass: Pass): (readonly number[])[] {
    const { batchSize, seed } = this.options;
    const random = KeyedRandom.of(seed);
    return lengthBatches(this.keys, { batchSize, random, ...pass }).map((b) => b.indices);
  }

  /** Groups of the first pass, which sizes are fitted to. */
  protected first(training: boolean) {
    return this.groups({ epoch: 0, training });
  }

  protected abstract size(
    indices: readonly number[],
    training: boolean,
  ): Omit<SizedBatch, 'indices'>;
}

const longestOf = (lengths: ArrayLike<number>, indices: readonly number[]) =>
  indices.reduce((most, i) => Math.max(most, lengths[i]!), 1);

class SingleSizes extends TextSizes {
  private readonly lengths: Int32Array;
  private readonly buckets: Readonly<Record<keyof typeof SIZES, readonly number[]>>;

  constructor(lengths: Int32Array, options: TextSizeOptions) {
    super(options, lengths);
    this.lengths = lengths;
    const fitted = (kind: keyof typeof SIZES) => {
      const longest = this.first(kind === 'training').map((group) => longestOf(lengths, group));
      // The longest text fits in any pass.
      const all = lengths.reduce((a, b) => Math.max(a, b), 1);
      const limits = { count: SIZES[kind], maxLength: options.maxTokens };
      return fittedBuckets([...longest, all], limits);
    };
    this.buckets = { training: fitted('training'), evaluation: fitted('evaluation') };
  }

  protected override size(indices: readonly number[], training: boolean) {
    const buckets = this.buckets[training ? 'training' : 'evaluation'];
    const longest = Math.min(longestOf(this.lengths, indices), this.options.maxTokens);
    return { tokens: buckets.find((b) => b >= longest) ?? longest, decoderTokens: 0 };
  }
}

class PairedSizes extends TextSizes {
  private readonly pairs: readonly PairLength[];
  private readonly sizes: Readonly<Record<keyof typeof SIZES, readonly PairLength[]>>;

  constructor(sources: Int32Array, targets: Int32Array, options: TextSizeOptions) {
    const pairs = Array.from(sources, (source, i) => ({
      source,
      target: Math.max(1, targets[i]!),
    }));
    super(options, pairKeys(pairs));
    this.pairs = pairs;
    const fitted = (kind: keyof typeof SIZES) => {
      const found = this.first(kind === 'training').map((group) => this.longest(group));
      // The longest of both sides fit in any pass, even in one batch.
      const all = this.longest([...pairs.keys()]);
      return fittedPairs([...found, all], { count: PAIRED_SIZES[kind], most: options.maxTokens });
    };
    this.sizes = { training: fitted('training'), evaluation: fitted('evaluation') };
  }

  private longest(indices: readonly number[]): PairLength {
    return indices
      .map((i) => this.pairs[i]!)
      .reduce((a, b) => ({
        source: Math.max(a.source, b.source),
        target: Math.max(a.target, b.target),
      }));
  }

  protected override size(indices: readonly number[], training: boolean) {
    const longest = this.longest(indices);
    const sizes = this.sizes[training ? 'training' : 'evaluation'];
    const { source, target } = pairSize(sizes, longest) ?? longest;
    return { tokens: source, decoderTokens: target };
  }
}
