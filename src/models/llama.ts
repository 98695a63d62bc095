/** Llama 1 to 3, SmolLM and others of their build: a decoder with rotary positions and gated layers. */
import { defineTextModel } from './define-text-model.js';
import { type LlamaConfig, parseLlama, writeLlama } from './llama-config.js';
import { llamaParts } from './llama-model.js';

export default defineTextModel<LlamaConfig>({
  ...llamaParts('Llama', 'transformer'),
  modelType: 'llama',
  parse: (raw) =>
    parseLlama(
      'llama',
      raw,
      {
        vocabularySize: 32000,
        intermediateSize: 11008,
        positions: 2048,
        tokens: { bos: 1, eos: 2 },
      },
      (fields) => {
        const attention = fields.flag('attention_bias', false);
        const mlpBias = fields.flag('mlp_bias', false);
        return { queryBias: attention, outputBias: attention, mlpBias };
      },
    ),
  write: (config) => ({
    ...writeLlama(config),
    attention_bias: config.queryBias,
    mlp_bias: config.mlpBias,
  }),
  source: {
    paper: 'https://arxiv.org/abs/2302.13971',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/llama/modeling_llama.py',
  },
});
