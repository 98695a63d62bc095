/** What a text checkpoint may hold beside a model's parameters, and what it may not. */
import { describe, expect, test } from 'vitest';
import { readTextGolden } from '../../test/support/text-golden.js';
import { ConfigError, type GraftError, WeightsError } from '../errors.js';
import { type HostTensor, hostTensor, toNumbers } from '../graph/index.js';
import { INT8_SCALE, memorySource, toInt8Rows, withInt8Rows } from '../io/index.js';
import type { Weights } from '../nn/index.js';
import type { CheckpointFiles } from './checkpoint.js';
import type { RawConfig } from './define-model.js';
import { loadImageClassifier } from './load.js';
import { loadTextModel } from './load-text.js';
import type { TextHead } from './text-model.js';

const number = (...shape: number[]) =>
  hostTensor('float32', shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));

/** A golden checkpoint, changed. */
async function checkpoint(
  name: string,
  {
    config = {},
    change = () => {},
  }: { readonly config?: RawConfig; readonly change?: (tensors: Weights) => void },
): Promise<CheckpointFiles> {
  const golden = await readTextGolden(name);
  const tensors: Weights = new Map(golden.weights);
  change(tensors);
  return {
    name,
    json: async (file) => (file === 'config.json' ? { ...golden.config, ...config } : null),
    tensors: async () => memorySource(tensors),
  };
}

const adding = (extra: Readonly<Record<string, HostTensor>>) => (tensors: Weights) => {
  for (const [key, tensor] of Object.entries(extra)) tensors.set(key, tensor);
};

async function faultOf(promise: Promise<unknown>): Promise<GraftError> {
  try {
    await promise;
  } catch (error) {
    return error as GraftError;
  }
  return expect.unreachable();
}

