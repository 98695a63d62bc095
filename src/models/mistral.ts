/** Mistral: Llama's decoder, in its first release with a window over the last tokens in every layer. */
import { ConfigFields } from './config-fields.js';
import { defineTextModel } from './define-text-model.js';
import { type LlamaConfig, parseLlama, writeLlama } from './llama-config.js';
import { llamaParts } from './llama-model.js';

export default defineTextModel<LlamaConfig>({
  ...llamaParts('Mistral'),
  modelType: 'mistral',
  parse: (raw) => {
    const config = parseLlama(
      'mistral',
      raw,
      {
        vocabularySize: 32000,
        intermediateSize: 14336,
        positions: 131072,
        keyHeads: 8,
        tokens: { bos: 1, eos: 2 },
      },
      () => ({ queryBias: false, outputBias: false, mlpBias: false }),
    );
    // An absent window is the first release's; null says that there is none.
    const none = Object.hasOwn(raw, 'sliding_window') && raw.sliding_window === null;
    if (none) return config;
    const tokens = new ConfigFields('mistral', raw).integer('sliding_window', 4096, {
      max: 1 << 27,
    });
    const layers = Array.from({ length: config.layers }, () => true);
    return { ...config, window: { tokens, layers } };
  },
  write: (config) => ({ ...writeLlama(config), sliding_window: config.window?.tokens ?? null }),
  source: {
    paper: 'https://arxiv.org/abs/2310.06825',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/mistral/modeling_mistral.py',
  },
});
