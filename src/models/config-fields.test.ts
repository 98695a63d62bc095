import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { textCheckpointOf } from './checkpoint-text.js';
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import { loadTextDefinition } from './text-registry.js';

/** Fields under their own names and under those of transformers' `attribute_map`. */
const ALIASED: readonly (readonly [modelType: string, own: RawConfig, others: RawConfig])[] = [
  [
    'gpt2',
    { n_embd: 32, n_head: 2, n_layer: 3, n_positions: 40 },
    {
      hidden_size: 32,
      num_attention_heads: 2,
      num_hidden_layers: 3,
      max_position_embeddings: 40,
    },
  ],
  [
    'distilbert',
    { dim: 32, n_heads: 2, n_layers: 3 },
    { hidden_size: 32, num_attention_heads: 2, num_hidden_layers: 3 },
  ],
  ...['t5', 'mt5'].map(
    (modelType) =>
      [
        modelType,
        { d_model: 32, num_heads: 2, num_layers: 3, d_kv: 8 },
        { hidden_size: 32, num_attention_heads: 2, num_hidden_layers: 3, head_dim: 8 },
      ] as const,
  ),
  // The decoder's fields have one name each.
  ...['bart', 'marian'].map(
    (modelType) =>
      [
        modelType,
        { d_model: 32, encoder_attention_heads: 2, encoder_layers: 3 },
        { hidden_size: 32, num_attention_heads: 2, num_hidden_layers: 3 },
      ] as const,
  ),
];

describe.each(ALIASED)('%s', (modelType, own, others) => {
  test('takes the names of other architectures, alone and beside its own', async () => {
    const definition = await loadTextDefinition(modelType);
    const config = definition.parse(own);
    expect(config).not.toEqual(definition.parse({}));
    expect(definition.parse(others)).toEqual(config);
    expect(definition.parse({ ...own, ...others })).toEqual(config);
  });

  test('refuses two names that say different things', async () => {
    const definition = await loadTextDefinition(modelType);
    for (const [i, [alias, value]] of Object.entries(others).entries()) {
      const field = Object.keys(own)[i]!;
      const parse = () => definition.parse({ ...own, [alias]: (value as number) * 2 });
      expect(parse).toThrow(ConfigError);
      expect(parse).toThrow(`'${field}' must be the same as '${alias}'`);
    }
  });

  test('a checkpoint is written under its own names', async () => {
    const definition = await loadTextDefinition(modelType);
    const config = definition.parse(others);
    const { config: written } = textCheckpointOf({
      definition,
      headName: 'base',
      config,
      raw: others,
      weights: new Map(),
    });
    expect(written).toMatchObject(own);
    const again = definition.parse(JSON.parse(JSON.stringify({ ...written })));
    expect(again).toEqual(config);
    const wider = textCheckpointOf({
      definition,
      headName: 'base',
      config: { ...config, hiddenSize: 64 },
      raw: others,
      weights: new Map(),
    });
    expect(definition.parse(wider.config).hiddenSize).toBe(64);
  });
});

test('an error names the field that stands in the file', () => {
  const fields = (raw: RawConfig) =>
    new ConfigFields('x', raw, { aliases: { n_head: 'num_attention_heads' } });
  expect(() => fields({ num_attention_heads: 'few' }).integer('n_head', 1)).toThrow(
    `'num_attention_heads' must be a whole number from 1 to 1048576, got "few"`,
  );
  expect(() => fields({ n_head: 'few' }).integer('n_head', 1)).toThrow(`'n_head' must be`);
  expect(() => fields({ n_head: 2, num_attention_heads: 4 }).integer('n_head', 1)).toThrow(
    `'n_head' must be the same as 'num_attention_heads', another name of it, which is 4, got 2`,
  );
  expect(fields({ n_head: null, num_attention_heads: 4 }).integer('n_head', 1)).toBe(4);
  expect(fields({ n_head: 4, num_attention_heads: null }).integer('n_head', 1)).toBe(4);
  const inherited = Object.create({ num_attention_heads: 4 }) as RawConfig;
  expect(fields(inherited).integer('n_head', 1)).toBe(1);
});
