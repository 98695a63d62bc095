/** Texts and tokens that are larger than memory: streams and token files. */
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder, writeFiles } from '../../../test/support/pictures.js';
import { ConfigError, DataError } from '../../errors.js';
import { KeyedRandom } from '../../util/index.js';
import type { Skipped } from '../image.js';
import { type StreamTextOptions, streamTexts } from './stream-texts.js';
import { createTokenFile, openTokenFile, windowStarts } from './token-file.js';

const folders: { remove: () => void }[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});
function folder(files: Record<string, string | Uint8Array> = {}): string {
  const made = temporaryFolder();
  folders.push(made);
  writeFiles(made.path, files);
  return made.path;
}
async function all(path: string, options?: StreamTextOptions): Promise<string[]> {
  const texts: string[] = [];
  for await (const text of streamTexts(path, options)) texts.push(text);
  return texts;
}

describe('a stream of texts', () => {
  const parquet = new Uint8Array(
    parquetWriteBuffer({
      columnData: [{ name: 'text', data: ['one', 'two'], type: 'STRING' }],
      rowGroupSize: 1,
    }),
  );
  test.each<[string, string | Uint8Array]>([
    ['a.txt', 'one\ntwo\n'],
    ['a.csv', 'text,label\none,1\n"two",2\n'],
    ['a.tsv', 'label\ttext\n1\tone\n1\ttwo\n'],
    ['a.jsonl', '{"text":"one"}\n{"text":"two"}\n'],
    ['a.parquet', parquet],
  ])('comes from %s', async (name, content) => {
    expect(await all(join(folder({ [name]: content }), name))).toEqual(['one', 'two']);
  });

  test('of a folder is that of its training part, or of all its files', async () => {
    const parted = folder({ 'train.txt': 'a', 'test.txt': 'b' });
    expect(await all(parted)).toEqual(['a']);
    expect(await all(folder({ 'x.txt': 'a', 'y.txt': 'b' }))).toEqual(['a', 'b']);
  });

  test('leaves out rows and tells of them', async () => {
    const skipped: Skipped[] = [];
    const path = folder({ 'train.jsonl': '{"text":"a"}\n{"other":1}\n{"text":" "}\n' });
    expect(await all(path, { onSkip: (s) => skipped.push(s) })).toEqual(['a']);
    expect(skipped).toEqual([
      { id: 'train.jsonl:2', reason: 'has no text' },
      { id: 'train.jsonl:3', reason: 'has no text' },
    ]);
  });

  test('without a column for it is refused', async () => {
    const path = folder({ 'train.csv': 'number\n1\n' });
    await expect(all(path)).rejects.toThrow(/columns number; a stream of texts needs text/);
  });

  test('stops when it is left, and reads a chunk at a time', async () => {
    const path = join(folder(), 'long.txt');
    writeFileSync(path, `${'some words in a line\n'.repeat(400_000)}`);
    let read = 0;
    let total = 0;
    const progress = (done: number, bytes: number) => {
      [read, total] = [done, bytes];
    };
    let taken = 0;
    for await (const text of streamTexts(path, { progress })) {
      expect(text).toBe('some words in a line');
      if (++taken === 30_000) break;
    }
    expect(total).toBe(8_400_000);
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(1_000_000);
  });
});

describe('a token file', () => {
  const documents = (vocabulary: number) =>
    fc.array(fc.array(fc.integer({ min: 0, max: vocabulary - 1 }), { maxLength: 12 }), {
      maxLength: 8,
    });

  test.each([100, 65536, 65537, 2 ** 31])('gives back what was put in, of %i ids', async (size) => {
    const path = join(folder(), 'tokens.bin');
    await fc.assert(
      fc.asyncProperty(documents(size), async (written) => {
        const writer = await createTokenFile(path, { vocabulary: size });
        for (const ids of written) await writer.append(ids);
        const tokens = written.flat();
        expect(await writer.finish()).toEqual({
          tokens: tokens.length,
          documents: written.length,
          vocabulary: size,
        });
        const file = await openTokenFile(path);
        expect([...(await file.read(0, tokens.length))]).toEqual(tokens);
        for (const [i, ids] of written.entries()) {
          expect([...(await file.document(i))]).toEqual(ids);
        }
        await expect(file.read(1, tokens.length)).rejects.toBeInstanceOf(ConfigError);
        await expect(file.document(written.length)).rejects.toBeInstanceOf(ConfigError);
        await file.close();
      }),
      { numRuns: 30 },
    );
  });

  test('of more than its buffer is whole, and takes two bytes a token', async () => {
    const path = join(folder(), 'tokens.bin');
    const writer = await createTokenFile(path, { vocabulary: 1000 });
    const ids = Int32Array.from({ length: 700_001 }, (_, i) => (i * 7) % 1000);
    await writer.append(ids);
    expect(existsSync(path)).toBe(false);
    await writer.finish();
    expect(existsSync(`${path}.part`)).toBe(false);
    expect(readFileSync(path).length).toBe(40 + 2 * ids.length + 8);
    const file = await openTokenFile(path);
    expect(await file.read(524_280, 20)).toEqual(ids.slice(524_280, 524_300));
    await file.close();
  });

  test('that is given up leaves no trace', async () => {
    const path = join(folder(), 'tokens.bin');
    const writer = await createTokenFile(path, { vocabulary: 10 });
    await expect(writer.append([3, 10])).rejects.toThrow(/Token 1 of document 0 has the id 10/);
    await writer.discard();
    expect([existsSync(path), existsSync(`${path}.part`)]).toEqual([false, false]);
    await expect(createTokenFile(path, { vocabulary: 0 })).rejects.toBeInstanceOf(ConfigError);
  });

  test('that is none, cut off or changed is refused', async () => {
    const path = join(folder(), 'tokens.bin');
    const writer = await createTokenFile(path, { vocabulary: 10 });
    await writer.append([1, 2, 3]);
    await writer.finish();
    const whole = readFileSync(path);
    for (let at = 0; at < 40; at++) {
      const changed = Buffer.from(whole);
      changed[at] = changed[at]! ^ 0x55;
      writeFileSync(path, changed);
      const error = await openTokenFile(path).then(
        (file) => file.close(),
        (e: unknown) => e,
      );
      // Another size of the vocabulary is no damage that can be seen.
      if (at < 16 || at >= 24) expect(error, `byte ${at}`).toBeInstanceOf(DataError);
    }
    writeFileSync(path, whole);
    truncateSync(path, whole.length - 1);
    await expect(openTokenFile(path)).rejects.toThrow(/its size of 53 bytes/);
    await expect(openTokenFile(join(folder(), 'none'))).rejects.toBeInstanceOf(DataError);
  });

  test('is read in windows that a key draws, all places alike', () => {
    const of = (epoch: number) =>
      windowStarts({ tokens: 20 }, { length: 11, count: 2000, random: KeyedRandom.of(1, epoch) });
    expect(of(0)).toEqual(of(0));
    expect(of(0)).not.toEqual(of(1));
    const counts = Array.from({ length: 10 }, (_, i) => of(0).filter((s) => s === i).length);
    expect(counts.reduce((a, b) => a + b, 0)).toBe(2000);
    for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(70);
    const far = windowStarts(
      { tokens: 2 ** 45 },
      { length: 8, count: 9, random: KeyedRandom.of(1) },
    );
    expect(far.every((s) => Number.isSafeInteger(s) && s < 2 ** 45 - 7)).toBe(true);
    expect(() =>
      windowStarts({ tokens: 5 }, { length: 6, count: 1, random: KeyedRandom.of(1) }),
    ).toThrow(ConfigError);
  });
});
