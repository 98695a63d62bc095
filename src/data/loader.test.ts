import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  randomPicture,
  temporaryFolder,
  writeFiles,
  writePictures,
} from '../../test/support/pictures.js';
import { DataError } from '../errors.js';
import { IMAGENET_PREPROCESS } from '../models/index.js';
import { AUGMENTATIONS } from './augment.js';
import type { ImageBatch } from './batch.js';
import { decodeImage } from './decode.js';
import type { ImageSample } from './image.js';
import { balancedWeights } from './labels.js';
import { type BatchOptions, ImageLoader, type ImageLoaderOptions } from './loader.js';
import { normalizer } from './normalize.js';
import { evalView, TEST_VIEWS } from './view.js';

const folder = temporaryFolder();
afterAll(folder.remove);

const preprocess = { ...IMAGENET_PREPROCESS, width: 16, height: 16, shortSide: 18 };
const COUNT = 11;
const sampleOf = (i: number, name = `${i}.${i % 2 ? 'jpg' : 'png'}`): ImageSample => ({
  id: name,
  file: join(folder.path, name),
  label: i % 3,
});
const samples = Array.from({ length: COUNT }, (_, i) => sampleOf(i));

beforeAll(async () => {
  await writePictures(
    folder.path,
    samples.map((s) => s.id),
    { width: 40, height: 30 },
  );
  // One that is decoded reduced, by another factor for another crop.
  writeFiles(folder.path, { '3.jpg': await randomPicture(700, 500, 30).jpeg().toBuffer() });
  writeFileSync(join(folder.path, 'bad.png'), 'nothing');
});

const make = (options: Partial<ImageLoaderOptions> = {}, list: readonly ImageSample[] = samples) =>
  new ImageLoader(list, {
    classes: 3,
    preprocess,
    batchSize: 4,
    augmentation: 'strong',
    ...options,
  });

async function all(
  loader: ImageLoader,
  options: Partial<BatchOptions> = {},
): Promise<ImageBatch[]> {
  const batches: ImageBatch[] = [];
  for await (const b of loader.batches({ epoch: 0, training: true, ...options })) batches.push(b);
  return batches;
}

const plain = (batches: readonly ImageBatch[]) =>
  batches.map(({ pixels, targets, weights, indices }) => ({
    pixels: Buffer.from((pixels.data as Float32Array).buffer).toString('base64'),
    targets: [...(targets.data as Float32Array)],
    weights: [...(weights.data as Float32Array)],
    indices,
  }));

const row = ({ pixels }: ImageBatch, i: number) => {
  const width = pixels.data.length / pixels.shape[0]!;
  return (pixels.data as Float32Array).subarray(i * width, (i + 1) * width);
};

describe('evaluation', () => {
  test('every sample once, in order, as decodeImage gives it; the last batch is padded', async () => {
    const loader = make();
    const batches = await all(loader, { training: false });
    expect(batches.map((b) => b.indices)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, -1],
    ]);
    const normalize = normalizer(preprocess);
    for (const [n, batch] of batches.entries()) {
      expect(batch.pixels.shape).toEqual([4, 3, 16, 16]);
      expect(batch.targets.shape).toEqual([4, 3]);
      expect(batch.weights.shape).toEqual([4]);
      for (const [i, index] of batch.indices.entries()) {
        if (index < 0) continue;
        const want = new Float32Array(3 * 256);
        normalize(await decodeImage(samples[index]!.file, evalView(preprocess)), want);
        expect(row(batch, i)).toEqual(want);
        expect([...(batch.targets.data as Float32Array)].slice(i * 3, i * 3 + 3)).toEqual(
          [0, 1, 2].map((c) => (c === index % 3 ? 1 : 0)),
        );
        expect(batch.weights.data[i]).toBe(1);
      }
      expect(n < 2 || batch.weights.data[3] === 0).toBe(true);
    }
    // Padding shows a picture of the batch again, so that batch norm sees no blanks.
    expect(row(batches[2]!, 3)).toEqual(row(batches[2]!, 0));
    expect(loader.batchCount).toBe(3);
    expect(loader.labels).toEqual(samples.map((s) => s.label));
  });

  test('does not depend on seed, epoch or augmentation', async () => {
    const want = plain(await all(make(), { training: false }));
    const other = make({
      seed: 9,
      augmentation: 'none',
      labelSmoothing: 0.1,
      classWeights: [1, 2, 3],
    });
    expect(plain(await all(other, { training: false, epoch: 4 }))).toEqual(want);
    expect(other.fingerprint).toBe(make().fingerprint);
    expect(make({ preprocess: { ...preprocess, shortSide: 17 } }).fingerprint).not.toBe(
      other.fingerprint,
    );
    expect(make({}, samples.toReversed()).fingerprint).not.toBe(other.fingerprint);
    expect(
      make(
        {},
        samples.map((s) => ({ ...s, version: '1' })),
      ).fingerprint,
    ).not.toBe(other.fingerprint);
  });

  test('other views, mirrored and in the corners', async () => {
    const loader = make();
    const of = (view: BatchOptions['view']) =>
      all(loader, { training: false, ...(view ? { view } : {}) });
    const [centre] = await of(undefined);
    const [mirrored] = await of(TEST_VIEWS.flip[1]);
    const [corner] = await of(TEST_VIEWS['five-crop'][1]);
    for (let y = 0; y < 16; y++) {
      const line = row(centre!, 2).subarray(y * 16, y * 16 + 16);
      expect(row(mirrored!, 2).subarray(y * 16, y * 16 + 16)).toEqual(line.toReversed());
    }
    expect(row(corner!, 2)).not.toEqual(row(centre!, 2));
  });

  test('grey models are given one channel', async () => {
    const [batch] = await all(make({ preprocess: { ...preprocess, mean: [0], deviation: [1] } }), {
      training: false,
    });
    expect(batch!.pixels.shape).toEqual([4, 1, 16, 16]);
  });
});

