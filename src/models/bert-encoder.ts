/** The encoder that BERT, RoBERTa and XLM-RoBERTa share, under the names of their checkpoints. */
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
import type { BertConfig } from './bert-config.js';
import { TextTrunk } from './headed-text-model.js';
import { hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { firstToken } from './pick-token.js';
import { startText } from './start.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

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

  /** @param asked the tokens of `x` that are asked for */
  over(x: Tensor, bias: Tensor | null, context: Context, asked = x): Tensor {
    const { query, key, value } = this.self;
    const inputs = { query: query.forward(asked), key: key.forward(x), value: value.forward(x) };
    const options = { heads: this.heads, bias, dropout: this.rate };
    return this.output.around(attend(inputs, options, context), asked, context);
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

  /** @param asked the tokens of `x` that are asked for */
  over(x: Tensor, bias: Tensor | null, context: Context, asked = x): Tensor {
    const y = this.attention.over(x, bias, context, asked);
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

  /** @param firstOnly the last layer is computed for the first token of each text */
  over(x: Tensor, bias: Tensor | null, context: Context, firstOnly = false): Tensor {
    let y = x;
    for (const [i, layer] of this.layer.entries()) {
      const asked = firstOnly && i === this.layer.length - 1 ? firstToken(y) : y;
      y = withScope(`layer.${i}`, () => layer.over(y, bias, context, asked));
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

/** How a {@link BertEncoder} differs between architectures and heads. */
export interface BertEncoderOptions {
  /** Only classifiers of whole texts read the pooler, as part of their head. */
  readonly pooler?: boolean;
  /**
   * Hidden states of the first token alone, [batch, 1, width], for classifiers of whole texts: the others of
   * the last layer would be computed for nobody. Of twelve layers that is 7 % of the work.
   */
  readonly firstOnly?: boolean;
  /** Positions of the tokens, int32 [batch, tokens]; counted from the left, from 0, by default. */
  readonly positions?: (batch: BatchTensors) => Tensor;
}

/** Ids to hidden states [batch, tokens, width], or [batch, 1, width] with `firstOnly`. */
export class BertEncoder extends TextTrunk {
  readonly embeddings: Embeddings;
  readonly encoder: Layers;
  readonly pooler: Pooler | null;
  private readonly count: BertEncoderOptions['positions'];
  private readonly firstOnly: boolean;

  constructor(
    config: BertConfig,
    { pooler = false, firstOnly = false, positions }: BertEncoderOptions = {},
  ) {
    super();
    this.embeddings = new Embeddings(config);
    this.encoder = new Layers(config);
    this.pooler = pooler ? new Pooler(config) : null;
    this.count = positions;
    this.firstOnly = firstOnly;
    startText(this, config.initializerRange);
  }

  private positions(batch: BatchTensors): Tensor | null {
    return batch[TEXT_INPUTS.positions] ?? this.count?.(batch) ?? null;
  }

  override encode(batch: BatchTensors, context: Context): Tensor {
    const mask = batch[TEXT_INPUTS.mask];
    const x = this.embeddings.embed(batch, this.positions(batch), context);
    return this.encoder.over(x, mask ? paddingBias(mask) : null, context, this.firstOnly);
  }

  override groups(prefix: string): string[] {
    return [
      `${prefix}.embeddings`,
      ...this.encoder.layer.map((_, i) => `${prefix}.encoder.layer.${i}`),
      ...(this.pooler ? [`${prefix}.pooler`] : []),
    ];
  }
}

/** The pooler's tensors, which only classifiers of whole texts read; checkpoints of other heads often hold them. */
export const POOLER = /(?:^|\.)pooler\./;

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
