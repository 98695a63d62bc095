import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { expectedTensors, expectSource, golden } from '../../test/support/weights.js';
import { ConfigError, WeightsError } from '../errors.js';
import { type HostTensor, hostTensor } from '../graph/index.js';
import { decodeSafetensors } from './safetensors.js';
import { openSafetensors, readSafetensors, writeSafetensors } from './safetensors-file.js';
import { writeSafetensorsFolder } from './safetensors-shards.js';
import type { TensorSource } from './tensor-source.js';

const root = mkdtempSync(join(tmpdir(), 'safetensors-'));
let folder: string;
let made = 0;
beforeEach(() => {
  folder = join(root, String(made++));
  mkdirSync(folder);
});
afterAll(() => rmSync(root, { recursive: true }));

const expected = expectedTensors('safetensors');
const python = golden('safetensors/python.safetensors');
const floats = (...values: number[]) => hostTensor('float32', [values.length], values);

describe('what Python wrote', () => {
  test('is read at random', async () => {
    const source = await openSafetensors(python);
    expect(source.metadata).toEqual({ format: 'pt', note: 'käse' });
    await expectSource(source, expected.get('python.safetensors')!);
  });

  test('is read whole', async () => {
    const { tensors } = await readSafetensors(python);
    for (const [name, tensor] of expected.get('python.safetensors')!) {
      expect(tensors.get(name), name).toEqual(tensor);
    }
  });

  test('in shards is one source', async () => {
    const index = golden('safetensors/shards/model.safetensors.index.json');
    expect(new Set(Object.values(JSON.parse(readFileSync(index, 'utf8')).weight_map)).size).toBe(3);
    await expectSource(await openSafetensors(index), expected.get('shards')!);
  });

  test('as 8-bit floats is refused with advice', async () => {
    const attempt = openSafetensors(golden('safetensors/bad-float8.safetensors'));
    await expect(attempt).rejects.toMatchObject({ code: 'weights-dtype' });
    await expect(attempt).rejects.toThrow(/'weight' has type F8_E5M2.*Convert floats of 8 bits/);
    await expect(attempt).rejects.toThrow(/bad-float8/);
  });
});

test('what is written here is the file that Python was seen to read', async () => {
  // scripts/golden/torch_files.py reads ours.safetensors with the safetensors library.
  const ours = golden('safetensors/ours.safetensors');
  const path = join(folder, 'ours.safetensors');
  const metadata = { format: 'pt', note: 'käse' };
  await writeSafetensors(path, expected.get('python.safetensors')!, metadata);
  if (process.env.UPDATE_GOLDEN) writeFileSync(ours, readFileSync(path));
  expect(readFileSync(path)).toEqual(readFileSync(ours));
});

