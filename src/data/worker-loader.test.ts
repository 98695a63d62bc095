import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder, writePictures } from '../../test/support/pictures.js';
import { ConfigError, DataError, EngineError } from '../errors.js';
import { IMAGENET_PREPROCESS } from '../models/index.js';
import type { ImageBatch } from './batch.js';
import type { ImageSample } from './image.js';
import { type BatchOptions, ImageLoader, type ImageLoaderOptions } from './loader.js';
import { LoaderThread } from './loader-thread.js';
import type { LoaderReply } from './loader-worker.js';
import { TEST_VIEWS } from './view.js';
import { WorkerImageLoader } from './worker-loader.js';

const folder = temporaryFolder();
afterAll(folder.remove);

const preprocess = { ...IMAGENET_PREPROCESS, width: 16, height: 16, shortSide: 18 };
const sampleOf = (i: number, name = `${i}.${i % 2 ? 'jpg' : 'png'}`): ImageSample => ({
  id: name,
  file: join(folder.path, name),
  label: i % 3,
});
const samples = Array.from({ length: 11 }, (_, i) => sampleOf(i));
const many = Array.from({ length: 400 }, (_, i) => samples[i % samples.length]!);

beforeAll(async () => {
  const names = samples.map((s) => s.id);
  await writePictures(folder.path, names, { width: 40, height: 30 });
  writeFileSync(join(folder.path, 'bad.png'), 'nothing');
});

const base: ImageLoaderOptions = {
  ...{ classes: 3, preprocess, batchSize: 4, seed: 7, augmentation: 'strong' },
};

const threads: LoaderThread[] = [];
const newThread = (...args: ConstructorParameters<typeof LoaderThread>) => {
  const thread = new LoaderThread(...args);
  threads.push(thread);
  return thread;
};
afterEach(async () => {
  await Promise.all(threads.splice(0).map((thread) => thread.close()));
});

const make = (
  options: Partial<ImageLoaderOptions> = {},
  list: readonly ImageSample[] = samples,
  thread = newThread(),
) => new WorkerImageLoader(list, { ...base, ...options }, thread);

const TRAINING: BatchOptions = { epoch: 0, training: true };
const EVALUATION: BatchOptions = { epoch: 0, training: false };

async function all(loader: ImageLoader, options: BatchOptions): Promise<ImageBatch[]> {
  const batches: ImageBatch[] = [];
  for await (const batch of loader.batches(options)) batches.push(batch);
  return batches;
}

const failure = (loader: ImageLoader, options = EVALUATION): Promise<unknown> =>
  all(loader, options).then(
    () => undefined,
    (error: unknown) => error,
  );

/** The thread that `begin` starts. */
async function threadOf(begin: () => unknown): Promise<Worker> {
  const started = once(process, 'worker');
  begin();
  return (await started)[0] as Worker;
}

describe('the bits are those of a loader on the main thread', () => {
  const here = (options: Partial<ImageLoaderOptions> = {}) =>
    new ImageLoader(samples, { ...base, ...options });

  test('in training, with mixing, in several epochs, and from the middle of one', async () => {
    const options = { labelSmoothing: 0.1, classWeights: [1, 2, 3] };
    const [loader, want] = [make(options), here(options)];
    for (const epoch of [0, 1, 2]) {
      for (const from of [0, 2]) {
        const run = { epoch, from, training: true };
        const batches = await all(loader, run);
        expect(batches).toEqual(await all(want, run));
        expect(batches).toHaveLength(3 - from);
      }
    }
    expect(loader.fingerprint).toBe(want.fingerprint);
    expect(loader.labels).toEqual(want.labels);
    expect(loader.labelsOf([2, -1], true)).toEqual(want.labelsOf([2, -1], true));
  });

  test('in evaluation, in all views', async () => {
    const [loader, want] = [make(), here()];
    for (const view of TEST_VIEWS['ten-crop']) {
      const run = { ...EVALUATION, view };
      expect(await all(loader, run)).toEqual(await all(want, run));
    }
  });

  test('whatever is made ahead, and for several loaders in one thread at once', async () => {
    const thread = newThread();
    const loaders = [
      make({ prefetch: 0 }, samples, thread),
      make({ prefetch: 5 }, samples, thread),
    ];
    const want = await all(here(), { epoch: 3, training: true });
    const runs = loaders.flatMap((l) => [all(l, { epoch: 3, training: true }), all(l, EVALUATION)]);
    const [a, evaluated, b] = await Promise.all(runs);
    expect(a).toEqual(want);
    expect(b).toEqual(want);
    expect(evaluated).toEqual(await all(here(), EVALUATION));
  });
});