describe('training', () => {
  test('gives the same bits whatever runs at once, is kept or was read before', async () => {
    const want = plain(
      await all(make({ concurrency: 1, prefetch: 0, cacheBytes: 0 }), { epoch: 2 }),
    );
    for (const options of [
      { concurrency: 8, prefetch: 5 },
      { concurrency: 3, prefetch: 1, cacheBytes: 0 },
      { cacheBytes: 10_000 },
    ]) {
      const loader = make(options);
      await all(loader, { epoch: 0 });
      await all(loader, { training: false });
      expect(plain(await all(loader, { epoch: 2 }))).toEqual(want);
      expect(plain(await all(loader, { epoch: 2 }))).toEqual(want); // now from what is kept
    }
  });

  test('goes on in the middle of an epoch with the bits of a straight run', async () => {
    const straight = plain(await all(make(), { epoch: 1 }));
    for (const from of [1, 2, 3]) {
      expect(plain(await all(make(), { epoch: 1, from }))).toEqual(straight.slice(from));
    }
  });

  test('every epoch has its own order and its own pictures; each sample comes once', async () => {
    const loader = make({ augmentation: { ...AUGMENTATIONS.default } });
    const [one, two] = [await all(loader, { epoch: 0 }), await all(loader, { epoch: 1 })];
    const order = (batches: ImageBatch[]) => batches.flatMap((b) => b.indices);
    expect(order(one)).not.toEqual(order(two));
    for (const batches of [one, two]) {
      expect(
        order(batches)
          .filter((i) => i >= 0)
          .sort((a, b) => a - b),
      ).toEqual(samples.map((_, i) => i));
    }
    const find = (batches: ImageBatch[], index: number) => {
      const batch = batches.find((b) => b.indices.includes(index))!;
      return row(batch, batch.indices.indexOf(index));
    };
    expect(find(one, 5)).not.toEqual(find(two, 5));
    // A sample's augmentation does not depend on the batch that it lies in.
    const alone = await all(make({ augmentation: 'default', batchSize: 1 }), { epoch: 0 });
    expect(find(alone, 5)).toEqual(find(one, 5));
    expect(order(await all(loader, { shuffle: false }))).toEqual([...samples.keys(), -1]);
    expect(order(await all(make({ seed: 2 })))).not.toEqual(order(await all(make())));
  });

  test('smooths and weights labels; mixed ones stay distributions', async () => {
    const options = { labelSmoothing: 0.3, classWeights: [1, 2, 4] };
    const [batch] = await all(make({ ...options, augmentation: 'none' }), { shuffle: false });
    const targets = [...(batch!.targets.data as Float32Array)];
    expect(targets.slice(0, 3).map((v) => Number(v.toFixed(4)))).toEqual([0.8, 0.1, 0.1]);
    expect([...(batch!.weights.data as Float32Array)]).toEqual([1, 2, 4, 1]);
    const mixing = { mixup: 1, cutmix: 1, chance: 1 };
    const batches = await all(
      make({ ...options, augmentation: { ...AUGMENTATIONS.none, mixing } }),
    );
    for (const { targets: mixed, indices } of batches) {
      for (let i = 0; i < 4; i++) {
        const sum = [0, 1, 2].reduce((a, c) => a + Number(mixed.data[3 * i + c]), 0);
        if (indices[i]! >= 0) expect(sum).toBeCloseTo(1, 5);
      }
    }
    const { targets: chosen, weights } = make(options).labelsOf([2, -1], true);
    expect([...(weights.data as Float32Array)]).toEqual([4, 0]);
    expect(chosen.shape).toEqual([2, 3]);
    expect(balancedWeights([0, 0, 0, 1], 3)).toEqual([4 / 9, 4 / 3, 0]);
  });
});

