/** Who starts a thread for pictures, and that it is gone when the work is. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { temporaryFolder, writePictures } from '../../test/support/pictures.js';
import { writeTinyBase } from '../../test/support/tiny-base.js';
import { fit as adapt, evaluateRun, type FitOptions, predictRun } from './index.node.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);
const [data, base] = [at('data'), at('base')];
const ids = ['ant', 'bee'].flatMap((c) => Array.from({ length: 20 }, (_, i) => `${c}/${i}.png`));

const workers: Worker[] = [];
const started = (worker: Worker) => void workers.push(worker);
beforeEach(() => void process.on('worker', started));
afterEach(() => {
  process.off('worker', started);
  workers.length = 0;
});
/** How many threads were started; none of them runs any more. */
const threadsGone = () => {
  // The number of a thread is -1 when it has ended.
  expect(workers.map((worker) => worker.threadId)).toEqual(workers.map(() => -1));
  return workers.length;
};

const run = (name: string, more: Partial<FitOptions> = {}) =>
  adapt({ data, base, epochs: 2, batch: 4, size: 32, out: at(name), ...more });

beforeAll(async () => {
  await writePictures(data, ids);
  await writeTinyBase(base);
  await run('ended');
});

test('a run has one thread for all parts, and one more for the control', async () => {
  await run('plain');
  expect(threadsGone()).toBe(1);
  await run('control', { control: true });
  expect(threadsGone()).toBe(3);
});

test('an interrupted run leaves none behind, nor does one that fails', async () => {
  const stop = new AbortController();
  const listener: FitOptions['listener'] = (event) => {
    if (event.type === 'step' && event.step === 2) stop.abort();
  };
  expect((await run('stopped', { signal: stop.signal, listener })).interrupted).toBe(true);
  expect(threadsGone()).toBe(1);

  const failing: FitOptions['listener'] = (event) => {
    if (event.type === 'step') throw new Error('the listener is out of order');
  };
  await expect(run('failed', { listener: failing })).rejects.toThrow(/out of order/);
  expect(threadsGone()).toBe(2);
});

test('pictures that vanish while a strict run reads them end it, naming one', async () => {
  await writePictures(at('moving'), ids);
  const listener: FitOptions['listener'] = (event) => {
    if (event.type === 'phase') rmSync(at('moving'), { recursive: true, force: true });
  };
  const failed = run('vanished', { data: at('moving'), strict: true, listener });
  await expect(failed).rejects.toMatchObject({ name: 'DataError', code: 'picture' });
  expect(threadsGone()).toBe(1);
});

test('a few pictures are read without one, many with one', async () => {
  const files = ids.map((id) => join(data, id));
  expect((await predictRun(at('ended'), files.slice(0, 32))).predictions).toHaveLength(32);
  expect(threadsGone()).toBe(0);
  const many = await predictRun(at('ended'), files);
  expect(many.predictions).toHaveLength(40);
  expect(threadsGone()).toBe(1);
  expect((await evaluateRun(at('ended'), data, { tta: true })).samples).toBe(40);
  expect(threadsGone()).toBe(2);
});
