/**
 * Batches of pictures from files (Node): decoded and augmented a few batches ahead, while the step
 * before them runs. What a batch holds depends on the seed, the epoch and its number alone, not on
 * what was read before or how much runs at once.
 */
import { availableParallelism } from 'node:os';
import { ConfigError, DataError } from '../errors.js';
import { hostTensor } from '../graph/index.js';
import type { ImagePreprocess } from '../models/index.js';
import { hashBytes, KeyedRandom } from '../util/index.js';
import { type Augmentation, augmentation } from './augment.js';
import type { ImageBatch } from './batch.js';
import { byCodePoint } from './code-point-order.js';
import type { ImageSample, Skipped } from './image.js';
import { checkLabels, type LabelOptions, type LabelTensors, labelTensors } from './labels.js';
import { Cancelled, Lanes, type Ticket } from './lanes.js';
import { mixBatch } from './mix.js';
import { SampleReader } from './sample-reader.js';
import { TEST_VIEWS, type TestView } from './view.js';

/** Options of an {@link ImageLoader}. */
export interface ImageLoaderOptions extends LabelOptions {
  readonly preprocess: ImagePreprocess;
  readonly batchSize: number;
  /** Keys order and augmentation; 0 by default. */
  readonly seed?: number;
  /** What may happen to pictures in training; `none` by default. */
  readonly augmentation?: string | Augmentation;
  /** True: an unreadable file ends the epoch with an error; false (default): it is left out. */
  readonly strict?: boolean;
  /** Pictures decoded at once; one a core by default. */
  readonly concurrency?: number;
  /** Batches made ahead of the one that is used; 2 by default. */
  readonly prefetch?: number;
  /**
   * Memory for decoded pictures, so that later epochs of a small set decode nothing; 128 MiB by
   * default, 0 for none. It changes no bit of any batch.
   */
  readonly cacheBytes?: number;
}

/** Which batches are wanted. */
export interface BatchOptions {
  readonly epoch: number;
  /** Batches to leave out at the start: where an interrupted epoch goes on. */
  readonly from?: number;
  /** True: augmented, smoothed, weighted, and shuffled unless `shuffle` is false. */
  readonly training: boolean;
  readonly shuffle?: boolean;
  /** The view to evaluate on, one of {@link TEST_VIEWS}; the centre by default. */
  readonly view?: TestView;
}

/** Everything that making one epoch's batches needs. */
interface Epoch {
  readonly order: readonly number[];
  readonly training: boolean;
  readonly view: TestView;
  /** Random numbers of the samples and of the batches. */
  readonly samples: KeyedRandom;
  readonly batches: KeyedRandom;
  readonly ticket: Ticket;
}

const CENTRE: TestView = TEST_VIEWS.none[0];

/**
 * Makes batches of one list of samples, all of one shape: the last is filled up with padding of
 * weight 0 and index -1.
 *
 * Padding, and unreadable files that are left out, show other pictures of the same batch again, so
 * that what batch norm computes from a batch is not spoilt by blanks.
 * @example
 * const loader = new ImageLoader(train, { classes: 2, preprocess, batchSize: 16, augmentation: 'default' });
 * for await (const batch of loader.batches({ epoch: 0, training: true })) await step.run(batch);
 */
export class ImageLoader {
  readonly samples: readonly ImageSample[];
  readonly batchSize: number;
  /** Class of each sample. */
  readonly labels: readonly number[];
  /** Stands for the samples and for how they are prepared when they are evaluated. */
  readonly fingerprint: string;

  readonly #options: ImageLoaderOptions;
  readonly #augmentation: Augmentation;
  readonly #random: KeyedRandom;
  readonly #reader: SampleReader;
  readonly #lanes: Lanes;
  readonly #failures = new Map<number, string>();
  readonly #tickets = new Set<Ticket>();
  #closed = false;