describe('files that cannot be read', () => {
  const list = [
    ...samples.slice(0, 4),
    sampleOf(4, 'bad.png'),
    sampleOf(5, 'gone.jpg'),
    ...samples.slice(6),
  ];

  test('are left out with weight 0 and listed', async () => {
    const loader = make({ augmentation: 'none' }, list);
    const batches = await all(loader, { shuffle: false });
    expect(batches[1]!.indices).toEqual([-1, -1, 6, 7]);
    expect([...(batches[1]!.weights.data as Float32Array)]).toEqual([0, 0, 1, 1]);
    expect(row(batches[1]!, 0)).toEqual(row(batches[1]!, 2));
    expect(row(batches[1]!, 1)).toEqual(row(batches[1]!, 3));
    expect(loader.skipped.map((s) => s.id)).toEqual(['bad.png', 'gone.jpg']);
    expect(loader.skipped[1]!.reason).toMatch(/ENOENT/);
    const mixed = await all(make({}, list));
    expect(mixed.flatMap((b) => b.indices).filter((i) => i >= 0)).toHaveLength(COUNT - 2);
  });

  test('end the epoch when it is strict, naming the file', async () => {
    const loader = make({ strict: true }, list);
    const seen: number[] = [];
    const run = async () => {
      for await (const b of loader.batches({ epoch: 0, training: false })) seen.push(b.indices[0]!);
    };
    await expect(run()).rejects.toThrow(/bad\.png/);
    expect(seen).toEqual([0]);
    await loader.close();
  });

  test('a batch of nothing else is blank but has its shape', async () => {
    const nothing = [sampleOf(0, 'bad.png'), sampleOf(1, 'gone.jpg')];
    const [batch] = await all(make({}, nothing), { training: false });
    expect(batch!.indices).toEqual([-1, -1, -1, -1]);
    expect((batch!.pixels.data as Float32Array).every((v) => v === 0)).toBe(true);
    const error = await all(make({}, nothing)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(
      /2 of 2 pictures cannot be read.*still where it was/,
    );
  });
});

describe('stopping', () => {
  const copies = Array.from({ length: 400 }, (_, i) => samples[i % COUNT]!);

  test('leaving a loop ends what is made ahead of it', async () => {
    const loader = make({ prefetch: 3, cacheBytes: 0 }, copies);
    for await (const batch of loader.batches({ epoch: 0, training: true })) {
      expect(batch.indices).toHaveLength(4);
      break;
    }
    // Nothing is read any more: the files may go.
    await loader.close();
    expect(loader.skipped).toEqual([]);
  });

  test('closing ends loops that wait, and refuses new ones', async () => {
    const loader = make({ prefetch: 8, concurrency: 1 }, copies);
    let batches = 0;
    const loop = (async () => {
      for await (const _ of loader.batches({ epoch: 0, training: true })) batches++;
    })();
    await setImmediate();
    await loader.close();
    await loop;
    expect(batches).toBeLessThan(100);
    await expect(loader.batches({ epoch: 0, training: true }).next()).rejects.toThrow(/closed/);
    await loader.close();
  });

  test('an iterator that is never finished keeps no file open and rejects nothing', async () => {
    const list = [...samples.slice(0, 4), sampleOf(4, 'bad.png')];
    const loader = make({ strict: true, prefetch: 4 }, list);
    await loader.batches({ epoch: 0, training: false }).next(); // the second batch fails, unseen
    await loader.close();
    const copy = join(folder.path, 'copy.png');
    writeFileSync(copy, await randomPicture(30, 30, 2).png().toBuffer());
    rmSync(copy);
  });

  test('two loops over one loader do not disturb each other', async () => {
    const loader = make();
    const want = plain(await all(loader, { epoch: 3 }));
    const [a, b] = await Promise.all([all(loader, { epoch: 3 }), all(loader, { training: false })]);
    expect(plain(a)).toEqual(want);
    expect(b).toHaveLength(3);
  });
});

test('options that cannot be are refused', () => {
  expect(() => make({ batchSize: 0 })).toThrow(/batchSize must be a positive whole number, got 0/);
  expect(() => make({ concurrency: 1.5 })).toThrow(/concurrency/);
  expect(() => make({ classes: 2 })).toThrow(/has the label 2; there are 2 classes/);
  expect(() => make({ classWeights: [1, 1] })).toThrow(/one weight of at least 0 for each of 3/);
  expect(() => make({ labelSmoothing: 1 })).toThrow(/Label smoothing/);
  expect(() => make({ augmentation: 'wild' })).toThrow(/no augmentation named "wild"/);
  expect(make({}, []).batchCount).toBe(0);
});
