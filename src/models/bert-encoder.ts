/** The encoder that BERT, RoBERTa and XLM-RoBERTa share, under the names of their checkpoints. */
import type { Tensor } from '../graph/index.js';
import { withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  Dropout,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  normalInit,
  paddingBias,
} from '../nn/index.js';
import { add, embedding, reshape, slice } from '../ops/index.js';
import { ConfigFields } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig } from './define-text-model.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { startFrom } from './start.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, type TokenDefaults, textFields } from './text-config.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

/** Configuration of BERT and its kin. */
export interface BertConfig extends TextConfig {
  /** Attention heads; they divide `hiddenSize` evenly. */
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: HiddenAct;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  /** Before the last layer of a classifier. */
  readonly classifierDropout: number;
  readonly positions: number;
  readonly typeVocabularySize: number;
  readonly initializerRange: number;
  readonly layerNormEpsilon: number;
  readonly tiedEmbeddings: boolean;
}

/** Where the architectures' defaults differ. */
export interface BertDefaults {
  readonly vocabularySize: number;
  readonly positions: number;
  readonly typeVocabularySize: number;
  readonly layerNormEpsilon: number;
  readonly tokens: TokenDefaults;
  /** Rows of the position table that no token takes. */
  readonly unusedPositions: (padToken: number) => number;
}

/** Reads the fields that the architectures share. @throws ConfigError naming what does not fit */
export function parseBert(modelType: string, raw: RawConfig, defaults: BertDefaults): BertConfig {
  const fields = new ConfigFields(modelType, raw);
  const hiddenSize = fields.integer('hidden_size', 768);
  const heads = fields.integer('num_attention_heads', 12);
  if (hiddenSize % heads !== 0) {
    fields.fail('num_attention_heads', `a divisor of hidden_size, which is ${hiddenSize}`);
  }
  fields.choice('position_embedding_type', ['absolute'], 'absolute');
  if (fields.flag('is_decoder', false)) fields.fail('is_decoder', 'false: only encoders are built');
  const positions = fields.integer('max_position_embeddings', defaults.positions);
  const text = textFields(fields, raw, defaults.tokens);
  const maxTokens = positions - defaults.unusedPositions(text.padToken ?? 0);
  if (maxTokens < 1)
    fields.fail('max_position_embeddings', 'more positions than the padding takes');
  const hiddenDropout = fields.number('hidden_dropout_prob', 0.1, RATE);
  return {
    ...text,
    vocabularySize: fields.integer('vocab_size', defaults.vocabularySize, { max: MAX_VOCABULARY }),
    maxTokens,
    hiddenSize,
    layers: fields.integer('num_hidden_layers', 12, { max: MAX_LAYERS }),
    heads,
    intermediateSize: fields.integer('intermediate_size', 3072),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'gelu'),
    hiddenDropout,
    attentionDropout: fields.number('attention_probs_dropout_prob', 0.1, RATE),
    classifierDropout: fields.number('classifier_dropout', hiddenDropout, RATE),
    positions,
    typeVocabularySize: fields.integer('type_vocab_size', defaults.typeVocabularySize),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    layerNormEpsilon: fields.number('layer_norm_eps', defaults.layerNormEpsilon, { min: 0 }),
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
  };
}

/** The inverse of {@link parseBert}. */
export function writeBert(config: BertConfig): RawConfig {
  return {
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.activation,
    hidden_dropout_prob: config.hiddenDropout,
    attention_probs_dropout_prob: config.attentionDropout,
    classifier_dropout: config.classifierDropout,
    max_position_embeddings: config.positions,
    type_vocab_size: config.typeVocabularySize,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEpsilon,
    position_embedding_type: 'absolute',
    tie_word_embeddings: config.tiedEmbeddings,
  };
}

class Embeddings extends Module {
  readonly word_embeddings: Embedding;
  readonly position_embeddings: Embedding;
  readonly token_type_embeddings: Embedding;
  readonly LayerNorm: LayerNorm;
  private readonly dropout: Dropout;

