/** DistilBERT's configuration and encoder: BERT without types of texts, under names of its own. */
import { type Tensor, withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  Dropout,
  Embedding,
  LayerNorm,
  Linear,
  Module,
  paddingBias,
} from '../nn/index.js';
import { add, embedding, slice } from '../ops/index.js';
import { ConfigFields, type FieldAliases } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig } from './define-text-model.js';
import { TextTrunk } from './headed-text-model.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { firstToken } from './pick-token.js';
import { startText } from './start.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, textFields } from './text-config.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

/** Fixed in transformers' code. */
export const DISTILBERT_EPSILON = 1e-12;

/** Configuration of DistilBERT. */
export interface DistilBertConfig extends TextConfig {
  /** Attention heads; they divide `hiddenSize` evenly. */
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: HiddenAct;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly questionDropout: number;
  readonly classifierDropout: number;
  readonly positions: number;
  readonly initializerRange: number;
  readonly tiedEmbeddings: boolean;
}

/** Names of other architectures' fields that transformers takes as well. */
const ALIASES: FieldAliases = {
  dim: 'hidden_size',
  n_heads: 'num_attention_heads',
  n_layers: 'num_hidden_layers',
};

/** Reads `config.json`. @throws ConfigError naming what does not fit */
export function parseDistilBert(raw: RawConfig): DistilBertConfig {
  const fields = new ConfigFields('distilbert', raw, { aliases: ALIASES });
  const hiddenSize = fields.integer('dim', 768);
  const heads = fields.integer('n_heads', 12);
  if (hiddenSize % heads !== 0) {
    fields.fail('n_heads', `a divisor of dim, which is ${hiddenSize}`);
  }
  const positions = fields.integer('max_position_embeddings', 512);
  return {
    ...textFields(fields, raw, { pad: 0 }),
    vocabularySize: fields.integer('vocab_size', 30522, { max: MAX_VOCABULARY }),
    maxTokens: positions,
    positions,
    hiddenSize,
    layers: fields.integer('n_layers', 6, { max: MAX_LAYERS }),
    heads,
    intermediateSize: fields.integer('hidden_dim', 3072),
    activation: fields.choice('activation', HIDDEN_ACTS, 'gelu'),
    dropout: fields.number('dropout', 0.1, RATE),
    attentionDropout: fields.number('attention_dropout', 0.1, RATE),
    questionDropout: fields.number('qa_dropout', 0.1, RATE),
    classifierDropout: fields.number('seq_classif_dropout', 0.2, RATE),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
  };
}

/** The inverse of {@link parseDistilBert}. */
export function writeDistilBert(config: DistilBertConfig): RawConfig {
  return {
    vocab_size: config.vocabularySize,
    max_position_embeddings: config.positions,
    dim: config.hiddenSize,
    n_layers: config.layers,
    n_heads: config.heads,
    hidden_dim: config.intermediateSize,
    activation: config.activation,
    dropout: config.dropout,
    attention_dropout: config.attentionDropout,
    qa_dropout: config.questionDropout,
    seq_classif_dropout: config.classifierDropout,
    initializer_range: config.initializerRange,
    tie_word_embeddings: config.tiedEmbeddings,
  };
}

class Embeddings extends Module {
  readonly word_embeddings: Embedding;
  readonly position_embeddings: Embedding;
  readonly LayerNorm: LayerNorm;
  private readonly dropout: Dropout;

  constructor({ vocabularySize, positions, hiddenSize, dropout }: DistilBertConfig) {
    super();
    this.word_embeddings = new Embedding(vocabularySize, hiddenSize);
    this.position_embeddings = new Embedding(positions, hiddenSize);
    this.LayerNorm = new LayerNorm(hiddenSize, { epsilon: DISTILBERT_EPSILON });
    this.dropout = new Dropout(dropout);
  }

  override forward(ids: Tensor, context: Context): Tensor {
    return this.embed({ [TEXT_INPUTS.ids]: ids }, context);
  }

  embed(batch: BatchTensors, context: Context): Tensor {
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    const positions = batch[TEXT_INPUTS.positions];
    const table = this.position_embeddings.weight.tensor;
    const places = positions
      ? embedding(table, positions)
      : slice(table, { starts: [0], ends: [ids.shape[1]!], axes: [0] });
    const y = add(this.word_embeddings.forward(ids), places);
    return this.dropout.forward(this.LayerNorm.forward(y), context);
  }
}

