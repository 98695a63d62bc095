/** HDF5 files (Node): requests to the thread that reads them, with a limit on each. */
import type { Worker } from 'node:worker_threads';
import type { WeightsError } from '../errors.js';
import { fileFault } from './byte-file.js';
import type {
  Hdf5Data,
  Hdf5Object,
  Hdf5Reply,
  Hdf5Request,
  Hdf5WorkerData,
} from './keras-worker.js';
import { startWorker } from './start-worker.js';

/** The C library's memory; tensors are read in pieces, so it need not hold a whole one. */
const MAX_MEMORY = 512 * 1024 * 1024;
/** Without a sign of life for this long the library is taken to be caught in a loop. */
const LIMIT_MS = 60_000;

interface Waiting {
  resolve(value: Hdf5Object[] | Uint8Array): void;
  reject(error: WeightsError): void;
}

/** An HDF5 file in a thread. Requests are answered one after the other. */
export class Hdf5File {
  private readonly waiting = new Map<number, Waiting>();
  private readonly worker: Worker;
  private timer: NodeJS.Timeout | undefined;
  private ready = false;
  private ended: WeightsError | undefined;
  private requests = 0;

  /**
   * @param path for messages
   * @param limitMs milliseconds without progress after which a request fails
   */
  constructor(
    private readonly path: string,
    data: Hdf5Data,
    private readonly limitMs = LIMIT_MS,
  ) {
    const workerData: Hdf5WorkerData = { data, maxMemory: MAX_MEMORY };
    this.worker = startWorker(new URL('./keras-worker.js', import.meta.url), { workerData });
    this.worker.on('message', (reply: Hdf5Reply) => this.answer(reply));
    this.worker.on('error', (cause) => this.end(this.broken(cause.message, cause)));
    this.worker.on('exit', () => this.end(this.broken('it ended')));
    this.worker.unref();
  }

  /** All groups and datasets. @throws WeightsError when the file is damaged */
  async list(): Promise<Hdf5Object[]> {
    return (await this.request({})) as Hdf5Object[];
  }

  /** The values of a dataset, little-endian and row-major. */
  async read(dataset: string): Promise<Uint8Array> {
    return (await this.request({ read: dataset })) as Uint8Array;
  }

  private fault(message: string, cause?: unknown): WeightsError {
    return fileFault(
      this.path,
      `cannot be read as HDF5: ${message}. It is cut off or damaged; fetch it again.`,
      { code: 'weights-hdf5', cause },
    );
  }

  private broken(message: string, cause?: unknown): WeightsError {
    return fileFault(this.path, `cannot be read: the reader of HDF5 failed: ${message}.`, {
      code: 'weights-hdf5',
      cause,
    });
  }

  private request(request: Omit<Hdf5Request, 'id'>): Promise<Hdf5Object[] | Uint8Array> {
    const { ended } = this;
    if (ended) return Promise.reject(ended);
    const id = this.requests++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.ref();
      this.worker.postMessage({ id, ...request } satisfies Hdf5Request);
      this.watch();
    });
  }

  /** Starts the clock anew, or stops it when nothing is awaited. */
  private watch(): void {
    clearTimeout(this.timer);
    if (this.ready && this.waiting.size > 0) {
      this.timer = setTimeout(() => {
        void this.end(this.fault(`no progress within ${this.limitMs / 1000} seconds`));
      }, this.limitMs);
    }
  }

  private answer(reply: Hdf5Reply): void {
    if ('ready' in reply) this.ready = true;
    else if (!('alive' in reply)) {
      const waiting = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if ('error' in reply) waiting?.reject(this.fault(reply.error));
      else waiting?.resolve(reply.value);
      if (this.waiting.size === 0) this.worker.unref();
    }
    this.watch();
  }

  private async end(reason: WeightsError): Promise<void> {
    this.ended ??= reason;
    clearTimeout(this.timer);
    for (const { reject } of this.waiting.values()) reject(this.ended);
    this.waiting.clear();
    await this.worker.terminate();
  }

  /** Ends the thread; requests under way fail. */
  close(): Promise<void> {
    return this.end(
      fileFault(this.path, 'has been closed; open it again to read more.', {
        code: 'weights-closed',
      }),
    );
  }
}