  constructor(config: BertConfig) {
    super();
    const { hiddenSize } = config;
    this.word_embeddings = new Embedding(config.vocabularySize, hiddenSize);
    this.position_embeddings = new Embedding(config.positions, hiddenSize);
    this.token_type_embeddings = new Embedding(config.typeVocabularySize, hiddenSize);
    this.LayerNorm = new LayerNorm(hiddenSize, { epsilon: config.layerNormEpsilon });
    this.dropout = new Dropout(config.hiddenDropout);
  }

  override forward(ids: Tensor, context: Context): Tensor {
    return this.embed({ [TEXT_INPUTS.ids]: ids }, null, context);
  }

  /** @param positions int32 [batch, tokens]; null counts from the left, from 0 */
  embed(batch: BatchTensors, positions: Tensor | null, context: Context): Tensor {
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    const types = batch[TEXT_INPUTS.types];
    const [, tokens] = ids.shape as [number, number];
    const words = this.word_embeddings.forward(ids, context);
    const firstRows = (table: Tensor, count: number) =>
      slice(table, { starts: [0], ends: [count], axes: [0] });
    const places = positions
      ? embedding(this.position_embeddings.weight.tensor, positions)
      : firstRows(this.position_embeddings.weight.tensor, tokens);
    // Without types every token is of the first text.
    const kinds = types
      ? this.token_type_embeddings.forward(types, context)
      : firstRows(this.token_type_embeddings.weight.tensor, 1);
    const y = add(add(words, kinds), places);
    return this.dropout.forward(this.LayerNorm.forward(y), context);
  }
}

class SelfAttention extends Module {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;

  constructor({ hiddenSize }: BertConfig) {
    super();
    this.query = new Linear(hiddenSize, hiddenSize);
    this.key = new Linear(hiddenSize, hiddenSize);
    this.value = new Linear(hiddenSize, hiddenSize);
  }

  override forward(x: Tensor): Tensor {
    return this.query.forward(x);
  }
}

/** A linear layer, dropout and the norm of the sum with what went around it (post-norm). */
class AddAndNorm extends Module {
  readonly dense: Linear;
  readonly LayerNorm: LayerNorm;
  private readonly dropout: Dropout;

  constructor(inFeatures: number, config: BertConfig) {
    super();
    this.dense = new Linear(inFeatures, config.hiddenSize);
    this.LayerNorm = new LayerNorm(config.hiddenSize, { epsilon: config.layerNormEpsilon });
    this.dropout = new Dropout(config.hiddenDropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.dropout.forward(this.dense.forward(x), context);
  }

  around(x: Tensor, residual: Tensor, context: Context): Tensor {
    return this.LayerNorm.forward(add(this.forward(x, context), residual));
  }
}

class Attention extends Module {
  readonly self: SelfAttention;
  readonly output: AddAndNorm;
  private readonly heads: number;
  private readonly rate: number;

  constructor(config: BertConfig) {
    super();
    this.self = new SelfAttention(config);
    this.output = new AddAndNorm(config.hiddenSize, config);
    this.heads = config.heads;
    this.rate = config.attentionDropout;
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  over(x: Tensor, bias: Tensor | null, context: Context): Tensor {
    const { query, key, value } = this.self;
    const inputs = { query: query.forward(x), key: key.forward(x), value: value.forward(x) };
    const options = { heads: this.heads, bias, dropout: this.rate };
    return this.output.around(attend(inputs, options, context), x, context);
  }
}

class Intermediate extends Module {
  readonly dense: Linear;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.intermediateSize);
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor): Tensor {
    return this.activation(this.dense.forward(x));
  }
}

class Layer extends Module {
  readonly attention: Attention;
  readonly intermediate: Intermediate;
  readonly output: AddAndNorm;

