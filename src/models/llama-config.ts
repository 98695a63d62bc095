/** `config.json` of Llama and the decoders that are built like it. */
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig } from './define-text-model.js';
import { HIDDEN_ACTS, type HiddenAct } from './hidden-act.js';
import { parseRope, type RopeConfig, writeRope } from './rope-config.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, type TokenDefaults, textFields } from './text-config.js';

/** Layers that see the last tokens only. */
export interface SlidingWindow {
  /** Tokens that are seen, the one that looks among them. */
  readonly tokens: number;
  /** Which layers have the window. */
  readonly layers: readonly boolean[];
}

/** Configuration of Llama and its kin. */
export interface LlamaConfig extends TextConfig {
  readonly heads: number;
  /** Heads of keys and values; they divide `heads` evenly. */
  readonly keyHeads: number;
  /** Channels of a head. */
  readonly headSize: number;
  readonly intermediateSize: number;
  readonly activation: HiddenAct;
  readonly attentionDropout: number;
  /** Before the last layer of a classifier of tokens. */
  readonly classifierDropout: number;
  /** `max_position_embeddings` */
  readonly positions: number;
  readonly rope: RopeConfig;
  /** Null where every layer sees all earlier tokens. */
  readonly window: SlidingWindow | null;
  readonly initializerRange: number;
  readonly normEpsilon: number;
  readonly queryBias: boolean;
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly tiedEmbeddings: boolean;
}

/** Where the architectures' defaults differ. */
export interface LlamaDefaults {
  readonly vocabularySize: number;
  readonly intermediateSize: number;
  readonly positions: number;
  /** Heads of keys and values; as many as of queries by default. */
  readonly keyHeads?: number;
  readonly tokens: TokenDefaults;
}

/** Which linear layers add a bias. */
export type LlamaBiases = Pick<LlamaConfig, 'queryBias' | 'outputBias' | 'mlpBias'>;

/** Heads, their size and how many share keys. */
function headFields(
  fields: ConfigFields,
  raw: RawConfig,
  hiddenSize: number,
  defaults: LlamaDefaults,
): Pick<LlamaConfig, 'heads' | 'keyHeads' | 'headSize'> {
  const heads = fields.integer('num_attention_heads', 32);
  if (!fields.has('head_dim') && hiddenSize % heads !== 0) {
    fields.fail('num_attention_heads', `a divisor of hidden_size, which is ${hiddenSize}`);
  }
  const headSize = fields.integer('head_dim', hiddenSize / heads);
  if (headSize % 2 !== 0) {
    fields.fail(
      fields.has('head_dim') ? 'head_dim' : 'num_attention_heads',
      `such that heads have an even number of channels (they turn in pairs), not ${headSize}`,
    );
  }
  // null says that none are shared, whatever the default.
  const unshared = Object.hasOwn(raw, 'num_key_value_heads') && raw.num_key_value_heads === null;
  const usual = unshared ? heads : (defaults.keyHeads ?? heads);
  const keyHeads = fields.integer('num_key_value_heads', usual);
  if (heads % keyHeads !== 0) {
    fields.fail('num_key_value_heads', `a divisor of num_attention_heads, which is ${heads}`);
  }
  return { heads, keyHeads, headSize };
}

/** Reads the fields that the architectures share. @throws ConfigError naming what does not fit */
export function parseLlama(
  modelType: string,
  raw: RawConfig,
  defaults: LlamaDefaults,
  biases: (fields: ConfigFields) => LlamaBiases,
): LlamaConfig {
  const fields = new ConfigFields(modelType, raw);
  const hiddenSize = fields.integer('hidden_size', 4096);
  const positions = fields.integer('max_position_embeddings', defaults.positions, {
    max: 1 << 27,
  });
  return {
    ...textFields(fields, raw, defaults.tokens),
    vocabularySize: fields.integer('vocab_size', defaults.vocabularySize, { max: MAX_VOCABULARY }),
    maxTokens: positions,
    positions,
    hiddenSize,
    layers: fields.integer('num_hidden_layers', 32, { max: MAX_LAYERS }),
    ...headFields(fields, raw, hiddenSize, defaults),
    intermediateSize: fields.integer('intermediate_size', defaults.intermediateSize),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'silu'),
    attentionDropout: fields.number('attention_dropout', 0, RATE),
    classifierDropout: fields.number(
      'classifier_dropout',
      fields.number('hidden_dropout', 0.1, RATE),
      RATE,
    ),
    rope: parseRope(modelType, raw, positions),
    window: null,
    initializerRange: fields.number('initializer_range', 0.02, RATE),
    normEpsilon: fields.number('rms_norm_eps', 1e-6, { min: 0 }),
    ...biases(fields),
    tiedEmbeddings: fields.flag('tie_word_embeddings', false),
  };
}

/** The inverse of {@link parseLlama}, without the fields of biases. */
export function writeLlama(config: LlamaConfig): RawConfig {
  return {
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.keyHeads,
    head_dim: config.headSize,
    hidden_act: config.activation,
    max_position_embeddings: config.positions,
    initializer_range: config.initializerRange,
    rms_norm_eps: config.normEpsilon,
    attention_dropout: config.attentionDropout,
    classifier_dropout: config.classifierDropout,
    ...writeRope(config.rope),
    tie_word_embeddings: config.tiedEmbeddings,
  };
}
