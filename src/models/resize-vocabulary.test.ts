import { describe, expect, test } from 'vitest';
import {
  buildTextGolden,
  readTextGolden,
  textAnswer,
  textGoldenNames,
} from '../../test/support/text-golden.js';
import { ConfigError } from '../errors.js';
import { toNumbers } from '../graph/index.js';
import { checkWeights } from '../nn/index.js';
import { resizeVocabulary } from './resize-vocabulary.js';

const languageModels = textGoldenNames().filter((name) =>
  /-(?:masked|causal|seq2seq)-lm$/.test(name),
);

/** The golden model with its tokens in another order, some dropped, and two new ones in between. */
async function resized(name: string) {
  const golden = await readTextGolden(name);
  const { definition, config, model, weights } = await buildTextGolden(golden);
  const kept = Array.from({ length: config.vocabularySize }, (_, i) => i).filter((i) => i !== 60);
  const rowOf = Int32Array.from([...kept.slice(0, 10), -1, ...kept.slice(10), -1]);
  return {
    golden,
    old: { config, model, weights },
    rowOf,
    made: resizeVocabulary(definition, golden.headName, config, weights, rowOf),
  };
}

describe.each(languageModels)('%s', (name) => {
  test('kept words have the logits that they had', async () => {
    const { golden, old, rowOf, made } = await resized(name);
    checkWeights(made.model, made.weights);
    const inputs = Object.fromEntries(
      Object.entries(golden.inputs).map(([key, value]) => {
        if (!key.endsWith('input_ids')) return [key, value];
        // No text of this test has the word that is dropped.
        const ids = [...value.data].map((id) => (Number(id) === 60 ? 59 : Number(id)));
        return [key, { ...value, data: Int32Array.from(ids) }];
      }),
    );
    const moved = Object.fromEntries(
      Object.entries(inputs).map(([key, value]) => {
        if (!key.endsWith('input_ids')) return [key, value];
        const ids = [...value.data].map((id) => rowOf.indexOf(Number(id)));
        return [key, { ...value, data: Int32Array.from(ids) }];
      }),
    );
    const before = await textAnswer(old.model, old.weights, inputs);
    const after = await textAnswer(made.model, made.weights, moved);
    const words = before.shape[2]!;
    const count = rowOf.length;
    expect(after.shape).toEqual([before.shape[0], before.shape[1], count]);
    const [got, want] = [toNumbers(after), toNumbers(before)];
    for (let row = 0; row < want.length / words; row++) {
      for (const [token, from] of rowOf.entries()) {
        if (from < 0) continue;
        const [a, b] = [got[row * count + token]!, want[row * words + from]!];
        expect(Math.abs(a - b), `row ${row}, token ${token}`).toBeLessThan(1e-4);
      }
    }
  });
});

describe('resizeVocabulary', () => {
  test('new rows are the mean of the old ones, new biases 0, and special tokens move along', async () => {
    const { old, rowOf, made } = await resized('bert-masked-lm');
    const path = 'bert.embeddings.word_embeddings.weight';
    const [table, before] = [made.weights.get(path)!, old.weights.get(path)!];
    const [rows, width] = before.shape as [number, number];
    expect(table.shape).toEqual([rowOf.length, width]);
    for (let c = 0; c < width; c++) {
      let mean = 0;
      for (let r = 0; r < rows; r++) mean += Number(before.data[r * width + c]) / rows;
      expect(Number(table.data[10 * width + c])).toBeCloseTo(mean, 6);
    }
    const bias = made.weights.get('cls.predictions.bias')!;
    expect([bias.data[10], bias.data[rowOf.length - 1]]).toEqual([0, 0]);
    expect(made.config.vocabularySize).toBe(rowOf.length);
    const other = resizeVocabulary(
      (await buildTextGolden(await readTextGolden('bert-masked-lm'))).definition,
      'masked-lm',
      { ...old.config, padToken: 2, bosToken: 5, eosTokens: [0, 4] },
      old.weights,
      Int32Array.from([4, 3, 2]),
    );
    expect(other.config).toMatchObject({ padToken: 2, bosToken: null, eosTokens: [0] });
  });

  test('rows that are not there are refused', async () => {
    const golden = await readTextGolden('gpt2-causal-lm');
    const { definition, config, weights } = await buildTextGolden(golden);
    for (const rows of [[0, 61], [-2], []]) {
      const resize = () =>
        resizeVocabulary(definition, 'causal-lm', config, weights, Int32Array.from(rows));
      expect(resize).toThrow(ConfigError);
    }
  });
});
