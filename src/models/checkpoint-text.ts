/** The way out: a text model, perhaps with other labels and weights, as the files of a checkpoint. */
import type { Weights } from '../nn/index.js';
import { numberedLabels } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig, TextModelDefinition } from './define-text-model.js';
import { headOf } from './load-text.js';
import { writeTextConfig } from './text-config.js';
import type { TextHead } from './text-model.js';

/** What a folder in Hugging Face's layout holds of a model. */
export interface TextCheckpoint {
  /** `config.json` */
  readonly config: RawConfig;
  /** `model.safetensors`, under the names that transformers saves; a tied table is there once. */
  readonly tensors: Weights;
}

/**
 * Fields of the base's `config.json` that are not carried over: those that `writeTextConfig` may leave out
 * (where the base's value would then speak), and those that describe the base's files.
 */
const NOT_CARRIED: ReadonlySet<string> = new Set([
  'id2label',
  'label2id',
  'num_labels',
  'problem_type',
  'pad_token_id',
  'bos_token_id',
  'eos_token_id',
  'decoder_start_token_id',
  // Written in the older form, which all releases read; one a layer, which may be fewer now.
  'rope_parameters',
  'layer_types',
  // Other names of fields that are written under the architecture's own (`ConfigFields`).
  'hidden_size',
  'num_attention_heads',
  'num_hidden_layers',
  'max_position_embeddings',
  'head_dim',
  'dtype',
  'quantization_config',
  // Names code that comes with the base.
  'auto_map',
  '_name_or_path',
  '_commit_hash',
  'transformers_version',
]);

/** The name under which transformers saves a parameter. */
function savedName(path: string, prefix: string, saved: string): string {
  if (!path.startsWith(`${prefix}.`)) return path;
  const inner = path.slice(prefix.length + 1);
  return saved === '' ? inner : `${saved}.${inner}`;
}

/**
 * The files of a checkpoint that transformers loads without a missing or an unexpected tensor. (One model
 * is loaded with a new pooler, as transformers makes it: a BERT or RoBERTa without head.)
 * @param options.raw the base's `config.json`: what it says beyond our fields is kept
 * @throws ConfigError when the architecture has no such head
 */
export function textCheckpointOf({
  definition,
  headName,
  config,
  raw = {},
  weights,
}: {
  readonly definition: TextModelDefinition;
  readonly headName: TextHead;
  readonly config: TextConfig;
  readonly raw?: RawConfig;
  readonly weights: Weights;
}): TextCheckpoint {
  const head = headOf(definition, headName);
  const carried = Object.entries(raw).filter(([field]) => !NOT_CARRIED.has(field));
  // Without classes there are no labels. Transformers makes as many logits of a span as there are labels.
  const labelled = head.outputs ? config : { ...config, labels: numberedLabels(2), problem: null };
  const { prefix } = definition;
  const saved = headName === 'base' ? '' : (head.savedPrefix ?? prefix);
  return {
    config: {
      ...Object.fromEntries(carried),
      ...writeTextConfig(definition, headName, labelled),
    },
    tensors: new Map([...weights].map(([path, t]) => [savedName(path, prefix, saved), t])),
  };
}