class Attention extends Module {
  readonly q_lin: Linear;
  readonly k_lin: Linear;
  readonly v_lin: Linear;
  readonly out_lin: Linear;
  private readonly heads: number;
  private readonly rate: number;

  constructor({ hiddenSize, heads, attentionDropout }: DistilBertConfig) {
    super();
    this.q_lin = new Linear(hiddenSize, hiddenSize);
    this.k_lin = new Linear(hiddenSize, hiddenSize);
    this.v_lin = new Linear(hiddenSize, hiddenSize);
    this.out_lin = new Linear(hiddenSize, hiddenSize);
    this.heads = heads;
    this.rate = attentionDropout;
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  /** @param asked the tokens of `x` that are asked for */
  over(x: Tensor, bias: Tensor | null, context: Context, asked = x): Tensor {
    const query = this.q_lin.forward(asked);
    const inputs = { query, key: this.k_lin.forward(x), value: this.v_lin.forward(x) };
    const options = { heads: this.heads, bias, dropout: this.rate };
    return this.out_lin.forward(attend(inputs, options, context));
  }
}

class FeedForward extends Module {
  readonly lin1: Linear;
  readonly lin2: Linear;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly dropout: Dropout;

  constructor({ hiddenSize, intermediateSize, activation, dropout }: DistilBertConfig) {
    super();
    this.lin1 = new Linear(hiddenSize, intermediateSize);
    this.lin2 = new Linear(intermediateSize, hiddenSize);
    this.activation = hiddenAct(activation);
    this.dropout = new Dropout(dropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = this.lin2.forward(this.activation(this.lin1.forward(x)));
    return this.dropout.forward(y, context);
  }
}

class Layer extends Module {
  readonly attention: Attention;
  readonly sa_layer_norm: LayerNorm;
  readonly ffn: FeedForward;
  readonly output_layer_norm: LayerNorm;

  constructor(config: DistilBertConfig) {
    super();
    const epsilon = DISTILBERT_EPSILON;
    this.attention = new Attention(config);
    this.sa_layer_norm = new LayerNorm(config.hiddenSize, { epsilon });
    this.ffn = new FeedForward(config);
    this.output_layer_norm = new LayerNorm(config.hiddenSize, { epsilon });
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  /** @param asked the tokens of `x` that are asked for */
  over(x: Tensor, bias: Tensor | null, context: Context, asked = x): Tensor {
    const attended = this.attention.over(x, bias, context, asked);
    const y = this.sa_layer_norm.forward(add(attended, asked));
    return this.output_layer_norm.forward(add(this.ffn.forward(y, context), y));
  }
}

class Transformer extends Module {
  readonly layer: readonly Layer[];

  constructor(config: DistilBertConfig) {
    super();
    this.layer = Array.from({ length: config.layers }, () => new Layer(config));
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  /** @param firstOnly the last layer is computed for the first token of each text */
  over(x: Tensor, bias: Tensor | null, context: Context, firstOnly = false): Tensor {
    const last = this.layer.length - 1;
    return this.layer.reduce((y, layer, i) => {
      const asked = firstOnly && i === last ? firstToken(y) : y;
      return withScope(`layer.${i}`, () => layer.over(y, bias, context, asked));
    }, x);
  }
}

/** Ids to hidden states [batch, tokens, width], or [batch, 1, width] with `firstOnly`. */
export class DistilBertEncoder extends TextTrunk {
  readonly embeddings: Embeddings;
  readonly transformer: Transformer;
  private readonly firstOnly: boolean;

  /** @param options.firstOnly for classifiers of whole texts, as `BertEncoderOptions.firstOnly` */
  constructor(
    config: DistilBertConfig,
    { firstOnly = false }: { readonly firstOnly?: boolean } = {},
  ) {
    super();
    this.firstOnly = firstOnly;
    this.embeddings = new Embeddings(config);
    this.transformer = new Transformer(config);
    startText(this, config.initializerRange);
  }

  override encode(batch: BatchTensors, context: Context): Tensor {
    const mask = batch[TEXT_INPUTS.mask];
    const x = this.embeddings.embed(batch, context);
    return this.transformer.over(x, mask ? paddingBias(mask) : null, context, this.firstOnly);
  }

  override groups(prefix: string): string[] {
    return [
      `${prefix}.embeddings`,
      ...this.transformer.layer.map((_, i) => `${prefix}.transformer.layer.${i}`),
    ];
  }
}
