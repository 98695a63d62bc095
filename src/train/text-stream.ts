/** Texts as the flow of batches that the loop reads: of like lengths, padded to few lengths. */
import { bucketLength, type TextSample } from '../data/index.js';
import { ConfigError } from '../errors.js';
import { TEXT_INPUTS } from '../models/index.js';
import type { TextItem, TextPlace, TextRow, TextTask } from '../tasks/index.js';
import { KeyedRandom, mapList } from '../util/index.js';
import type { TrainingIds } from './moving-rows.js';
import type { BatchStream, ReadOptions, StreamBatch } from './stream.js';
import { itemLengths, type SizedBatch, TextSizes } from './text-sizes.js';

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

type PaddedSize = Omit<SizedBatch, 'indices'>;

/** A {@link BatchStream} of texts. Where samples and items are lazy lists, only the batch at hand is in memory. */
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
  private readonly sizes: TextSizes;
  private known: TrainingIds | undefined;

  constructor(options: TextStreamOptions<S, T>) {
    const { task, samples, items } = options;
    if (samples.length !== items.length) {
      throw new ConfigError(`TextStream: ${items.length} items for ${samples.length} samples.`);
    }
    this.options = options;
    this.samples = samples.length;
    this.batchSize = options.batchSize;
    this.truth = mapList(samples, (sample, i) => task.truth(sample, items[i]!));
    this.ids = mapList(samples, (sample) => sample.id);
    this.fingerprint = options.fingerprint;
    const lengths = itemLengths(items);
    this.lengths = lengths.sources;
    this.sizes = TextSizes.of(lengths, options);
  }

  async *read({ epoch, from = 0, training }: ReadOptions): AsyncGenerator<StreamBatch> {
    for (const batch of this.sizes.batches({ epoch, training }).slice(from)) {
      yield this.batch(batch, training ? epoch : null);
    }
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
      const batch = task.inputs([item], this.place(this.alone(item)));
      for (const id of batch[TEXT_INPUTS.ids]!.data) found.add(Number(id));
    }
    const { feeds: example } = this.batch({ indices: [0], ...this.alone(items[0]!) }, null);
    return { name: TEXT_INPUTS.ids, ids: Int32Array.from(found).sort(), example };
  }

  labelFeeds(indices: readonly number[], _training: boolean) {
    const { task } = this.options;
    const rows = indices.map((i): TextRow => this.options.items[i] ?? null);
    // Asked for features of whole texts alone, and their targets know nothing of places.
    return task.targets(rows, this.place({ tokens: 0, decoderTokens: 0 }));
  }

  /** @param epoch the pass of training; null in evaluation */
  private batch({ indices, ...size }: SizedBatch, epoch: number | null): StreamBatch {
    const { task, items, samples, vary, batchSize, maxTokens, seed } = this.options;
    // A short last batch is filled up, so that it needs no program of its own.
    const filled = Array.from({ length: batchSize }, (_, i) => indices[i] ?? -1);
    const random =
      epoch === null
        ? null
        : (row: number) => KeyedRandom.of(seed).fold('text').fold(epoch).fold(filled[row]!);
    const rows = filled.map((i, row): TextRow => {
      if (i < 0) return null;
      return random && vary ? vary(samples[i]!, random(row)) : items[i]!;
    });
    // What was varied may have become longer.
    const longest = rows.reduce((n, row) => Math.max(n, row?.ids.length ?? 0), 0);
    const tokens = longest > size.tokens ? bucketLength(longest, maxTokens) : size.tokens;
    const place = { ...this.place({ ...size, tokens }), random };
    const feeds = { ...task.inputs(rows, place), ...task.targets(rows, place) };
    return { feeds, indices: filled };
  }

  /** The size of a batch of this item alone. */
  private alone({ ids, decoderIds }: TextItem): PaddedSize {
    return { tokens: ids.length, decoderTokens: decoderIds?.length ?? 0 };
  }

  private place(size: PaddedSize): TextPlace {
    const { padToken, inputs } = this.options;
    return { ...size, padToken, inputs, random: null };
  }
}
