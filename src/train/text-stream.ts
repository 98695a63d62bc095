/** Texts as the flow of batches that the loop reads: of like lengths, padded to few lengths. */
import { bucketLength, fittedBuckets, lengthBatches, type TextSample } from '../data/index.js';
import { ConfigError } from '../errors.js';
import { TEXT_INPUTS } from '../models/index.js';
import type { TextItem, TextPlace, TextRow, TextTask } from '../tasks/index.js';
import { KeyedRandom } from '../util/index.js';
import type { TrainingIds } from './moving-rows.js';
import type { BatchStream, ReadOptions, StreamBatch } from './stream.js';

/**
 * Lengths to pad to. In batches of 16 ten of them add, in %: SST 12, TREC 9, AG news 6, MR 11, CoNLL-2003 18, reviews
 * of books 3; eight 16, 14, 8, 14, 23 and 3. Each takes a program: 0.4 s and memory of its own. A finished
 * model packs its weights once for each, so evaluation has fewer.
 */
const TRAINING_LENGTHS = 10;
const EVALUATION_LENGTHS = 4;

/** What a stream of texts is made of. */
export interface TextStreamOptions<S extends TextSample, T> {
  readonly task: TextTask<S, T>;
  readonly samples: readonly S[];
  /** One a sample. */
  readonly items: readonly TextItem[];
  readonly batchSize: number;
  readonly padToken: number;
  /** Names of `TEXT_INPUTS` that the model reads. */
  readonly inputs: readonly string[];
  /** The most tokens the model takes. */
  readonly maxTokens: number;
  readonly seed: number;
  /** Another item for a sample in this pass of training, such as one with words left out. */
  readonly vary?: ((sample: S, random: KeyedRandom) => TextItem) | undefined;
  /** Stands for the samples and for how they became items. */
  readonly fingerprint: string;
}

/** A {@link BatchStream} of texts in memory. */
export class TextStream<S extends TextSample, T> implements BatchStream<T> {
  readonly samples: number;
  readonly batchSize: number;
  readonly truth: readonly T[];
  readonly fingerprint: string;
  readonly ofTokens = true;
  /** Names of the samples. */
  readonly ids: readonly string[];
  private readonly options: TextStreamOptions<S, T>;
  private readonly lengths: Int32Array;
  private known: TrainingIds | undefined;
  /** Lengths to pad to, in training and in evaluation. */
  private readonly buckets: { readonly training: number[]; readonly evaluation: number[] };

  constructor(options: TextStreamOptions<S, T>) {
    const { task, samples, items } = options;
    if (samples.length !== items.length) {
      throw new ConfigError(`TextStream: ${items.length} items for ${samples.length} samples.`);
    }
    this.options = options;
    this.samples = samples.length;
    this.batchSize = options.batchSize;
    this.truth = samples.map((sample, i) => task.truth(sample, items[i]!));
    this.ids = samples.map((sample) => sample.id);
    this.fingerprint = options.fingerprint;
    this.lengths = Int32Array.from(items, ({ ids }) => ids.length);
    this.buckets = {
      training: this.fitted(true, TRAINING_LENGTHS),
      evaluation: this.fitted(false, EVALUATION_LENGTHS),
    };
  }

  /** Tokens that did not fit, in all, and the number of texts that they are missing from. */
  get truncated(): { readonly tokens: number; readonly texts: number } {
    const cut = this.options.items.filter((item) => item.truncated > 0);
    return { tokens: cut.reduce((n, item) => n + item.truncated, 0), texts: cut.length };
  }

  async *read({ epoch, from = 0, training }: ReadOptions): AsyncGenerator<StreamBatch> {
    const { seed, batchSize, maxTokens } = this.options;
    const random = KeyedRandom.of(seed);
    const buckets = training ? this.buckets.training : this.buckets.evaluation;
    const order = { batchSize, random, epoch, training, maxLength: maxTokens, buckets };
    for (const { indices, length } of lengthBatches(this.lengths, order).slice(from)) {
      // A short last batch is filled up, so that it needs no program of its own.
      const filled = Array.from({ length: batchSize }, (_, i) => indices[i] ?? -1);
      yield this.batch(filled, length, training ? epoch : null);
    }
  }

  /** Lengths that suit the batches of the first pass; the longest text fits in any. */
  private fitted(training: boolean, count: number): number[] {
    const { batchSize, seed, maxTokens: maxLength } = this.options;
    const random = KeyedRandom.of(seed);
    const longest = this.lengths.reduce((a, b) => Math.max(a, b), 1);
    const buckets = Array.from({ length: longest }, (_, i) => i + 1);
    const order = { batchSize, random, epoch: 0, training, maxLength, buckets };
    const lengths = lengthBatches(this.lengths, order).map(({ length }) => length);
    return fittedBuckets([...lengths, longest], { count, maxLength });
  }

  /** Lengths of the samples; undefined where words are masked or left out anew in every pass. */
  get steadyTokens(): Int32Array | undefined {
    const { task, vary } = this.options;
    return vary || task.head === 'masked-lm' ? undefined : this.lengths;
  }

  /**
   * Ids of all batches, found when they are first asked for, as evaluation never does; undefined where a pass may
   * hold others than the samples do.
   */
  get trainingIds(): TrainingIds | undefined {
    const { task, items, vary } = this.options;
    // Language models are asked about every word of the table, and masks may become any of them.
    if (items.length === 0 || vary || task.head.endsWith('-lm')) return undefined;
    this.known ??= this.findIds();
    return this.known;
  }

  private findIds(): TrainingIds {
    const { task, items, padToken } = this.options;
    const found = new Set([padToken]);
    for (const item of items) {
      const batch = task.inputs([item], this.place([item], item.ids.length));
      for (const id of batch[TEXT_INPUTS.ids]!.data) found.add(Number(id));
    }
    const { feeds: example } = this.batch([0], items[0]!.ids.length, null);
    return { name: TEXT_INPUTS.ids, ids: Int32Array.from(found).sort(), example };
  }

  labelFeeds(indices: readonly number[], _training: boolean) {
    const { task } = this.options;
    const rows = indices.map((i): TextRow => this.options.items[i] ?? null);
    // Asked for features of whole texts alone, and their targets know nothing of places.
    return task.targets(rows, this.place(rows, 0));
  }

  /** @param epoch the pass of training; null in evaluation */
  private batch(indices: readonly number[], length: number, epoch: number | null): StreamBatch {
    const { task, items, samples, vary, maxTokens, seed } = this.options;
    const random =
      epoch === null
        ? null
        : (row: number) => KeyedRandom.of(seed).fold('text').fold(epoch).fold(indices[row]!);
    const rows = indices.map((i, row): TextRow => {
      if (i < 0) return null;
      return random && vary ? vary(samples[i]!, random(row)) : items[i]!;
    });
    // What was varied may have become longer.
    const longest = rows.reduce((n, row) => Math.max(n, row?.ids.length ?? 0), 0);
    const tokens = longest > length ? bucketLength(longest, maxTokens) : length;
    const place = { ...this.place(rows, tokens), random };
    return { feeds: { ...task.inputs(rows, place), ...task.targets(rows, place) }, indices };
  }

  private place(rows: readonly TextRow[], tokens: number): TextPlace {
    const decoder = rows.reduce((n, row) => Math.max(n, row?.decoderIds?.length ?? 0), 0);
    return {
      tokens,
      decoderTokens: decoder > 0 ? bucketLength(decoder) : 0,
      padToken: this.options.padToken,
      inputs: this.options.inputs,
      random: null,
    };
  }
}
