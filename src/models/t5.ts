/** T5: an encoder-decoder with relative positions, trained on many tasks as text to text. */
import type { Tensor } from '../graph/index.js';
import { type Context, Embedding, Module, normalInit, Parameter } from '../nn/index.js';
import { mul } from '../ops/index.js';
import { ConfigFields, type FieldAliases } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import { defineTextModel, type TextModelDefinition } from './define-text-model.js';
import { EncoderDecoder, sourceBias, wordLogits } from './encoder-decoder.js';
import { HIDDEN_ACTS, type HiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { type T5Config, T5Stack } from './t5-stack.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, textFields } from './text-config.js';
import { askedRows, batchTensor, TEXT_INPUTS } from './text-model.js';

/** Where T5's and mT5's defaults differ. */
export interface T5Defaults {
  readonly vocabularySize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly feedForward: string;
}

const FEED_FORWARDS = HIDDEN_ACTS.flatMap((act) => [act, `gated-${act}`]);

/** Names of other architectures' fields that transformers takes as well. */
const ALIASES: FieldAliases = {
  d_model: 'hidden_size',
  num_heads: 'num_attention_heads',
  num_layers: 'num_hidden_layers',
  d_kv: 'head_dim',
};

/** Reads `config.json`. @throws ConfigError naming what does not fit */
export function parseT5(modelType: string, raw: RawConfig, defaults: T5Defaults): T5Config {
  const fields = new ConfigFields(modelType, raw, { aliases: ALIASES });
  const layers = fields.integer('num_layers', defaults.layers, { max: MAX_LAYERS });
  const feedForward = fields.choice('feed_forward_proj', FEED_FORWARDS, defaults.feedForward);
  const gated = feedForward.startsWith('gated-');
  const act = feedForward.replace('gated-', '') as HiddenAct;
  // An encoder halves the classes, and halves again for the exact ones.
  const buckets = fields.integer('relative_attention_num_buckets', 32, { min: 4, max: 4096 });
  const maxDistance = fields.integer('relative_attention_max_distance', 128);
  if (maxDistance <= buckets / 2) {
    fields.fail('relative_attention_max_distance', `more than half of the ${buckets} buckets`);
  }
  // transformers 5 says `scale_decoder_outputs: false` where files before it said
  // `tie_word_embeddings: false`: of a checkpoint with a table of its own for the answers.
  const tied =
    fields.flag('tie_word_embeddings', true) && fields.flag('scale_decoder_outputs', true);
  return {
    ...textFields(fields, raw, { pad: 0, eos: 1, decoderStart: 0 }),
    vocabularySize: fields.integer('vocab_size', defaults.vocabularySize, { max: MAX_VOCABULARY }),
    maxTokens: null,
    hiddenSize: fields.integer('d_model', 512),
    layers,
    decoderLayers: fields.integer('num_decoder_layers', layers, { max: MAX_LAYERS }),
    heads: fields.integer('num_heads', defaults.heads),
    headSize: fields.integer('d_kv', 64),
    intermediateSize: fields.integer('d_ff', defaults.intermediateSize),
    // What T5 calls gelu in its gated form is the approximation by tanh.
    activation: gated && act === 'gelu' ? 'gelu_new' : act,
    gated,
    buckets,
    maxDistance,
    dropout: fields.number('dropout_rate', 0.1, RATE),
    layerNormEpsilon: fields.number('layer_norm_epsilon', 1e-6, { min: 0 }),
    initializerFactor: fields.number('initializer_factor', 1, { min: 0 }),
    tiedEmbeddings: tied,
  };
}

/** The inverse of {@link parseT5}. */
export function writeT5(config: T5Config): RawConfig {
  const act = config.gated && config.activation === 'gelu_new' ? 'gelu' : config.activation;
  return {
    vocab_size: config.vocabularySize,
    d_model: config.hiddenSize,
    d_kv: config.headSize,
    d_ff: config.intermediateSize,
    num_layers: config.layers,
    num_decoder_layers: config.decoderLayers,
    num_heads: config.heads,
    relative_attention_num_buckets: config.buckets,
    relative_attention_max_distance: config.maxDistance,
    dropout_rate: config.dropout,
    layer_norm_epsilon: config.layerNormEpsilon,
    initializer_factor: config.initializerFactor,
    feed_forward_proj: `${config.gated ? 'gated-' : ''}${act}`,
    is_encoder_decoder: true,
    tie_word_embeddings: config.tiedEmbeddings,
  };
}

/** Encoder and decoder. */
class T5Model extends EncoderDecoder {
  readonly shared: Embedding;
  readonly encoder: T5Stack;
  readonly decoder: T5Stack;

  constructor(config: T5Config) {
    super();
    this.shared = new Embedding(config.vocabularySize, config.hiddenSize);
    this.shared.weight.init = normalInit(config.initializerFactor);
    this.encoder = new T5Stack(config, this.shared, { decoder: false });
    this.decoder = new T5Stack(config, this.shared, { decoder: true });
  }

  override encode(batch: BatchTensors, context: Context): Tensor {
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    return this.encoder.encode(ids, batch[TEXT_INPUTS.mask] ?? null, context);
  }

  override decode(encoded: Tensor, ids: Tensor, batch: BatchTensors, context: Context): Tensor {
    const stepping = context.cache?.stepping ?? false;
    const position = stepping ? batchTensor(batch, TEXT_INPUTS.decoderPositions) : null;
    const mask = stepping
      ? batchTensor(batch, TEXT_INPUTS.decoderMask)
      : (batch[TEXT_INPUTS.decoderMask] ?? null);
    const sources = { encoded, crossBias: sourceBias(batch), mask, position };
    return this.decoder.decode(ids, sources, context);
  }

  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    return this.decoded(encoded, batch, context);
  }

  override layerGroups(): string[] {
    const blocks = (name: 'encoder' | 'decoder') => [
      ...this[name].block.map((_, i) => `${name}.block.${i}`),
      `${name}.final_layer_norm`,
    ];
    return ['shared', ...blocks('encoder'), ...blocks('decoder')];
  }
}

