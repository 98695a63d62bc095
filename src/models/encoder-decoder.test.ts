/** Encoder-decoders: what checkpoints may lack, T5's classes of distances, Marian's waves. */
import { describe, expect, test } from 'vitest';
import {
  buildTextGolden,
  goldenPath,
  readTextGolden,
  textAnswer,
} from '../../test/support/text-golden.js';
import { ConfigError, WeightsError } from '../errors.js';
import { type HostTensor, hostTensor, toNumbers } from '../graph/index.js';
import { memorySource } from '../io/index.js';
import type { Weights } from '../nn/index.js';
import { loadTextModel } from './load-text.js';
import { sinusoids } from './marian.js';
import t5 from './t5.js';
import { relativeBucket } from './t5-bias.js';

/** The files of a golden checkpoint without some of its tensors. */
async function filesWithout(name: string, left: readonly string[]) {
  const golden = await readTextGolden(name);
  const tensors: Weights = new Map([...golden.weights].filter(([key]) => !left.includes(key)));
  return {
    golden,
    files: {
      name,
      json: async () => golden.config,
      tensors: async () => memorySource(tensors),
    },
  };
}

describe('parameters that a checkpoint may lack', () => {
  test('the bias of the logits, which the headless model does not have, is zero', async () => {
    const { files } = await filesWithout('bart-seq2seq-lm', ['final_logits_bias']);
    const loaded = await loadTextModel(files, { head: 'seq2seq-lm' });
    const bias = loaded.weights.get('final_logits_bias')!;
    expect(new Set(toNumbers(bias))).toEqual(new Set([0]));
    expect(loaded.untrained).toEqual([]);
    // It is no weight to train, and no statistic that moves.
    const parameter = loaded.model.parameters().get('final_logits_bias')!;
    expect([parameter.trainable, parameter.updated]).toEqual([false, false]);
  });

  test('the table of the answers is that of the words where there is one only', async () => {
    const { files } = await filesWithout('mt5-seq2seq-lm', ['lm_head.weight']);
    const { weights } = await loadTextModel(files, { head: 'seq2seq-lm' });
    expect(weights.get('lm_head.weight')).toBe(weights.get('shared.weight'));
  });

  test('anything else that is missing is named', async () => {
    const left = 'decoder.block.1.layer.1.EncDecAttention.q.weight';
    const { files } = await filesWithout('mt5-seq2seq-lm', [left]);
    await expect(loadTextModel(files, { head: 'seq2seq-lm' })).rejects.toThrow(WeightsError);
    await expect(loadTextModel(files, { head: 'seq2seq-lm' })).rejects.toThrow(left);
  });
});

test('copies of the table under the stacks are taken for it, as in older checkpoints', async () => {
  const golden = await readTextGolden('t5-seq2seq-lm');
  const { definition, model, weights } = await buildTextGolden(golden);
  const tensors: Weights = new Map(
    [...golden.weights].map(([key, value]) => [
      key.replace(/^shared/, 'decoder.embed_tokens'),
      value,
    ]),
  );
  const files = {
    name: 'old',
    json: async () => golden.config,
    tensors: async () => memorySource(tensors),
  };
  const loaded = await loadTextModel(files, { head: 'seq2seq-lm' });
  expect(goldenPath('shared.weight', definition, model)).toBe('shared.weight');
  expect(toNumbers(loaded.weights.get('shared.weight')!)).toEqual(
    toNumbers(weights.get('shared.weight')!),
  );
  const answer = await textAnswer(loaded.model, loaded.weights, golden.inputs);
  expect(answer.shape).toEqual(golden.logits.shape);
});

describe.each(['bart', 'marian', 't5'])('tables of words twice in a checkpoint of %s', (type) => {
  /** The golden checkpoint with two tables more, by default those that it has. */
  const filesWithTables = async (change = (value: HostTensor): HostTensor => value) => {
    const golden = await readTextGolden(`${type}-seq2seq-lm`);
    const [shared, table] = [...golden.weights].find(([key]) => key.endsWith('shared.weight'))!;
    const prefix = shared.replace('shared.weight', '');
    const tensors: Weights = new Map([
      [`${prefix}decoder.embed_tokens.weight`, change(table)],
      ...golden.weights,
      [`${prefix}encoder.embed_tokens.weight`, table],
    ]);
    const json = async () => golden.config;
    return { table, files: { name: type, json, tensors: async () => memorySource(tensors) } };
  };

  test('are one where they are equal', async () => {
    const { table, files } = await filesWithTables();
    const { weights } = await loadTextModel(files, { head: 'seq2seq-lm' });
    const [, loaded] = [...weights].find(([path]) => path.endsWith('shared.weight'))!;
    expect(toNumbers(loaded)).toEqual(toNumbers(table));
  });

  test('are refused where they differ', async () => {
    const { files } = await filesWithTables(({ shape, data }) =>
      hostTensor('float32', shape, (data as Float32Array).with(3, 7)),
    );
    const loading = loadTextModel(files, { head: 'seq2seq-lm' });
    await expect(loading).rejects.toThrow(
      /decoder\.embed_tokens\.weight and .*shared.weight differ/,
    );
    await expect(loading).rejects.toMatchObject({ code: 'weights-mismatch' });
  });
});

describe('T5', () => {
  test('near distances have classes of their own, far ones share them', () => {
    const settings = { buckets: 32, maxDistance: 128 };
    const past = (distance: number) => relativeBucket(-distance, settings, false);
    // What transformers' T5Attention._relative_position_bucket gives.
    expect([0, 1, 15, 16, 20, 31, 64, 113, 128, 3000].map(past)).toEqual([
      0, 1, 15, 16, 17, 21, 26, 31, 31, 31,
    ]);
    // What comes later has no class of its own where it cannot be seen.
    expect(relativeBucket(5, settings, false)).toBe(0);
    const both = (relative: number) => relativeBucket(relative, settings, true);
    expect([-128, -8, -1, 0, 1, 8, 128].map(both)).toEqual([15, 8, 1, 0, 17, 24, 31]);
  });

  test.each([
    [{ relative_attention_num_buckets: 2 }, /relative_attention_num_buckets/],
    [{ relative_attention_max_distance: 16 }, /more than half of the 32 buckets/],
    [{ feed_forward_proj: 'gated-prelu' }, /feed_forward_proj/],
  ])('refuses %o', (raw, reason) => {
    expect(() => t5.parse(raw)).toThrow(ConfigError);
    expect(() => t5.parse(raw)).toThrow(reason);
  });

  test('files of transformers 5 and of those before it say in two ways that there are two tables', () => {
    expect(t5.parse({}).tiedEmbeddings).toBe(true);
    expect(t5.parse({ tie_word_embeddings: false }).tiedEmbeddings).toBe(false);
    const later = { tie_word_embeddings: true, scale_decoder_outputs: false };
    expect(t5.parse(later).tiedEmbeddings).toBe(false);
  });
});

test("Marian's positions: sines in the first half of the channels, cosines in the second", () => {
  const { data, shape } = sinusoids(4, 6);
  expect(shape).toEqual([4, 6]);
  const row = Array.from(data as Float32Array).slice(12, 18);
  const angles = [2, 2 / 10000 ** (1 / 3), 2 / 10000 ** (2 / 3)];
  const want = [...angles.map(Math.sin), ...angles.map(Math.cos)];
  for (const [i, value] of want.entries()) expect(row[i]).toBeCloseTo(value, 6);
});
