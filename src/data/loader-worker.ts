/**
 * Loaders in a thread of their own (Node): ONNX Runtime blocks the main thread for all of a step, and a
 * picture needs a few turns of its thread, so on the main thread batches would be made between steps.
 *
 * Messages in are {@link LoaderRequest}s, answers {@link LoaderReply}s; loader-thread.ts is the other end.
 */
import { parentPort } from 'node:worker_threads';
import sharp from 'sharp';
import type { ImageBatch } from './batch.js';
import type { ImageSample, Skipped } from './image.js';
import { type BatchOptions, ImageLoader, type ImageLoaderOptions } from './loader.js';
import { type SentError, sentError } from './sent-error.js';

/** What is asked of the thread; loaders and runs over their batches go by numbers. */
export type LoaderRequest =
  | {
      readonly type: 'open';
      readonly loader: number;
      readonly samples: readonly ImageSample[];
      readonly options: ImageLoaderOptions;
    }
  /** Begins a run of which `credit` batches may be sent before more are asked for. */
  | {
      readonly type: 'read';
      readonly loader: number;
      readonly run: number;
      readonly options: BatchOptions;
      readonly credit: number;
    }
  /** One batch was taken: one more may be sent. */
  | { readonly type: 'more'; readonly run: number }
  | { readonly type: 'stop'; readonly run: number }
  | { readonly type: 'close'; readonly loader: number };

/** What the thread answers: `skipped` of the loader when it has changed. */
export type LoaderReply =
  | {
      readonly type: 'batch';
      readonly to: number;
      readonly batch: ImageBatch;
      readonly skipped?: readonly Skipped[] | undefined;
    }
  /** The last of a run. */
  | {
      readonly type: 'end';
      readonly to: number;
      readonly error?: SentError | undefined;
      readonly skipped?: readonly Skipped[] | undefined;
    }
  /** The last of a loader: none of its files is open any more. */
  | { readonly type: 'closed'; readonly to: number };

/** How much of a run is wanted. */
interface Wanted {
  credit: number;
  stopped: boolean;
  wake(): void;
}

const port = parentPort!;
const loaders = new Map<number, ImageLoader>();
const runs = new Map<number, Wanted>();
/** Skipped files that were told of each loader. */
const told = new Map<ImageLoader, number>();

// Several pictures are decoded at once already; threads for parts of one would be taken from the step.
sharp.concurrency(1);

const reply = (message: LoaderReply, transfer: ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);

function skippedNews(loader: ImageLoader): readonly Skipped[] | undefined {
  const { skipped } = loader;
  if (skipped.length === (told.get(loader) ?? 0)) return undefined;
  told.set(loader, skipped.length);
  return skipped;
}

/** Sends a batch; its memory goes with it and is not copied. */
function send(to: number, batch: ImageBatch, loader: ImageLoader): void {
  const buffers = [batch.pixels, batch.targets, batch.weights].map((t) => {
    return (t.data as Float32Array<ArrayBuffer>).buffer;
  });
  reply({ type: 'batch', to, batch, skipped: skippedNews(loader) }, buffers);
}

async function read(loader: ImageLoader, to: number, wanted: Wanted, options: BatchOptions) {
  let error: SentError | undefined;
  try {
    for await (const batch of loader.batches(options)) {
      if (wanted.stopped) break;
      send(to, batch, loader);
      wanted.credit--;
      while (wanted.credit === 0 && !wanted.stopped) {
        await new Promise<void>((resolve) => {
          wanted.wake = resolve;
        });
      }
      if (wanted.stopped) break;
    }
  } catch (thrown) {
    error = sentError(thrown);
  }
  runs.delete(to);
  reply({ type: 'end', to, error, skipped: skippedNews(loader) });
}

async function close(loader: ImageLoader, to: number): Promise<void> {
  await loader.close();
  loaders.delete(to);
  told.delete(loader);
  reply({ type: 'closed', to });
}

port.on('message', (request: LoaderRequest) => {
  if (request.type === 'open') {
    loaders.set(request.loader, new ImageLoader(request.samples, request.options));
  } else if (request.type === 'read') {
    const wanted: Wanted = { credit: request.credit, stopped: false, wake() {} };
    runs.set(request.run, wanted);
    void read(loaders.get(request.loader)!, request.run, wanted, request.options);
  } else if (request.type === 'close') {
    void close(loaders.get(request.loader)!, request.loader);
  } else {
    // A run may have ended meanwhile.
    const wanted = runs.get(request.run);
    if (!wanted) return;
    if (request.type === 'more') wanted.credit++;
    else wanted.stopped = true;
    wanted.wake();
  }
});