  /** @throws ConfigError for options that cannot be */
  constructor(samples: readonly ImageSample[], options: ImageLoaderOptions) {
    const { preprocess, batchSize, seed = 0, augmentation: name = 'none' } = options;
    const { concurrency = availableParallelism(), cacheBytes = 128 * 2 ** 20 } = options;
    for (const [what, value] of Object.entries({ batchSize, concurrency })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new ConfigError(`${what} must be a positive whole number, got ${value}.`, {
          [what]: value,
        });
      }
    }
    this.samples = samples;
    this.batchSize = batchSize;
    this.labels = samples.map((s) => s.label);
    checkLabels(this.labels, options);
    this.#options = options;
    this.#augmentation = augmentation(name);
    this.#random = KeyedRandom.of(seed).fold('pictures');
    this.#reader = new SampleReader({ preprocess, augmentation: this.#augmentation, cacheBytes });
    this.#lanes = new Lanes(concurrency);
    const identity = [preprocess, samples.map((s) => [s.id, s.version ?? s.file])];
    this.fingerprint = hashBytes(new TextEncoder().encode(JSON.stringify(identity)));
  }

  /** Batches in an epoch. */
  get batchCount(): number {
    return Math.ceil(this.samples.length / this.batchSize);
  }

  /** Files that could not be read so far, in the order of their ids. */
  get skipped(): Skipped[] {
    return [...this.#failures]
      .map(([index, reason]) => ({ id: this.samples[index]!.id, reason }))
      .sort((a, b) => byCodePoint(a.id, b.id));
  }

  /** Targets and weights of samples by their positions, without reading a picture; -1 is padding. */
  labelsOf(indices: readonly number[], training: boolean): LabelTensors {
    return labelTensors(this.labels, indices, this.#options, training);
  }

  /**
   * The batches of an epoch, in order. Leaving the loop early stops what is made ahead.
   * @throws DataError `picture` for an unreadable file when the loader is strict, and when more than
   *   half of the files were unreadable in training
   */
  async *batches(options: BatchOptions): AsyncGenerator<ImageBatch, void, void> {
    const { epoch, from = 0, training, shuffle = training, view = CENTRE } = options;
    if (this.#closed) throw new ConfigError('The loader was closed.', {});
    const ticket: Ticket = { cancelled: false };
    const count = this.samples.length;
    const run: Epoch = {
      order: shuffle
        ? this.#random.fold('order').fold(epoch).permutation(count)
        : Array.from({ length: count }, (_, i) => i),
      training,
      view,
      samples: this.#random.fold('sample').fold(epoch),
      batches: this.#random.fold('batch').fold(epoch),
      ticket,
    };
    this.#tickets.add(ticket);
    const ahead: Promise<ImageBatch>[] = [];
    let next = from;
    const depth = 1 + Math.max(0, this.#options.prefetch ?? 2);
    try {
      for (let number = from; number < this.batchCount; number++) {
        while (next < this.batchCount && ahead.length < depth) {
          const made = this.#batch(run, next++);
          made.catch(() => {}); // it is thrown where it is awaited, if it ever is
          ahead.push(made);
        }
        yield await ahead.shift()!;
      }
    } catch (error) {
      if (!(error instanceof Cancelled)) throw error;
    } finally {
      ticket.cancelled = true;
      this.#tickets.delete(ticket);
    }
  }

  /** Ends all reading; resolves when no file is open any more. Loops over batches end. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const ticket of this.#tickets) ticket.cancelled = true;
    await this.#lanes.idle();
    this.#reader.clear();
  }

  async #batch(run: Epoch, number: number): Promise<ImageBatch> {
    const { batchSize } = this;
    const { width, height } = this.#options.preprocess;
    const row = this.#reader.rowLength;
    const pixels = new Float32Array(batchSize * row);
    const wanted = run.order.slice(number * batchSize, (number + 1) * batchSize);
    const settled = await Promise.allSettled(
      wanted.map((index, i) => {
        const out = pixels.subarray(i * row, (i + 1) * row);
        return this.#lanes.run(run.ticket, () => this.#sample(run, index, out));
      }),
    );
    // The first fault in the order of the batch, whichever came first in time.
    const read = settled.map((s) => {
      if (s.status === 'rejected') throw s.reason;
      return s.value;
    });
    const indices = Array.from({ length: batchSize }, (_, i) => (read[i] ? wanted[i]! : -1));
    const rows = indices.flatMap((index, i) => (index < 0 ? [] : [i]));
    const labels = this.labelsOf(indices, run.training);
    const targets = labels.targets.data as Float32Array;
    const weights = labels.weights.data as Float32Array;
    const { mixing } = this.#augmentation;
    if (run.training && mixing) {
      mixBatch({ pixels, targets, weights, width, height, rows }, run.batches.fold(number), mixing);
    }
    this.#pad(indices, rows, pixels, targets);
    const shape = [batchSize, row / (width * height), height, width];
    return { pixels: hostTensor('float32', shape, pixels), ...labels, indices };
  }

  /** Fills rows without a picture with those that have one, in turn. */
  #pad(
    indices: readonly number[],
    rows: readonly number[],
    pixels: Float32Array,
    targets: Float32Array,
  ): void {
    if (rows.length === 0) return;
    let turn = 0;
    indices.forEach((index, i) => {
      if (index >= 0) return;
      const from = rows[turn++ % rows.length]!;
      for (const data of [pixels, targets]) {
        const width = data.length / this.batchSize;
        data.copyWithin(i * width, from * width, (from + 1) * width);
      }
    });
  }

  /** Writes one sample; false when its file cannot be read. */
  async #sample(run: Epoch, index: number, out: Float32Array): Promise<boolean> {
    try {
      const { file } = this.samples[index]!;
      if (run.training) await this.#reader.train(file, run.samples.fold(index), out);
      else await this.#reader.evaluate(file, run.view, out);
      return true;
    } catch (error) {
      if (!(error instanceof DataError) || this.#options.strict) throw error;
      this.#failures.set(index, String(error.data.reason ?? error.message));
      const { length } = this.samples;
      if (run.training && this.#failures.size * 2 > length) {
        throw new DataError(
          `${this.#failures.size} of ${length} pictures cannot be read, the last of them: ${error.message} Is the data still where it was?`,
          { skipped: this.skipped },
          { code: 'unusable-files', cause: error },
        );
      }
      return false;
    }
  }
}
