/** Texts as batches: every text once, of like length, the same again for one seed and pass. */
import { describe, expect, test } from 'vitest';
import { createTokenizer, trainWordPiece } from '../data/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { singleLabelClassification, type TextItem, textToText } from '../tasks/index.js';
import type { KeyedRandom } from '../util/index.js';
import { TextStream } from './text-stream.js';

const words = ['ann', 'saw', 'the', 'dull', 'film', 'today'];
const tokenizer = createTokenizer({
  tokenizer: trainWordPiece([words.join(' '), words.join(' ')], { vocabularySize: 40 }),
  config: { pad_token: '[PAD]', cls_token: '[CLS]', sep_token: '[SEP]', unk_token: '[UNK]' },
});
const task = singleLabelClassification({ classes: 2 });
const tools = { tokenizer, maxTokens: 40 };
const samples = Array.from({ length: 37 }, (_, i) => ({
  id: `${i}`,
  text: Array.from({ length: 1 + ((i * 7) % 30) }, (__, k) => words[(i + k) % 6]).join(' '),
  label: i % 2,
}));

type Vary = (sample: (typeof samples)[number], random: KeyedRandom) => TextItem;

const streamOf = (vary?: Vary, seed = 3) =>
  new TextStream({
    task,
    samples,
    items: samples.map((sample) => task.item(sample, tools)),
    batchSize: 8,
    padToken: 0,
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
    maxTokens: 40,
    seed,
    vary,
    fingerprint: 'toy',
  });

async function read(stream: ReturnType<typeof streamOf>, epoch: number, training = true, from = 0) {
  const batches = [];
  for await (const batch of stream.read({ epoch, training, from })) batches.push(batch);
  return batches;
}

describe('a stream of texts', () => {
  test.each([true, false])('holds every text once a pass (training: %s)', async (training) => {
    const batches = await read(streamOf(), 0, training);
    expect(batches).toHaveLength(5);
    const seen = batches.flatMap((b) => b.indices.filter((i) => i >= 0));
    expect(seen.sort((a, b) => a - b)).toEqual([...samples.keys()]);
    for (const { feeds, indices } of batches) {
      const { data, shape } = feeds[TEXT_INPUTS.mask]!;
      const tokens = shape[1]!;
      for (const [row, sample] of indices.entries()) {
        const shown = Array.from(data, Number).slice(row * tokens, (row + 1) * tokens);
        const length = shown.reduce((a, b) => a + b, 0);
        expect(length).toBe(
          sample < 0 ? 1 : tokenizer.ids(samples[sample]!.text, { maxLength: 40 }).length,
        );
        expect(feeds.weights!.data[row]).toBe(sample < 0 ? 0 : 1);
      }
      const longest = Math.max(
        ...indices.map((i) =>
          i < 0 ? 1 : tokenizer.ids(samples[i]!.text, { maxLength: 40 }).length,
        ),
      );
      expect(tokens).toBeGreaterThanOrEqual(longest);
    }
  });

  test('pads little', async () => {
    const real = samples.reduce((n, s) => n + tokenizer.ids(s.text, { maxLength: 40 }).length, 0);
    let padded = 0;
    for (const { feeds, indices } of await read(streamOf(), 0)) {
      const [, tokens] = feeds[TEXT_INPUTS.ids]!.shape as [number, number];
      padded += tokens * indices.filter((i) => i >= 0).length;
    }
    expect(padded / real).toBeLessThan(1.25);
  });

  test('has few signatures', async () => {
    const shapes = new Set<string>();
    for (const epoch of [0, 1, 2, 3]) {
      for (const { feeds } of await read(streamOf(), epoch))
        shapes.add(feeds[TEXT_INPUTS.ids]!.shape.join());
    }
    expect(shapes.size).toBeLessThanOrEqual(8);
  });

  test('is another in every pass, the same for one seed, and goes on where it was left', async () => {
    const [first, second] = [await read(streamOf(), 0), await read(streamOf(), 1)];
    expect(await read(streamOf(), 0)).toEqual(first);
    expect(second.map((b) => b.indices)).not.toEqual(first.map((b) => b.indices));
    expect(await read(streamOf(), 0, true, 2)).toEqual(first.slice(2));
    expect(await read(streamOf(undefined, 4), 0)).not.toEqual(first);
  });

  test('texts are varied in training only, by keys of their own, even if they grow', async () => {
    const seen: number[] = [];
    const vary: Vary = (sample, random) => {
      seen.push(random.bits());
      return task.item({ ...sample, text: `${sample.text} ${sample.text}` }, tools);
    };
    const grown = await read(streamOf(vary), 0);
    expect(new Set(seen).size).toBe(samples.length);
    const before = [...seen];
    await read(streamOf(vary), 0);
    expect(seen.slice(before.length)).toEqual(before);
    for (const { feeds } of grown) expect(feeds[TEXT_INPUTS.ids]!.shape[1]).toBeLessThanOrEqual(40);
    seen.length = 0;
    expect(await read(streamOf(vary), 0, false)).toEqual(await read(streamOf(), 0, false));
    expect(seen).toEqual([]);
  });

  test('says what is true of each text', () => {
    const stream = streamOf();
    expect(stream.truth).toEqual(samples.map((s) => s.label));
    const { targets, weights } = stream.labelFeeds([1, -1], false);
    expect([...targets!.data]).toEqual([0, 1, 0, 0]);
    expect([...weights!.data]).toEqual([1, 0]);
  });
});

describe('a stream of sources and targets', () => {
  const translate = textToText({ name: 'translation', decoderStart: 0, endToken: 3 });
  const pairs = Array.from({ length: 400 }, (_, i) => ({
    id: `${i}`,
    source: Array.from({ length: 1 + ((i * 7) % 30) }, (__, k) => words[(i + k) % 6]).join(' '),
    target: Array.from({ length: 1 + ((i * 11) % 26) }, (__, k) => words[(i + k) % 6]).join(' '),
  }));
  const items = pairs.map((sample) => translate.item(sample, tools));
  const stream = new TextStream({
    task: translate,
    samples: pairs,
    items,
    batchSize: 8,
    padToken: 0,
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
    maxTokens: 40,
    seed: 3,
    fingerprint: 'toy',
  });

  test.each([
    [true, 13],
    [false, 7],
  ])('pads both sides to few sizes (training: %s)', async (training, most) => {
    const sizes = new Set<string>();
    for (const epoch of [0, 1, 2]) {
      const seen: number[] = [];
      for await (const { feeds, indices } of stream.read({ epoch, training })) {
        const [ids, targets] = [feeds[TEXT_INPUTS.ids]!, feeds.targets!];
        sizes.add(`${ids.shape}|${targets.shape}`);
        expect(targets.shape).toEqual(feeds[TEXT_INPUTS.decoderIds]!.shape);
        for (const [row, sample] of indices.entries()) {
          const weights = Array.from(feeds.weights!.data, Number);
          const tokens = targets.shape[1]!;
          const counted = weights.slice(row * tokens, (row + 1) * tokens);
          const length = sample < 0 ? 0 : items[sample]!.labels.length;
          expect(counted.reduce((a, b) => a + b, 0)).toBe(length);
          if (sample >= 0) seen.push(sample);
        }
      }
      expect(seen.sort((a, b) => a - b)).toEqual([...pairs.keys()]);
    }
    expect(sizes.size).toBeLessThanOrEqual(most);
  });
});