describe('weights in fewer bits', () => {
  /** The projections as bitsandbytes stores them. */
  const inBytes = (tensors: Weights) => {
    for (const [name, { shape, data }] of [...tensors]) {
      if (!name.endsWith('_proj.weight')) continue;
      tensors.set(name, hostTensor('int8', shape, new Int8Array(data.length)));
      tensors.set(name.replace('weight', 'SCB'), number(shape[0]!));
    }
  };

  test('whole numbers are no weights', async () => {
    const files = await checkpoint('llama-causal-lm', { change: inBytes });
    const error = await faultOf(loadTextModel(files, { head: 'causal-lm' }));
    expect(error).toBeInstanceOf(WeightsError);
    expect(error.message).toContain(
      'model.layers.0.self_attn.q_proj.weight is int8[16,16], expected float32[16,16]',
    );
    expect(error.message).toContain('q_proj.SCB');
  });

  test.each([
    [{ quant_method: 'bitsandbytes', load_in_8bit: true }, 'bitsandbytes (8 bits)'],
    [{ load_in_4bit: true }, 'bitsandbytes (4 bits)'],
    [{ quant_method: 'gptq', bits: 4 }, 'gptq'],
    ['x', 'an unnamed method'],
  ])('%j is refused by name', async (quantization_config, method) => {
    const files = await checkpoint('llama-causal-lm', { config: { quantization_config } });
    const error = await faultOf(loadTextModel(files, { head: 'causal-lm' }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.code).toBe('quantized');
    expect(error.message).toContain(`quantised by ${method} ('quantization_config'`);
  });

  test('pictures: the same', async () => {
    const config = { model_type: 'resnet', quantization_config: { quant_method: 'torchao' } };
    const files = {
      name: 'r',
      json: async () => config,
      tensors: async () => memorySource(new Map()),
    };
    expect((await faultOf(loadImageClassifier(files))).code).toBe('quantized');
  });

  test('null says that nothing is quantised', async () => {
    const files = await checkpoint('llama-causal-lm', { config: { quantization_config: null } });
    expect((await loadTextModel(files, { head: 'causal-lm' })).unused).toEqual([]);
  });

  test('the bytes that bases in the package are stored in are floats to a model', async () => {
    const golden = await readTextGolden('bert-base');
    const stored: Weights = new Map();
    for (const [name, tensor] of golden.weights) {
      if (tensor.shape.length !== 2) stored.set(name, tensor);
      else {
        const { values, scales } = toInt8Rows(tensor);
        stored.set(name, values).set(`${name}${INT8_SCALE}`, scales);
      }
    }
    const files = {
      name: 'stored',
      json: async () => golden.config,
      tensors: async () => withInt8Rows(memorySource(stored)),
    };
    const { weights } = await loadTextModel(files, { head: 'base' });
    const path = 'embeddings.word_embeddings.weight';
    const got = toNumbers(weights.get(`bert.${path}`)!);
    for (const [i, want] of toNumbers(golden.weights.get(path)!).entries()) {
      expect(got[i]).toBeCloseTo(want, 1);
    }
  });
});

describe('tensors of the trunk that have no place', () => {
  const refused: readonly (readonly [string, TextHead, string])[] = [
    // The configuration says that there is no bias.
    ['llama-causal-lm', 'causal-lm', 'model.layers.0.self_attn.q_proj.bias'],
    // A layer more than the configuration has, named with and without the prefix.
    ['llama-base', 'base', 'layers.2.self_attn.q_proj.weight'],
    ['bert-masked-lm', 'token-classification', 'bert.encoder.layer.2.output.dense.weight'],
    ['distilbert-base', 'base', 'transformer.layer.2.ffn.lin1.weight'],
    ['gpt2-causal-lm', 'causal-lm', 'transformer.h.0.crossattention.c_attn.weight'],
    // What an adapter left behind.
    ['roberta-base', 'base', 'module.encoder.layer.0.attention.self.query.lora_A.default.weight'],
    ['mistral-causal-lm', 'causal-lm', 'model.layers.0.mlp.up_proj.lora_B.weight'],
    ['qwen2-causal-lm', 'causal-lm', 'model.layers.0.self_attn.o_proj.bias'],
    ['t5-seq2seq-lm', 'seq2seq-lm', 'encoder.block.0.layer.1.DenseReluDense.wi_0.weight'],
    ['bart-seq2seq-lm', 'seq2seq-lm', 'model.encoder.layer_norm.weight'],
    ['marian-seq2seq-lm', 'seq2seq-lm', 'model.decoder.layers.2.fc1.weight'],
  ];
  test.each(refused)('%s as %s: %s', async (name, head, extra) => {
    const files = await checkpoint(name, { change: adding({ [extra]: number(2, 2) }) });
    const error = await faultOf(loadTextModel(files, { head }));
    expect(error).toBeInstanceOf(WeightsError);
    expect(error.code).toBe('weights-mismatch');
    expect(error.data.unexpected).toEqual([extra]);
    expect(error.message).toContain(`Unexpected (1): ${extra}`);
  });

  // What published checkpoints hold beside the parameters of a head.
  const harmless: readonly (readonly [string, TextHead, readonly string[], readonly string[]])[] = [
    [
      'bert-masked-lm',
      'token-classification',
      [
        'bert.embeddings.position_ids',
        'bert.embeddings.token_type_ids',
        'cls.predictions.decoder.bias',
      ],
      ['bert.pooler.dense.weight', 'cls.seq_relationship.weight'],
    ],
    ['bert-base', 'base', ['embeddings.position_ids'], ['pooler.dense.weight', 'linear.weight']],
    [
      'roberta-masked-lm',
      'question-answering',
      ['roberta.embeddings.position_ids', 'lm_head.decoder.weight'],
      ['roberta.pooler.dense.bias'],
    ],
    ['xlm-roberta-base', 'base', [], ['pooler.dense.bias', 'lm_head.dense.weight']],
    ['distilbert-masked-lm', 'sequence-classification', ['vocab_projector.weight'], []],
    [
      'gpt2-causal-lm',
      'causal-lm',
      ['transformer.h.0.attn.bias', 'transformer.h.1.attn.masked_bias', 'lm_head.weight'],
      ['multiple_choice_head.summary.weight'],
    ],
    ['gpt2-base', 'base', ['h.0.attn.bias', 'h.1.attn.masked_bias'], []],
    [
      'llama-causal-lm',
      'causal-lm',
      [
        'model.layers.1.self_attn.rotary_emb.inv_freq',
        'model.layers.1.self_attn.rotary_emb.cos_cached',
        'model.rotary_emb.inv_freq',
      ],
      ['v_head.summary.weight'],
    ],
    ['qwen2-causal-lm', 'causal-lm', ['lm_head.weight'], ['score.weight']],
    [
      't5-seq2seq-lm',
      'seq2seq-lm',
      ['decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight', 'lm_head.weight'],
      ['classification_head.dense.weight'],
    ],
    [
      'bart-base',
      'base',
      ['encoder.version', 'decoder.version', 'final_logits_bias', 'lm_head.weight'],
      ['classification_head.dense.weight'],
    ],
    [
      'marian-seq2seq-lm',
      'seq2seq-lm',
      ['model.encoder.embed_positions.weight', 'lm_head.weight'],
      [],
    ],
  ];
  test.each(harmless)(
    '%s as %s: %j is nothing, %j another head',
    async (name, head, none, unused) => {
      const extra = Object.fromEntries([...none, ...unused].map((key) => [key, number(1, 1)]));
      const files = await checkpoint(name, { change: adding(extra) });
      const loaded = await loadTextModel(files, { head });
      for (const key of unused) expect(loaded.unused).toContain(key);
      for (const key of none) expect(loaded.unused).not.toContain(key);
    },
  );
});