/** The table of the words that are answered with, where it is not that of the embeddings. */
class WordTable extends Module {
  readonly weight: Parameter;

  constructor(config: T5Config) {
    super();
    const { vocabularySize, hiddenSize, initializerFactor } = config;
    this.weight = new Parameter([vocabularySize, hiddenSize], normalInit(initializerFactor));
  }

  override forward(x: Tensor): Tensor {
    return wordLogits(x, this.weight);
  }
}

/** Words of the target. */
class T5ForConditionalGeneration extends T5Model {
  readonly lm_head: WordTable | null;
  private readonly width: number;

  constructor(config: T5Config) {
    super(config);
    this.lm_head = config.tiedEmbeddings ? null : new WordTable(config);
    this.width = config.hiddenSize;
  }

  override throughHead(encoded: Tensor, batch: BatchTensors, context: Context): Tensor {
    const hidden = askedRows(this.decoded(encoded, batch, context), batch);
    if (this.lm_head) return this.lm_head.forward(hidden);
    return wordLogits(mul(hidden, this.width ** -0.5), this.shared.weight);
  }

  override layerGroups(): string[] {
    return [...super.layerGroups(), ...(this.lm_head ? ['lm_head'] : [])];
  }
}

/** The definition of T5 or of mT5, which differ in their configurations only. */
export function t5Definition(
  modelType: string,
  names: { readonly base: string; readonly lm: string },
  parse: (raw: RawConfig) => T5Config,
): TextModelDefinition<T5Config> {
  return {
    modelType,
    kind: 'encoder-decoder',
    prefix: 'transformer',
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask, TEXT_INPUTS.decoderIds, TEXT_INPUTS.decoderMask],
    parse,
    write: writeT5,
    heads: {
      base: { architecture: names.base, build: (c) => new T5Model(c) },
      'seq2seq-lm': { architecture: names.lm, build: (c) => new T5ForConditionalGeneration(c) },
    },
    renames: [[/^(?:encoder|decoder)\.embed_tokens\./, 'shared.']],
    absent: { 'lm_head.weight': 'shared.weight' },
    ignored: /^lm_head\.weight$|\.EncDecAttention\.relative_attention_bias\.weight$/,
    vocabulary: /^(?:shared|lm_head)\.weight$/,
    roles: {
      norm: /layer_norm\.weight$/,
      stem: /^shared\./,
      'attention.query': /Attention\.q\./,
      'attention.key': /Attention\.k\./,
      'attention.value': /Attention\.v\./,
      'attention.output': /Attention\.o\./,
      mlp: /\.DenseReluDense\./,
    },
    source: {
      paper: 'https://arxiv.org/abs/1910.10683',
      code: `https://github.com/huggingface/transformers/blob/main/src/transformers/models/${modelType}/modeling_${modelType}.py`,
    },
  };
}

export default defineTextModel<T5Config>(
  t5Definition('t5', { base: 'T5Model', lm: 'T5ForConditionalGeneration' }, (raw) =>
    parseT5('t5', raw, {
      vocabularySize: 32128,
      intermediateSize: 2048,
      layers: 6,
      heads: 8,
      feedForward: 'relu',
    }),
  ),
);