describe('files that cannot be read', () => {
  const list = [...samples.slice(0, 4), sampleOf(4, 'bad.png'), sampleOf(5, 'gone.jpg')];

  test('are told with the batch that lacks them', async () => {
    const loader = make({}, list);
    const seen: string[][] = [];
    for await (const { indices } of loader.batches(EVALUATION)) {
      seen.push(indices.includes(-1) ? loader.skipped.map((s) => s.id) : []);
    }
    expect(seen).toEqual([[], ['bad.png', 'gone.jpg']]);
    expect(loader.skipped[1]!.reason).toMatch(/ENOENT/);
    await all(loader, EVALUATION);
    expect(loader.skipped).toHaveLength(2);
  });

  test('end the epoch when it is strict, after the batches before them', async () => {
    const loader = make({ strict: true }, list);
    let batches = 0;
    const run = async () => {
      for await (const _ of loader.batches(EVALUATION)) batches++;
    };
    const error = await run().catch((e: unknown) => e);
    const want = await failure(new ImageLoader(list, { ...base, strict: true }));
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ code: 'picture', data: { file: list[4]!.file } });
    expect((error as DataError).message).toBe((want as DataError).message);
    expect(batches).toBe(1);
    expect(await all(make({}), EVALUATION)).toHaveLength(3);
  });

  test('end training when most are so', async () => {
    const error = await failure(make({}, list.slice(3)), TRAINING);
    expect(error).toBeInstanceOf(DataError);
    const skipped = [{ id: 'bad.png' }, { id: 'gone.jpg' }];
    expect(error).toMatchObject({ code: 'unusable-files', data: { skipped } });
  });
});

test('options that cannot be are refused at once', () => {
  expect(() => make({ batchSize: 0 })).toThrow(ConfigError);
  expect(() => make({ augmentation: 'wild' })).toThrow(/no augmentation named "wild"/);
});

describe('what is made ahead', () => {
  test('is bounded while nobody takes it, and ends when the loop is left', async () => {
    const thread = newThread();
    const [slow, other] = [make({ prefetch: 2 }, many, thread), make({}, many, thread)];
    const batches = slow.batches(TRAINING);
    let sent = 0;
    const worker = await threadOf(() => void batches.next());
    let slowRun: number | undefined;
    worker.on('message', ({ type, to }: LoaderReply) => {
      slowRun ??= to; // nothing else runs when the first batch comes
      if (type === 'batch' && to === slowRun) sent++;
    });
    await batches.next();
    // A hundred batches in the same thread: time enough for more than is allowed.
    expect(await all(other, EVALUATION)).toHaveLength(100);
    expect(sent).toBe(2 + 2); // taken and waiting
    await batches.return();
    expect(await all(other, EVALUATION)).toHaveLength(100);
    expect(sent).toBe(4);
  });

  test('ends when the loader is closed; loops end, and new ones are refused', async () => {
    const thread = newThread();
    const [loader, other] = [make({}, many, thread), make({}, samples, thread)];
    let batches = 0;
    let closing: Promise<void> | undefined;
    for await (const _ of loader.batches(TRAINING)) {
      if (++batches === 3) closing = loader.close();
    }
    expect(batches).toBe(3);
    await closing;
    await expect(loader.batches(TRAINING).next()).rejects.toThrow(/closed/);
    await loader.close();
    expect(await all(other, EVALUATION)).toHaveLength(3);
  });
});

describe('the thread', () => {
  test('of a loader alone ends with it, also while a batch is awaited', async () => {
    const loader = new WorkerImageLoader(many, base);
    const run = all(loader, TRAINING);
    const worker = await threadOf(() => {});
    const exit = once(worker, 'exit');
    await loader.close();
    await exit;
    expect((await run).length).toBeLessThan(100);
    await new WorkerImageLoader(many, base).close(); // never started
  });

  test('ends the loops of all its loaders when it is closed', async () => {
    const thread = newThread();
    const [a, b] = [make({}, many, thread), make({}, many, thread)];
    const runs = [all(a, TRAINING), all(b, TRAINING)];
    await b.batches(EVALUATION).next();
    await thread.close();
    for (const run of runs) expect((await run).length).toBeLessThan(100);
    expect(await all(a, EVALUATION)).toEqual([]);
    await Promise.all([a.close(), b.close()]);
  });

  test('that ends by itself is an error, now and later', async () => {
    const loader = make({}, many);
    const batches = loader.batches(TRAINING);
    let first: Promise<unknown> | undefined;
    const worker = await threadOf(() => {
      first = batches.next();
    });
    await first;
    const waiting = (async () => {
      for await (const _ of batches);
    })().catch((error: unknown) => error);
    await worker.terminate();
    for (const error of [await waiting, await failure(loader)]) {
      expect(error).toBeInstanceOf(EngineError);
      expect(error).toMatchObject({ code: 'picture-thread' });
      expect((error as EngineError).message).toMatch(/failed: it ended with code \d.*--resume/);
    }
    await loader.close();
  });

  test('that runs out of memory is an error', async () => {
    const loader = make({}, samples, newThread({ maxOldGenerationSizeMb: 4 }));
    const error = await failure(loader);
    expect(error).toBeInstanceOf(EngineError);
    expect((error as EngineError).message).toMatch(/memory limit/);
  });

  test('does not keep a process alive that forgets to close it', async () => {
    const script = `
      import { WorkerImageLoader } from ${JSON.stringify(new URL('./worker-loader.ts', import.meta.url).href)};
      const loader = new WorkerImageLoader(${JSON.stringify(many)}, ${JSON.stringify(base)});
      const { value } = await loader.batches({ epoch: 0, training: true }).next();
      console.log(value.indices.length);
    `;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      { cwd: fileURLToPath(new URL('../..', import.meta.url)), timeout: 60_000 },
    );
    expect(stdout.trim()).toBe('4');
  });
});
