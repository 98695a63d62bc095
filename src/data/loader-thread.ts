/** The thread that makes batches, as the main thread sees it (Node). */
import type { ResourceLimits, Worker } from 'node:worker_threads';
import { EngineError } from '../errors.js';
import { startWorker } from '../io/index.node.js';
import type { LoaderReply, LoaderRequest } from './loader-worker.js';

/** Listens to the answers to one number. */
export interface LoaderListener {
  answer(reply: LoaderReply): void;
  /** No answer comes any more: the thread was closed (null), or it failed. */
  gone(error: EngineError | null): void;
}

/**
 * A thread that several loaders share; see `WorkerImageLoader`. It starts with the first request, and
 * keeps the process alive only while an answer is awaited.
 * @example
 * const thread = new LoaderThread();
 * const [train, valid] = parts.map((part) => new WorkerImageLoader(part, options, thread));
 * await thread.close(); // ends the loops of both
 */
export class LoaderThread {
  readonly #limits: ResourceLimits;
  readonly #listeners = new Map<number, LoaderListener>();
  #worker: Worker | undefined;
  #ended: { readonly error: EngineError | null } | undefined;
  #numbers = 0;
  #awaited = 0;

  /** @param limits of the thread's memory beside the pixels; Node's own by default */
  constructor(limits: ResourceLimits = {}) {
    this.#limits = limits;
  }

  /** A number for a loader or a run, whose answers `listener` gets until it forgets it. */
  listen(listener: LoaderListener): number {
    const number = this.#numbers++;
    this.#listeners.set(number, listener);
    if (this.#ended) listener.gone(this.#ended.error);
    return number;
  }

  /** Answers to a number are of no interest any more. */
  forget(number: number): void {
    this.#listeners.delete(number);
  }

  /** Sends a request; none is sent to a thread that has ended, as its listeners know that. */
  post(request: LoaderRequest): void {
    if (this.#ended) return;
    this.#worker ??= this.#start();
    this.#worker.postMessage(request);
  }

  /** Waits for what an answer settles; the process stays alive as long. */
  async wait<T>(answer: Promise<T>): Promise<T> {
    if (this.#awaited++ === 0) this.#worker?.ref();
    try {
      return await answer;
    } finally {
      if (--this.#awaited === 0) this.#worker?.unref();
    }
  }

  /** Ends the thread, whatever it is doing; resolves when it is gone. Loops over batches end. */
  async close(): Promise<void> {
    this.#end(null);
    if (this.#worker) await this.wait(this.#worker.terminate());
  }

  #start(): Worker {
    const worker = startWorker(new URL('./loader-worker.js', import.meta.url), {
      resourceLimits: this.#limits,
    });
    worker.on('message', (reply: LoaderReply) => this.#listeners.get(reply.to)?.answer(reply));
    worker.on('error', (cause) => this.#fail(cause.message, cause));
    worker.on('messageerror', (cause) => this.#fail(cause.message, cause));
    worker.on('exit', (code) => this.#fail(`it ended with code ${code}`));
    if (this.#awaited === 0) worker.unref();
    return worker;
  }

  #fail(reason: string, cause?: unknown): void {
    this.#end(
      new EngineError(
        'picture-thread',
        `The thread that reads pictures failed: ${reason}. If memory ran out, take smaller batches; a run goes on with graft fit --resume.`,
        { reason },
        { cause },
      ),
    );
  }

  /** The first reason holds. */
  #end(error: EngineError | null): void {
    if (this.#ended) return;
    this.#ended = { error };
    for (const listener of this.#listeners.values()) listener.gone(error);
  }
}
