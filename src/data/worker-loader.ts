/** Batches that another thread makes while this one is busy with a step (Node). */
import { ConfigError, type EngineError } from '../errors.js';
import type { ImageBatch } from './batch.js';
import type { ImageSample, Skipped } from './image.js';
import { type BatchOptions, ImageLoader, type ImageLoaderOptions } from './loader.js';
import { type LoaderListener, LoaderThread } from './loader-thread.js';
import type { LoaderReply } from './loader-worker.js';
import { receivedError } from './sent-error.js';

/** Batches that were sent but not taken, and how the run over them ended. */
class Arrivals implements LoaderListener {
  readonly #batches: ImageBatch[] = [];
  readonly #skipped: (skipped: readonly Skipped[]) => void;
  #end: { readonly error?: unknown } | undefined;
  #wake = () => {};

  constructor(skipped: (skipped: readonly Skipped[]) => void) {
    this.#skipped = skipped;
  }

  answer(reply: LoaderReply): void {
    if (reply.type === 'closed') return;
    if (reply.skipped) this.#skipped(reply.skipped);
    if (reply.type === 'batch') this.#batches.push(reply.batch);
    else this.#end ??= reply.error ? { error: receivedError(reply.error) } : {};
    this.#wake();
  }

  gone(error: EngineError | null): void {
    if (error) {
      this.#end ??= { error };
      this.#wake();
    } else this.end();
  }

  /** Nothing more is given out, not even what has arrived. */
  end(): void {
    this.#batches.length = 0;
    this.#end = {};
    this.#wake();
  }

  /** The next batch; undefined after the last. @throws what the run ended with */
  async next(): Promise<ImageBatch | undefined> {
    while (this.#batches.length === 0 && !this.#end) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const batch = this.#batches.shift();
    if (!batch && this.#end && 'error' in this.#end) throw this.#end.error;
    return batch;
  }
}

/**
 * An {@link ImageLoader} whose batches are made in a thread, with the same bits. ONNX Runtime blocks the
 * main thread while it runs a step; here decoding and augmenting go on meanwhile.
 *
 * Starting a thread takes a tenth of a second or more, so a few pictures are better read by an
 * {@link ImageLoader} itself.
 * @example
 * const loader = new WorkerImageLoader(train, { classes: 2, preprocess, batchSize: 16 });
 * for await (const batch of loader.batches({ epoch: 0, training: true })) await step.run(batch);
 * await loader.close();
 */
export class WorkerImageLoader extends ImageLoader {
  readonly #options: ImageLoaderOptions;
  readonly #thread: LoaderThread;
  readonly #ownThread: boolean;
  readonly #runs = new Set<Arrivals>();
  /** The loader in the thread, by its number; made when the first batch is wanted. */
  #remote: { readonly number: number; readonly closed: Promise<void> } | undefined;
  #skipped: readonly Skipped[] = [];
  #closing: Promise<void> | undefined;

  /**
   * @param thread one that several loaders share, and that who made it closes; by default the loader
   *   has its own and ends it when it is closed
   * @throws ConfigError for options that cannot be
   */
  constructor(samples: readonly ImageSample[], options: ImageLoaderOptions, thread?: LoaderThread) {
    super(samples, options);
    this.#options = options;
    this.#thread = thread ?? new LoaderThread();
    this.#ownThread = thread === undefined;
  }

  /** Files that could not be read so far, in the order of their ids. */
  override get skipped(): Skipped[] {
    return [...this.#skipped];
  }

  /**
   * The batches of an epoch, in order. Leaving the loop early stops what is made ahead.
   * @throws as {@link ImageLoader.batches} does; EngineError `picture-thread` when the thread fails
   */
  override async *batches(options: BatchOptions): AsyncGenerator<ImageBatch, void, void> {
    if (this.#closing) throw new ConfigError('The loader was closed.', {});
    const loader = this.#open();
    const arrivals = new Arrivals((skipped) => {
      this.#skipped = skipped;
    });
    const run = this.#thread.listen(arrivals);
    this.#runs.add(arrivals);
    // Batches that wait here; beside them the loader in the thread makes one.
    const credit = Math.max(1, this.#options.prefetch ?? 2);
    this.#thread.post({ type: 'read', loader, run, options, credit });
    try {
      for (;;) {
        const batch = await this.#thread.wait(arrivals.next());
        if (!batch) return;
        this.#thread.post({ type: 'more', run });
        yield batch;
      }
    } finally {
      this.#thread.post({ type: 'stop', run });
      this.#thread.forget(run);
      this.#runs.delete(arrivals);
    }
  }

  /** Ends all reading; resolves when no file is open any more. Loops over batches end. */
  override close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #open(): number {
    if (this.#remote) return this.#remote.number;
    let number = -1;
    const closed = new Promise<void>((resolve) => {
      number = this.#thread.listen({ answer: () => resolve(), gone: () => resolve() });
    });
    this.#remote = { number, closed };
    const prefetch = Math.min(1, this.#options.prefetch ?? 1);
    const options = { ...this.#options, prefetch };
    this.#thread.post({ type: 'open', loader: number, samples: this.samples, options });
    return number;
  }

  async #close(): Promise<void> {
    for (const arrivals of this.#runs) arrivals.end();
    if (this.#ownThread) await this.#thread.close();
    else if (this.#remote) {
      const { number, closed } = this.#remote;
      this.#thread.post({ type: 'close', loader: number });
      await this.#thread.wait(closed);
      this.#thread.forget(number);
    }
    await super.close();
  }
}