describe('reading', () => {
  test('takes only the bytes of the tensor that is asked for', async () => {
    const path = join(folder, 'w.safetensors');
    await writeSafetensors(
      path,
      new Map([
        ['a', floats(1, 2)],
        ['b', floats(3)],
      ]),
    );
    const source = await openSafetensors(path);
    // The file changes behind the source's back: a value that was not read yet is the new one.
    const bytes = readFileSync(path);
    bytes.writeFloatLE(9, bytes.length - 4);
    writeFileSync(path, bytes);
    expect((await source.read('b')).data[0]).toBe(9);
    await source.close();
  });

  test('a name that is not there, or after closing, is an error', async () => {
    const source = await openSafetensors(python);
    await expect(source.read('nothing')).rejects.toThrow(/no tensor 'nothing'/);
    await source.close();
    await source.close();
    await expect(source.read('base')).rejects.toMatchObject({ code: 'weights-closed' });
  });

  test('a file that became shorter is an error', async () => {
    const path = join(folder, 'w.safetensors');
    await writeSafetensors(path, new Map([['a', floats(1, 2)]]));
    const source = await openSafetensors(path);
    writeFileSync(path, readFileSync(path).subarray(0, -4));
    await expect(source.read('a')).rejects.toThrow(/became shorter/);
    await source.close();
  });

  test('a changed or cut file gives tensors or a WeightsError', async () => {
    const good = readFileSync(python);
    const path = join(folder, 'changed.safetensors');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.option(fc.nat(good.length - 1)),
        async (edits, cut) => {
          const bytes = Uint8Array.from(good).subarray(0, cut ?? undefined);
          for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value;
          writeFileSync(path, bytes);
          try {
            const source = await openSafetensors(path);
            for (const name of source.types.keys()) await source.read(name);
            await source.close();
            expect(cut).toBeNull();
          } catch (error) {
            expect(error).toBeInstanceOf(WeightsError);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('shards', () => {
  const layers = new Map(
    Array.from({ length: 7 }, (_, i) => [`layer.${i}.weight`, floats(i, i + 1, i + 2)]),
  );

  test('are cut at the limit, indexed, and come back', async () => {
    const names = await writeSafetensorsFolder(folder, layers, {
      maxShardBytes: 36,
      metadata: { format: 'pt' },
    });
    expect(names).toEqual([
      'model-00001-of-00003.safetensors',
      'model-00002-of-00003.safetensors',
      'model-00003-of-00003.safetensors',
      'model.safetensors.index.json',
    ]);
    expect(readdirSync(folder).sort()).toEqual(names);
    const index = JSON.parse(readFileSync(join(folder, names[3]!), 'utf8'));
    expect(index.metadata).toEqual({ total_size: 7 * 12 });
    expect(index.weight_map['layer.3.weight']).toBe(names[1]);
    const source = await openSafetensors(join(folder, names[3]!));
    expect(source.metadata).toEqual({ format: 'pt' });
    await expectSource(source, layers);
  });

  test('of any sizes and any limit hold every tensor once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(20), { maxLength: 12 }),
        fc.integer({ min: 1, max: 200 }),
        async (sizes, maxShardBytes) => {
          const tensors = new Map(
            sizes.map((n, i) => [`t${i}`, hostTensor('uint8', [n], new Uint8Array(n).fill(i))]),
          );
          const files = await writeSafetensorsFolder(folder, tensors, { maxShardBytes });
          expect(readdirSync(folder).sort()).toEqual([...files].sort());
          for (const file of files.filter((f) => f.endsWith('.safetensors'))) {
            const held = [...decodeSafetensors(readFileSync(join(folder, file))).tensors.values()];
            const bytes = held.reduce((n, t) => n + t.data.length, 0);
            expect(
              bytes <= maxShardBytes || held.filter((t) => t.data.length > 0).length === 1,
            ).toBe(true);
          }
          await expectSource(await openSafetensors(join(folder, files.at(-1)!)), tensors);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('replace a single file that would hide them, and the other way round', async () => {
    const single = await writeSafetensorsFolder(folder, layers);
    expect(single).toEqual(['model.safetensors']);
    writeFileSync(join(folder, 'config.json'), '{}');
    const sharded = await writeSafetensorsFolder(folder, layers, { maxShardBytes: 1 });
    expect(readdirSync(folder).sort()).toEqual(['config.json', ...sharded].sort());
    await writeSafetensorsFolder(folder, layers);
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
  });

  test('are written from another file one tensor at a time', async () => {
    let open = 0;
    let most = 0;
    const lazy: TensorSource = {
      types: new Map([...layers].map(([n, { dtype, shape }]) => [n, { dtype, shape }])),
      metadata: {},
      async read(name) {
        most = Math.max(most, ++open);
        await Promise.resolve();
        open--;
        return layers.get(name)!;
      },
      async close() {},
    };
    await writeSafetensorsFolder(folder, lazy, { maxShardBytes: 30 });
    expect(most).toBe(1);
    const index = join(folder, 'model.safetensors.index.json');
    await expectSource(await openSafetensors(index), layers);
  });

  test.each([0, -1, Number.NaN])('of at most %s bytes are refused', async (maxShardBytes) => {
    const attempt = writeSafetensorsFolder(folder, layers, { maxShardBytes });
    await expect(attempt).rejects.toThrow(ConfigError);
  });

  test('a source that gives another type than it announced leaves no file', async () => {
    const types = new Map([['a', { dtype: 'float32' as const, shape: [2] }]]);
    const liar: TensorSource = {
      types,
      metadata: {},
      read: async (): Promise<HostTensor> => floats(1),
      close: async () => {},
    };
    const path = join(folder, 'w.safetensors');
    await expect(writeSafetensors(path, liar)).rejects.toThrow(/announced as float32\[2\]/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('an index', () => {
  const index = () => join(folder, 'model.safetensors.index.json');
  const write = (map: unknown) => writeFileSync(index(), JSON.stringify({ weight_map: map }));
  const shard = (file: string, ...names: string[]) =>
    writeSafetensors(join(folder, file), new Map(names.map((n) => [n, floats(1)])));

  test.each([
    '../secret.safetensors',
    '/etc/passwd',
    'a/../../secret',
    '..',
    '',
    './a',
    'a//b',
    'C:\\secret',
    'a\\..\\b',
    'a:stream',
    'a\0b',
    7,
    null,
  ])('that leads to %j is refused', async (target) => {
    await shard('../secret.safetensors', 'a');
    write({ a: target });
    const attempt = openSafetensors(index());
    await expect(attempt).rejects.toMatchObject({ code: 'weights-path' });
    await expect(attempt).rejects.toThrow(/tensor 'a' into .*not a file in its folder/);
  });

  test('may lead into a folder below', async () => {
    mkdirSync(join(folder, 'parts'));
    await shard('parts/a.safetensors', 'a');
    write({ a: 'parts/a.safetensors' });
    await expectSource(await openSafetensors(index()), new Map([['a', floats(1)]]));
  });

  test('with missing shards lists all of them', async () => {
    await shard('1.safetensors', 'a');
    write({ a: '1.safetensors', b: '2.safetensors', c: '3.safetensors' });
    const attempt = openSafetensors(index());
    await expect(attempt).rejects.toMatchObject({
      data: { missing: ['2.safetensors', '3.safetensors'] },
    });
    await expect(attempt).rejects.toThrow(/2 are missing: '2.safetensors', '3.safetensors'/);
  });

  test('that lists what is not there, and shards that hold a tensor twice, are both told', async () => {
    await shard('1.safetensors', 'a', 'both');
    await shard('2.safetensors', 'b', 'both');
    write({ a: '1.safetensors', b: '2.safetensors', gone: '1.safetensors', both: '2.safetensors' });
    const attempt = openSafetensors(index());
    await expect(attempt).rejects.toThrow(/1 tensors are listed but not in their files: 'gone'/);
    await expect(attempt).rejects.toThrow(/1 tensors are in several files: 'both'/);
  });

  test('keeps tensors that it forgot', async () => {
    await shard('1.safetensors', 'a', 'forgotten');
    write({ a: '1.safetensors' });
    const source = await openSafetensors(index());
    expect([...source.types.keys()]).toEqual(['a', 'forgotten']);
    await expect(source.read('none')).rejects.toThrow(/no tensor 'none'/);
    await source.close();
  });

  test.each([[[]], ['text'], [undefined]])('whose map is %j is refused', async (map) => {
    write(map);
    await expect(openSafetensors(index())).rejects.toThrow(/no 'weight_map'/);
  });

  test('of a thousand files is refused', async () => {
    write(
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`t${i}`, `${i}.safetensors`])),
    );
    await expect(openSafetensors(index())).rejects.toThrow(/names 1000 files; at most 512/);
  });

  test('with a damaged shard closes the others', async () => {
    const files = () => readdirSync('/proc/self/fd').length;
    await shard('1.safetensors', 'a');
    writeFileSync(join(folder, '2.safetensors'), 'rubbish!rubbish');
    write({ a: '1.safetensors', b: '2.safetensors' });
    const before = statSync('/proc/self/fd', { throwIfNoEntry: false }) ? files() : 0;
    await expect(openSafetensors(index())).rejects.toThrow(/2\.safetensors/);
    expect(before && files()).toBe(before);
  });
});
