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
  ['llama', { rope_scaling: { type: 'longrope', factor: 2 } }, 'type'],
  ['llama', { rope_parameters: { rope_type: 'proportional', factor: 2 } }, 'rope_type'],
  ['llama', { rope_scaling: { rope_type: 'dynamic' } }, 'factor'],
  ['llama', { rope_scaling: { rope_type: 'yarn' } }, 'factor'],
  ['llama', { rope_theta: 1, rope_scaling: { rope_type: 'yarn', factor: 2 } }, 'rope_theta'],
  [
    'llama',
    { rope_scaling: { rope_type: 'yarn', factor: 2, beta_fast: 1, beta_slow: 4 } },
    'beta_fast',
  ],
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
  ['qwen2', { use_sliding_window: 'x' }, 'use_sliding_window'],
  ['qwen2', { use_sliding_window: true, sliding_window: 0 }, 'sliding_window'],
  // As many as layers, of known kinds, and with a window where one of them needs it.
  ['qwen2', { layer_types: ['full_attention', 'full_attention'] }, 'layer_types'],
  ['qwen2', { num_hidden_layers: 1, layer_types: ['chunked_attention'] }, 'layer_types'],
  ['qwen2', { num_hidden_layers: 1, layer_types: ['sliding_attention'] }, 'layer_types'],
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

  test('YaRN: the scale of the scores follows from the factor or mscale where it is not given', async () => {
    const yarn = async (raw: RawConfig, more: RawConfig = {}) => {
      const fields = { rope_type: 'yarn', factor: 4, ...raw };
      return (await rope({ max_position_embeddings: 64, rope_scaling: fields, ...more })).scaling;
    };
    const scale = 0.1 * Math.log(4) + 1;
    expect(await yarn({})).toEqual({
      type: 'yarn',
      factor: 4,
      firstPositions: 64,
      betaFast: 32,
      betaSlow: 1,
      attentionFactor: scale,
      truncate: true,
    });
    expect(await yarn({ mscale: 0.5 })).toMatchObject({ attentionFactor: scale });
    const two = (0.05 * Math.log(4) + 1) / scale;
    expect(await yarn({ mscale: 0.5, mscale_all_dim: 1 })).toMatchObject({ attentionFactor: two });
    expect(await yarn({ attention_factor: 1.5 })).toMatchObject({ attentionFactor: 1.5 });
    expect(await yarn({ factor: null, original_max_position_embeddings: 16 })).toMatchObject({
      factor: 4,
      firstPositions: 16,
    });
    expect(await yarn({}, { original_max_position_embeddings: 8 })).toMatchObject({
      firstPositions: 8,
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

test("heads of keys: null says that none are shared, nothing takes the architecture's default", async () => {
  const keyHeads = async (modelType: string, raw: RawConfig) =>
    ((await loadTextDefinition(modelType)).parse(raw) as LlamaConfig).keyHeads;
  expect(await keyHeads('mistral', { num_attention_heads: 16 })).toBe(8);
  expect(await keyHeads('mistral', { num_attention_heads: 16, num_key_value_heads: null })).toBe(
    16,
  );
  expect(await keyHeads('qwen2', { num_attention_heads: 16, num_key_value_heads: null })).toBe(16);
});

describe('sliding windows', () => {
  const window = async (modelType: string, raw: RawConfig) =>
    ((await loadTextDefinition(modelType)).parse(raw) as LlamaConfig).window;
  const three = { num_hidden_layers: 3 };

  test("Mistral's layers all have one, of 4096 tokens where the file is silent", async () => {
    const all = [true, true, true];
    expect(await window('mistral', three)).toEqual({ tokens: 4096, layers: all });
    expect(await window('mistral', { ...three, sliding_window: 5 })).toEqual({
      tokens: 5,
      layers: all,
    });
    expect(await window('mistral', { ...three, sliding_window: null })).toBeNull();
    // A text may be longer than the window.
    expect((await loadTextDefinition('mistral')).parse({}).maxTokens).toBe(131072);
  });

  test("Qwen2's have one from max_window_layers on, or where layer_types says so", async () => {
    const used = { ...three, use_sliding_window: true, sliding_window: 5 };
    const some = { tokens: 5, layers: [false, true, true] };
    expect(await window('qwen2', { ...used, max_window_layers: 1 })).toEqual(some);
    const types = ['sliding_attention', 'full_attention', 'sliding_attention'];
    expect(await window('qwen2', { ...used, max_window_layers: 1, layer_types: types })).toEqual({
      tokens: 5,
      layers: [true, false, true],
    });
    // 28 layers go before the first one with a window where the file is silent.
    expect(await window('qwen2', used)).toBeNull();
    expect(await window('qwen2', { ...used, sliding_window: null })).toBeNull();
    expect(await window('qwen2', { ...three, sliding_window: 5, max_window_layers: 1 })).toBeNull();
  });

  test('goes through a file', async () => {
    const definition = await loadTextDefinition('qwen2');
    const types = ['sliding_attention', 'full_attention', 'sliding_attention'];
    const config = definition.parse({ ...three, use_sliding_window: true, layer_types: types });
    expect(definition.parse(JSON.parse(JSON.stringify(definition.write(config))))).toEqual(config);
  });
});
