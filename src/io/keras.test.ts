import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { expectedTensors, expectSource, golden } from '../../test/support/weights.js';
import { WeightsError } from '../errors.js';
import { openKeras } from './keras.js';

const folder = mkdtempSync(join(tmpdir(), 'keras-'));
afterAll(() => rmSync(folder, { recursive: true }));
const expected = expectedTensors('keras');
const at = (file: string) => golden(`keras/${file}`);

/** Writes bytes to a file and opens it. */
async function opened(bytes: Uint8Array, limitMs?: number) {
  const path = join(folder, 'changed.h5');
  writeFileSync(path, bytes);
  return openKeras(path, limitMs);
}

describe('files in the layouts of Keras', () => {
  test.each([
    ['weights.h5', 'Keras 2, weights alone'],
    ['chunked-names.h5', 'lists of names in several attributes'],
    ['model.h5', 'a whole model of Keras 2'],
    ['numbered.weights.h5', 'Keras 3'],
    ['named.weights.h5', 'Keras 3 with names of layers, newer HDF5'],
    ['same-names.weights.h5', 'two layers of one name'],
    ['compressed.h5', 'compressed, big-endian, empty'],
    ['model.keras', 'an archive'],
    ['deflated.keras', 'a compressed archive'],
  ])('%s: %s', async (file) => {
    await expectSource(await openKeras(at(file)), expected.get(file)!);
  });

  test('come in the order of the layers, with what is said beside them', async () => {
    const source = await openKeras(at('model.h5'));
    expect([...source.types.keys()]).toEqual([...expected.get('model.h5')!.keys()]);
    expect(source.metadata).toEqual({ keras_version: '2.4.0', backend: 'tensorflow' });
    await source.close();
  });

  test('numbers of weights count as numbers', async () => {
    const source = await openKeras(at('numbered.weights.h5'));
    const dense = [...source.types.keys()].filter((n) => n.startsWith('dense/'));
    expect(dense).toEqual(Array.from({ length: 11 }, (_, i) => `dense/${i}`));
    await source.close();
  });

  test('larger than a piece are put together', async () => {
    const { default: hdf5 } = await import('h5wasm');
    const { FS } = await hdf5.ready;
    const file = new hdf5.File('/large.h5', 'w');
    const group = file.create_group('layers').create_group('a').create_group('vars');
    const shape = [5, 4, 2 ** 22];
    const data = new Uint8Array(5 * 2 ** 24).map((_, i) => (i >>> 20) ^ i);
    group.create_dataset({ name: '0', data, shape });
    file.close();
    const source = await opened(FS.readFile('/large.h5'));
    FS.unlink('/large.h5');
    expect(source.types.get('a/0')).toEqual({ dtype: 'uint8', shape });
    expect(Buffer.compare((await source.read('a/0')).data as Uint8Array, data)).toBe(0);
    await source.close();
  });

  test('are read concurrently, and not after closing', async () => {
    const source = await openKeras(at('weights.h5'));
    const names = [...source.types.keys()];
    const read = await Promise.all(names.map((name) => source.read(name)));
    for (const [i, name] of names.entries()) {
      expect(read[i]).toEqual(expected.get('weights.h5')!.get(name));
    }
    await expect(source.read('nothing')).rejects.toThrow(/no tensor 'nothing'/);
    await source.close();
    await source.close();
    await expect(source.read('dense/bias')).rejects.toMatchObject({ code: 'weights-closed' });
  });
});

const published = fileURLToPath(
  new URL('../../../shared/data/weights/textgenrnn/textgenrnn_weights.hdf5', import.meta.url),
);
test.skipIf(!existsSync(published))(
  'a file that Keras 2.1.5 wrote (skipped where ../shared/data is absent)',
  async () => {
    const source = await openKeras(published);
    expect(source.metadata).toEqual({ keras_version: '2.1.5', backend: 'tensorflow' });
    expect(source.types.get('rnn_1/recurrent_kernel')).toEqual({
      dtype: 'float32',
      shape: [128, 512],
    });
    expect([...source.types.keys()]).toHaveLength(10);
    const bias = await source.read('output/bias');
    expect(bias.data[0]).toBeCloseTo(3.27125, 5);
    await source.close();
  },
);

describe('refused', () => {
  test.each([
    ['bad-other-layout.h5', /not laid out as Keras does; it holds 'x'/],
    ['bad-huge.h5', /claims 4398046511104 bytes/],
    ['bad-huge-compressed.h5', /claims 4398046511104 bytes/],
    ['bad-missing.h5', /lists weights that it does not hold: 'dense\/dense\/bias:0'/],
    ['bad-loop.h5', /too many objects/],
    ['bad-link.h5', /'layers\/a\/vars\/0' leads to another file/],
    ['bad-virtual.h5', /'layers\/a\/vars\/0' in a form that no weight has/],
    ['bad-type.h5', /'layers\/a\/vars\/0' in a form that no weight has/],
    ['bad-npz.keras', /holds no 'model.weights.h5'.*'model.weights.npz'/],
  ])('%s', async (file, message) => {
    const attempt = openKeras(at(file));
    await expect(attempt).rejects.toThrow(WeightsError);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toThrow(file);
  });

  test('values that lie in another file', async () => {
    const source = await openKeras(at('bad-external.h5'));
    await expect(source.read('a/0')).rejects.toThrow(WeightsError);
    // The file goes on to be readable, or rather not: the same answer again.
    await expect(source.read('a/0')).rejects.toThrow(/cannot be read as HDF5/);
    await source.close();
  });

  test('a file that sends the library into a loop is given up', async () => {
    const damaged = readFileSync(at('weights.h5'));
    // The length of a text in the heap of texts: the next one is then looked for in the wrong place.
    const heap = damaged.indexOf('GCOL');
    damaged[damaged.indexOf('conv1/bias:0', heap) - 8] = 255;
    const attempt = opened(damaged, 1000);
    await expect(attempt).rejects.toThrow(WeightsError);
    await expect(attempt).rejects.toThrow(/no progress within 1 seconds/);
  });

  test('what is no HDF5 at all', async () => {
    await expect(opened(Buffer.from('hello'))).rejects.toMatchObject({ code: 'weights-format' });
    await expect(opened(new Uint8Array(0))).rejects.toThrow(WeightsError);
    await expect(openKeras(folder)).rejects.toThrow(/it is a folder/);
  });
});

describe.each(['weights.h5', 'named.weights.h5'])('%s', (file) => {
  const good = readFileSync(at(file));
  const survives = async (bytes: Uint8Array) => {
    try {
      const source = await opened(bytes, 3000);
      try {
        for (const [name, type] of source.types) {
          expect((await source.read(name)).shape).toEqual(type.shape);
        }
      } finally {
        await source.close();
      }
    } catch (error) {
      expect(error).toBeInstanceOf(WeightsError);
    }
  };

  test('changed anywhere, gives tensors or a WeightsError', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (edits) => {
          const bytes = Uint8Array.from(good);
          for (const [where, value] of edits) bytes[where] = value;
          await survives(bytes);
        },
      ),
      { numRuns: 5 },
    );
  });

  test('cut anywhere, gives tensors or a WeightsError', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), (length) => survives(good.subarray(0, length))),
      { numRuns: 4 },
    );
  });
});