  constructor(config: BertConfig) {
    super();
    this.attention = new Attention(config);
    this.intermediate = new Intermediate(config);
    this.output = new AddAndNorm(config.intermediateSize, config);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  over(x: Tensor, bias: Tensor | null, context: Context): Tensor {
    const y = this.attention.over(x, bias, context);
    return this.output.around(this.intermediate.forward(y), y, context);
  }
}

class Layers extends Module {
  readonly layer: readonly Layer[];

  constructor(config: BertConfig) {
    super();
    this.layer = Array.from({ length: config.layers }, () => new Layer(config));
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  over(x: Tensor, bias: Tensor | null, context: Context): Tensor {
    let y = x;
    for (const [i, layer] of this.layer.entries()) {
      y = withScope(`layer.${i}`, () => layer.over(y, bias, context));
    }
    return y;
  }
}

/** tanh of a linear layer on the first token; BERT was trained with it for pairs of sentences. */
export class Pooler extends Module {
  readonly dense: Linear;

  constructor(config: BertConfig) {
    super();
    this.dense = new Linear(config.hiddenSize, config.hiddenSize);
  }

  override forward(x: Tensor): Tensor {
    return this.dense.forward(x);
  }
}

/** Ids to hidden states [batch, tokens, width]. */
export class BertEncoder extends Module {
  readonly embeddings: Embeddings;
  readonly encoder: Layers;
  /** Only classifiers of whole texts read it, as part of their head. */
  readonly pooler: Pooler | null;

  constructor(config: BertConfig, { pooler = false }: { readonly pooler?: boolean } = {}) {
    super();
    this.embeddings = new Embeddings(config);
    this.encoder = new Layers(config);
    this.pooler = pooler ? new Pooler(config) : null;
    startText(this, config.initializerRange);
  }

  override forward(ids: Tensor, context: Context): Tensor {
    return this.encode({ [TEXT_INPUTS.ids]: ids }, null, context);
  }

  /** @param positions int32 [batch, tokens]; null counts from the left, from 0 */
  encode(batch: BatchTensors, positions: Tensor | null, context: Context): Tensor {
    const mask = batch[TEXT_INPUTS.mask];
    const x = this.embeddings.embed(batch, positions, context);
    return this.encoder.over(x, mask ? paddingBias(mask) : null, context);
  }

  /** Layer groups of a model that keeps this encoder under `prefix`. */
  groups(prefix: string): string[] {
    return [
      `${prefix}.embeddings`,
      ...this.encoder.layer.map((_, i) => `${prefix}.encoder.layer.${i}`),
      ...(this.pooler ? [`${prefix}.pooler`] : []),
    ];
  }
}

/** Starting values of transformers' text models: normal with this deviation, biases zero. */
export function startText(module: Module, deviation: number): void {
  const init = normalInit(deviation);
  startFrom(module, { linear: init, embedding: init });
}

/** One token of [batch, tokens, width], as [batch, width]. */
export function tokenOf(hidden: Tensor, index: number): Tensor {
  const [batch, , width] = hidden.shape as [number, number, number];
  const one = slice(hidden, { starts: [index], ends: [index + 1], axes: [1] });
  return reshape(one, [batch, width]);
}

/** Paths of parameters by role. */
export const BERT_ROLES = {
  norm: /\.LayerNorm\./,
  stem: /\.embeddings\./,
  'attention.query': /\.attention\.self\.query\./,
  'attention.key': /\.attention\.self\.key\./,
  'attention.value': /\.attention\.self\.value\./,
  'attention.output': /\.attention\.output\.dense\./,
  mlp: /\.layer\.\d+\.(?:intermediate|output)\.dense\./,
} as const;

/** Parameters with one row a token, whatever the head. */
export const BERT_VOCABULARY =
  /\.word_embeddings\.weight$|^(?:cls\.predictions|lm_head)\.(?:bias|decoder\.weight)$/;
