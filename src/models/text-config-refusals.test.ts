import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import type { RawConfig } from './define-model.js';
import type { LlamaConfig } from './llama-config.js';
import { loadTextDefinition } from './text-registry.js';

/** Fields of configurations that mean what is not built. */
const REFUSED: readonly (readonly [modelType: string, raw: RawConfig, field: string])[] = [
  ['bert', { is_decoder: true }, 'is_decoder'],
  ['bert', { add_cross_attention: true }, 'add_cross_attention'],
  ['bert', { position_embedding_type: 'relative_key' }, 'position_embedding_type'],
  ['bert', { hidden_size: 10, num_attention_heads: 4 }, 'num_attention_heads'],
  ['bert', { hidden_act: 'prelu' }, 'hidden_act'],
  ['roberta', { max_position_embeddings: 2 }, 'max_position_embeddings'],
  ['xlm-roberta', { is_decoder: true }, 'is_decoder'],
  ['distilbert', { dim: 10, n_heads: 4 }, 'n_heads'],
  ['gpt2', { add_cross_attention: true }, 'add_cross_attention'],
  ['gpt2', { n_embd: 10, n_head: 4 }, 'n_head'],
  ['llama', { rope_scaling: { type: 'dynamic', factor: 2 } }, 'type'],
  ['llama', { rope_parameters: { rope_type: 'yarn', factor: 2 } }, 'rope_type'],
  ['llama', { rope_scaling: { rope_type: 'linear' } }, 'factor'],
  ['llama', { rope_scaling: ['linear'] }, 'rope_scaling'],
  ['llama', { rope_parameters: { partial_rotary_factor: 0.5 } }, 'partial_rotary_factor'],
  ['llama', { partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
  [
    'llama',
    { rope_scaling: { rope_type: 'llama3', factor: 2, low_freq_factor: 4, high_freq_factor: 4 } },
    'high_freq_factor',
  ],
  // One set of angles a kind of layer, as other models have it.
  ['llama', { rope_parameters: { full_attention: { rope_type: 'default' } } }, 'full_attention'],
  ['llama', { num_attention_heads: 4, num_key_value_heads: 3 }, 'num_key_value_heads'],
  ['llama', { head_dim: 7 }, 'head_dim'],
  ['llama', { hidden_size: 12, num_attention_heads: 4 }, 'num_attention_heads'],
  ['qwen2', { use_sliding_window: true }, 'use_sliding_window'],
  ['qwen2', { layer_types: ['full_attention', 'sliding_attention'] }, 'layer_types'],
  ['mistral', { sliding_window: 'wide' }, 'sliding_window'],
];

test.each(REFUSED)('%s refuses %j', async (modelType, raw, field) => {
  const definition = await loadTextDefinition(modelType);
  expect(() => definition.parse(raw)).toThrow(ConfigError);
  expect(() => definition.parse(raw)).toThrow(`'${field}'`);
});

test.each(['bert', 'roberta'])('a masked %s has the words of its embeddings', async (modelType) => {
  const definition = await loadTextDefinition(modelType);
  const config = definition.parse({ tie_word_embeddings: false });
  expect(() => definition.heads['masked-lm']!.build(config)).toThrow("'tie_word_embeddings'");
});

describe('rotary positions', () => {
  const rope = async (raw: RawConfig) =>
    ((await loadTextDefinition('llama')).parse(raw) as LlamaConfig).rope;
  const llama3 = {
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };

  test('files of transformers 4 and 5 say the same', async () => {
    const old = { rope_theta: 500_000, rope_scaling: { rope_type: 'llama3', ...llama3 } };
    const now = { rope_parameters: { rope_type: 'llama3', rope_theta: 500_000, ...llama3 } };
    expect(await rope(old)).toEqual(await rope(now));
    expect(await rope({ rope_theta: 1e6, rope_scaling: null })).toEqual(
      await rope({ rope_parameters: { rope_theta: 1e6, rope_type: 'default' } }),
    );
    expect(await rope({})).toEqual({ theta: 10_000, scaling: null });
    expect(await rope({ rope_scaling: { type: 'linear', factor: 4 } })).toEqual({
      theta: 10_000,
      scaling: { type: 'linear', factor: 4 },
    });
  });

  test("the tokens that a model was first trained on are its own where the file doesn't say", async () => {
    const { original_max_position_embeddings: _, ...rest } = llama3;
    const { scaling } = await rope({
      max_position_embeddings: 4096,
      rope_scaling: { rope_type: 'llama3', ...rest },
    });
    expect(scaling).toMatchObject({ firstPositions: 4096 });
  });
});

test("a window of Mistral's limits texts, in which the two are the same", async () => {
  const definition = await loadTextDefinition('mistral');
  expect(definition.parse({}).maxTokens).toBe(4096);
  expect(definition.parse({ sliding_window: null }).maxTokens).toBe(131072);
  expect(definition.parse({ sliding_window: 1 << 20 }).maxTokens).toBe(131072);
});
