/** Batches by length, packing, augmentation, tag schemes: what must hold whatever the texts. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, DataError } from '../../errors.js';
import { KeyedRandom } from '../../util/index.js';
import {
  augmentText,
  backTranslate,
  dropWords,
  swapWords,
  TEXT_AUGMENTATIONS,
  textAugmentation,
} from './augment-text.js';
import { bucketLength, lengthBatches } from './buckets.js';
import type { TextDataset } from './dataset.js';
import { packBlocks, packTokens } from './packing.js';
import { normalizeTagged, normalizeTags, tagScheme } from './tags.js';

const random = KeyedRandom.of(5);

describe('batches by length', () => {
  const lengths = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 300 });

  test('hold each sample once, padded to a bucket that it fits in', () => {
    fc.assert(
      fc.property(
        lengths,
        fc.integer({ min: 1, max: 17 }),
        fc.boolean(),
        fc.option(fc.integer({ min: 1, max: 512 }), { nil: undefined }),
        (all, batchSize, training, maxLength) => {
          const options = { batchSize, random, epoch: 2, training, maxLength };
          const batches = lengthBatches(all, options);
          expect(batches.length).toBe(Math.ceil(all.length / batchSize));
          const seen = batches.flatMap((b) => b.indices).sort((a, b) => a - b);
          expect(seen).toEqual(all.map((_, i) => i));
          expect(batches.filter((b) => b.indices.length < batchSize).length).toBeLessThanOrEqual(1);
          for (const { indices, length } of batches) {
            const longest = Math.max(...indices.map((i) => all[i]!));
            expect(length).toBeGreaterThanOrEqual(Math.min(longest, maxLength ?? longest));
            expect(length).toBeLessThanOrEqual(maxLength ?? 1024);
          }
          expect(new Set(batches.map((b) => b.length)).size).toBeLessThanOrEqual(14);
          expect(lengthBatches(all, options)).toEqual(batches);
        },
      ),
    );
  });

  test('are in another order each epoch in training, by length in evaluation', () => {
    const all = Array.from({ length: 500 }, (_, i) => (i * 37) % 101);
    const at = (epoch: number, training: boolean) =>
      lengthBatches(all, { batchSize: 8, random, epoch, training });
    expect(at(0, true)).not.toEqual(at(1, true));
    expect(at(0, false)).toEqual(at(1, false));
    const longest = at(0, false).map((b) => all[b.indices[0]!]!);
    expect(longest).toEqual([...longest].sort((a, b) => b - a));
    // Sorted within chunks of 400: far less padding than batches by chance (about 96 x 500).
    const padded = at(0, true).reduce((sum, b) => sum + b.indices.length * b.length, 0);
    expect(padded).toBeLessThan(1.35 * all.reduce((a, b) => a + b, 0));
  });

  test('take buckets of their own', () => {
    const options = { batchSize: 1, random, epoch: 0, training: false, buckets: [10, 20] };
    expect(lengthBatches([25, 11, 3], options).map((b) => b.length)).toEqual([25, 20, 10]);
  });

  test('the buckets', () => {
    const seen = new Set(Array.from({ length: 512 }, (_, i) => bucketLength(i + 1)));
    expect([...seen]).toEqual([8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]);
    expect(bucketLength(500, 300)).toBe(300);
  });

  test.each([
    [{ batchSize: 0 }, [1]],
    [{ maxLength: 0 }, [1]],
    [{ buckets: [4, 4] }, [1]],
    [{ buckets: [] }, [1]],
    [{}, [1.5]],
    [{}, [Number.NaN]],
  ])('refuse %j for %j', (more, all) => {
    expect(() =>
      lengthBatches(all, { batchSize: 2, random, epoch: 0, training: true, ...more }),
    ).toThrow(ConfigError);
  });
});

describe('packing', () => {
  const documents = fc.array(fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 20 }));

  test('keeps all tokens in order, with an end after each document', () => {
    fc.assert(
      fc.property(documents, fc.integer({ min: 1, max: 9 }), (all, length) => {
        const { blocks, ids, weights } = packTokens(all, { length, end: 0 });
        const stream = all.flatMap((d) => [...d, 0]);
        expect(blocks).toBe(Math.ceil(stream.length / length));
        expect([...ids.subarray(0, stream.length)]).toEqual(stream);
        expect([...ids.subarray(stream.length)].every((id) => id === 0)).toBe(true);
        expect(weights.reduce((a, w) => a + w, 0)).toBe(stream.length);
        expect([...weights.subarray(0, stream.length)].every((w) => w === 1)).toBe(true);
        const dropped = packTokens(all, { length, end: 0, dropLast: true });
        expect(dropped.blocks).toBe(Math.floor(stream.length / length));
      }),
    );
  });

  test('takes documents as they come', () => {
    let taken = 0;
    function* endless() {
      for (;;) yield [++taken];
    }
    const blocks = packBlocks(endless(), { length: 4, end: 0 });
    expect([...blocks.next().value!.ids]).toEqual([1, 0, 2, 0]);
    expect(taken).toBe(2);
    expect(() => packTokens([], { length: 0, end: 0 })).toThrow(ConfigError);
  });
});

describe('augmentation', () => {
  const words = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 30 });

  test('leaves words of the text, at least one, and is the same for the same key', () => {
    fc.assert(
      fc.property(words, fc.integer(), (text, seed) => {
        const key = KeyedRandom.of(seed);
        const counts = (list: readonly string[]) =>
          'abcde'.split('').map((w) => list.filter((x) => x === w).length);
        expect(counts(swapWords(text, key, 5))).toEqual(counts(text));
        const kept = dropWords(text, key, 0.9);
        expect(kept.length).toBeGreaterThan(0);
        counts(kept).forEach((n, i) => {
          expect(n).toBeLessThanOrEqual(counts(text)[i]!);
        });
        const change = textAugmentation('default');
        const made = augmentText(text.join(' '), key, change);
        expect(augmentText(text.join(' '), key, change)).toBe(made);
        expect(made.trim()).not.toBe('');
      }),
    );
  });

  test('a swap moves two words; the shares are those asked for', () => {
    const text = Array.from({ length: 1000 }, (_, i) => `w${i}`);
    const moved = swapWords(text, random, 1);
    expect(moved.filter((w, i) => w !== text[i]).length).toBe(2);
    expect(dropWords(text, random, 0.1).length).toBeGreaterThan(860);
    expect(dropWords(text, random, 0.1).length).toBeLessThan(940);
  });

  test('none changes nothing, white space included', () => {
    expect(augmentText(' a  b\n', random, textAugmentation('none'))).toBe(' a  b\n');
    expect(augmentText('single', random, textAugmentation('default'))).toBe('single');
    expect(TEXT_AUGMENTATIONS).toEqual(['none', 'light', 'default']);
    expect(() => textAugmentation('toString')).toThrow(/none, light, default/);
  });

  test('back-translation keeps places, and texts that came back blank', async () => {
    const there = async (texts: readonly string[]) => texts.map((t) => t.toUpperCase());
    const back = async (texts: readonly string[]) => texts.map((t) => (t === 'B' ? ' ' : `${t}!`));
    expect(await backTranslate(['a', 'b', 'c'], { there, back }, { random })).toEqual([
      'A!',
      'b',
      'C!',
    ]);
    const half = await backTranslate(Array(100).fill('x'), { there, back }, { random, share: 0.5 });
    const changed = half.filter((t) => t === 'X!').length;
    expect(changed).toBeGreaterThan(25);
    expect(changed).toBeLessThan(75);
    const lost = async () => ['one'];
    await expect(
      backTranslate(['a', 'b'], { there, back: lost }, { random }),
    ).rejects.toBeInstanceOf(DataError);
  });
});

describe('tag schemes', () => {
  const of = (...rows: string[]) => rows.map((r) => r.split(' '));

  test.each([
    ['IOB1', of('I-PER I-PER O', 'I-LOC B-LOC')],
    ['IOB2', of('B-PER I-PER O')],
    ['BILOU', of('B-PER L-PER O U-LOC')],
    ['IOBES', of('B-PER E-PER O S-LOC')],
    ['plain', of('NN VB O')],
    ['plain', of('O O')],
  ] as const)('%s is recognised', (scheme, rows) => {
    expect(tagScheme(rows)).toBe(scheme);
  });

  test('every scheme says the same as IOB2', () => {
    const piece = fc.record({
      type: fc.constantFrom('PER', 'LOC', ''),
      length: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const iob2: string[] = [];
        const iob1: string[] = [];
        const bilou: string[] = [];
        const iobes: string[] = [];
        let before = '';
        for (const { type, length } of pieces) {
          for (let i = 0; i < length; i++) {
            const [first, last] = [i === 0, i === length - 1];
            const tag = (prefix: string) => (type === '' ? 'O' : `${prefix}-${type}`);
            iob2.push(tag(first ? 'B' : 'I'));
            iob1.push(tag(first && before === type ? 'B' : 'I'));
            bilou.push(tag(first ? (last ? 'U' : 'B') : last ? 'L' : 'I'));
            iobes.push(tag(first ? (last ? 'S' : 'B') : last ? 'E' : 'I'));
          }
          before = type;
        }
        expect(normalizeTags(iob1, 'IOB1')).toEqual(iob2);
        expect(normalizeTags(iob2, 'IOB2')).toEqual(iob2);
        expect(normalizeTags(bilou, 'BILOU')).toEqual(iob2);
        expect(normalizeTags(iobes, 'IOBES')).toEqual(iob2);
      }),
    );
  });

  test('a data set is rewritten whole', () => {
    const classes = ['I-LOC', 'B-LOC', 'O', 'I-PER'];
    const data: TextDataset<'tags'> = {
      kind: 'tags',
      task: 'token-classification',
      root: '.',
      classes,
      train: [{ id: 'a:1', words: ['x', 'y', 'z'], tags: [0, 1, 2] }],
      valid: [{ id: 'b:1', words: ['x', 'y'], tags: [3, 3] }],
      test: [],
      skipped: [],
      split: '',
      notes: [],
    };
    const { data: made, scheme } = normalizeTagged(data);
    expect(scheme).toBe('IOB1');
    expect(made.classes).toEqual(['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER']);
    expect(made.train[0]!.tags).toEqual([1, 1, 0]);
    expect(made.valid[0]!.tags).toEqual([3, 4]);
    expect(() => normalizeTagged({ ...data, train: [], valid: [] })).toThrow(DataError);
  });
});
