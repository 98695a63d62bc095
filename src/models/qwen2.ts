/** Qwen 2 and 2.5: Llama's decoder with biases of queries, keys and values, perhaps with windows in some layers. */
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import { defineTextModel } from './define-text-model.js';
import { type LlamaConfig, parseLlama, type SlidingWindow, writeLlama } from './llama-config.js';
import { llamaParts } from './llama-model.js';

const KINDS = ['full_attention', 'sliding_attention'];

/**
 * The layers that see a window: those that `layer_types` says, else those from `max_window_layers` on.
 * @throws ConfigError naming the field
 */
function parseWindow(raw: RawConfig, layers: number): SlidingWindow | null {
  const fields = new ConfigFields('qwen2', raw);
  const used = fields.flag('use_sliding_window', false);
  // null says that there is none, as in transformers.
  const none = Object.hasOwn(raw, 'sliding_window') && raw.sliding_window === null;
  const types = fields.has('layer_types') ? raw.layer_types : null;
  const listed = Array.isArray(types) && types.length === layers;
  if (types !== null && !(listed && types.every((type) => KINDS.includes(type)))) {
    fields.fail('layer_types', `${layers} of ${KINDS.map((k) => `'${k}'`).join(' or ')}`);
  }
  const slides = (types as readonly string[] | null)?.map((type) => type === 'sliding_attention');
  if (!used || none) {
    if (slides?.includes(true)) {
      fields.fail(
        'layer_types',
        "'full_attention' for every layer where no sliding window is used",
      );
    }
    return null;
  }
  const tokens = fields.integer('sliding_window', 4096, { max: 1 << 27 });
  const first = fields.integer('max_window_layers', 28, { min: 0 });
  const some = slides ?? Array.from({ length: layers }, (_, i) => i >= first);
  return some.includes(true) ? { tokens, layers: some } : null;
}

/** The inverse of {@link parseWindow}: older releases of transformers read `max_window_layers` alone. */
function writeWindow({ window }: LlamaConfig): RawConfig {
  if (!window) return { use_sliding_window: false };
  return {
    use_sliding_window: true,
    sliding_window: window.tokens,
    max_window_layers: window.layers.indexOf(true),
    layer_types: window.layers.map((slides) => KINDS[Number(slides)]),
  };
}

export default defineTextModel<LlamaConfig>({
  ...llamaParts('Qwen2', 'transformer'),
  modelType: 'qwen2',
  parse: (raw) => {
    const config = parseLlama(
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
    return { ...config, window: parseWindow(raw, config.layers) };
  },
  write: (config) => ({ ...writeLlama(config), ...writeWindow(config) }),
  source: {
    paper: 'https://arxiv.org/abs/2407.10671',
    code: 'https://github.com/huggingface/transformers/blob/main/src/transformers/models/qwen2/modeling_qwen2.py',
  },
});
