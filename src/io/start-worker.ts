/** Threads of this package (Node), started from its sources as well as from what is built of them. */
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts a thread. Sources are TypeScript, which a thread of Node 20 reads only after tsx was told to,
 * and tsx cannot be told from outside; the built package has JavaScript beside the file that asks.
 * @param script the file as it is built
 * @example
 * const worker = startWorker(new URL('./keras-worker.js', import.meta.url), { workerData });
 */
export function startWorker(script: URL, options: WorkerOptions = {}): Worker {
  // A thread of its own kind: what the process was started with may not fit it.
  const all: WorkerOptions = { ...options, execArgv: [] };
  if (!import.meta.url.endsWith('.ts')) return new Worker(script, all);
  const [tsx, main] = [import.meta.resolve('tsx/esm/api'), script.href.replace(/\.js$/, '.ts')].map(
    (url) => JSON.stringify(url),
  );
  const start = `import(${tsx}).then(({ register }) => { register(); return import(${main}); })`;
  return new Worker(start, { ...all, eval: true });
}
