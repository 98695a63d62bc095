/** Qwen 2 and 2.5: Llama's decoder with biases of queries, keys and values. */
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import { defineTextModel } from './define-text-model.js';
import { type LlamaConfig, parseLlama, writeLlama } from './llama-config.js';
import { llamaParts } from './llama-model.js';

/** Some layers of some models would see the last tokens only. @throws ConfigError naming the field */
function requireFullAttention(raw: RawConfig): void {
  const fields = new ConfigFields('qwen2', raw);
  if (fields.flag('use_sliding_window', false)) {
    fields.fail('use_sliding_window', 'false: sliding windows are not built');
  }
  if (!fields.has('layer_types')) return;
  const types = raw.layer_types;
  if (!Array.isArray(types) || !types.every((type) => type === 'full_attention')) {
    fields.fail('layer_types', "'full_attention' for every layer: sliding windows are not built");
  }
}

export default defineTextModel<LlamaConfig>({
  ...llamaParts('Qwen2', 'transformer'),
  modelType: 'qwen2',
  parse: (raw) => {
    requireFullAttention(raw);
    return parseLlama(
      'qwen2',
      raw,
      {
        vocabularySize: 151936,
        intermediateSize: 22016,
        positions: 32768,
        keyHeads: 32,
        tokens: {},
      },
      () => ({ queryBias: true, outputBias: false, mlpBias: false }),
    );
  },
  write: (config) => ({ ...writeLlama(config), use_sliding_window: false }),
  source: {
    paper: 'https://arxiv.org/abs/2407.10671',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen2/modeling_qwen2.py',
  },
});
