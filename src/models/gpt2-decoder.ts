/** GPT-2's configuration and decoder, under the names of its checkpoints. */
import { type Tensor, withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  Dropout,
  decoderBias,
  Embedding,
  LayerNorm,
  Module,
  normalInit,
  Parameter,
  zerosInit,
} from '../nn/index.js';
import { add, embedding, matmul, slice, split } from '../ops/index.js';
import { ConfigFields, type FieldAliases } from './config-fields.js';
import type { RawConfig } from './define-model.js';
import type { TextConfig } from './define-text-model.js';
import { TextTrunk } from './headed-text-model.js';
import { HIDDEN_ACTS, type HiddenAct, hiddenAct } from './hidden-act.js';
import type { BatchTensors } from './network.js';
import { startText } from './start.js';
import { MAX_LAYERS, MAX_VOCABULARY, RATE, textFields } from './text-config.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

/** Configuration of GPT-2. */
export interface Gpt2Config extends TextConfig {
  /** Attention heads; they divide `hiddenSize` evenly. */
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: HiddenAct;
  readonly residualDropout: number;
  readonly embeddingDropout: number;
  readonly attentionDropout: number;
  /** Before the last layer of a classifier of tokens. */
  readonly classifierDropout: number;
  readonly positions: number;
  readonly initializerRange: number;
  readonly layerNormEpsilon: number;
  /** Divide scores by the root of the heads' size. */
  readonly scaled: boolean;
  /** Divide scores by the number of the layer, counted from 1. */
  readonly scaledByLayer: boolean;
  readonly tiedEmbeddings: boolean;
}

/** Names of other architectures' fields that transformers takes as well. */
const ALIASES: FieldAliases = {
  n_embd: 'hidden_size',
  n_head: 'num_attention_heads',
  n_layer: 'num_hidden_layers',
  n_positions: 'max_position_embeddings',
};

/** Reads `config.json`. @throws ConfigError naming what does not fit */
export function parseGpt2(raw: RawConfig): Gpt2Config {
  const fields = new ConfigFields('gpt2', raw, { aliases: ALIASES });
  const hiddenSize = fields.integer('n_embd', 768);
  const heads = fields.integer('n_head', 12);
  if (hiddenSize % heads !== 0) {
    fields.fail('n_head', `a divisor of n_embd, which is ${hiddenSize}`);
  }
  if (fields.flag('add_cross_attention', false)) {
    fields.fail('add_cross_attention', 'false: only decoders without an encoder are built');
  }
  const positions = fields.integer('n_positions', 1024);
  return {
    ...textFields(fields, raw, { bos: 50256, eos: 50256 }),
    vocabularySize: fields.integer('vocab_size', 50257, { max: MAX_VOCABULARY }),
    maxTokens: positions,
    positions,
    hiddenSize,
    layers: fields.integer('n_layer', 12, { max: MAX_LAYERS }),
    heads,
    intermediateSize: fields.integer('n_inner', 4 * hiddenSize),
    activation: fields.choice('activation_function', HIDDEN_ACTS, 'gelu_new'),
    residualDropout: fields.number('resid_pdrop', 0.1, RATE),
    embeddingDropout: fields.number('embd_pdrop', 0.1, RATE),
    attentionDropout: fields.number('attn_pdrop', 0.1, RATE),
    classifierDropout: fields.number(
      'classifier_dropout',
      fields.number('hidden_dropout', 0.1, RATE),
      RATE,
    ),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    layerNormEpsilon: fields.number('layer_norm_epsilon', 1e-5, { min: 0 }),
    scaled: fields.flag('scale_attn_weights', true),
    scaledByLayer: fields.flag('scale_attn_by_inverse_layer_idx', false),
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
  };
}

/** The inverse of {@link parseGpt2}. */
export function writeGpt2(config: Gpt2Config): RawConfig {
  return {
    vocab_size: config.vocabularySize,
    n_positions: config.positions,
    // Older releases of transformers read the length from here.
    n_ctx: config.positions,
    n_embd: config.hiddenSize,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.intermediateSize,
    activation_function: config.activation,
    resid_pdrop: config.residualDropout,
    embd_pdrop: config.embeddingDropout,
    attn_pdrop: config.attentionDropout,
    classifier_dropout: config.classifierDropout,
    initializer_range: config.initializerRange,
    layer_norm_epsilon: config.layerNormEpsilon,
    scale_attn_weights: config.scaled,
    scale_attn_by_inverse_layer_idx: config.scaledByLayer,
    tie_word_embeddings: config.tiedEmbeddings,
  };
}

/** A linear layer whose weight lies the other way round than PyTorch's: [in, out]. */
class Conv1D extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inFeatures: number, outFeatures: number, deviation: number) {
    super();
    this.weight = new Parameter([inFeatures, outFeatures], normalInit(deviation));
    this.bias = new Parameter([outFeatures], zerosInit());
  }

  override forward(x: Tensor): Tensor {
    return withScope('linear', () => add(matmul(x, this.weight.tensor), this.bias.tensor));
  }
}

/** Deviation of what is added to the residual stream: the sum of all layers keeps its size. */
const residualDeviation = ({ initializerRange, layers }: Gpt2Config) =>
  initializerRange / Math.sqrt(2 * layers);

class Attention extends Module {
  readonly c_attn: Conv1D;
  readonly c_proj: Conv1D;
  private readonly heads: number;
  private readonly scale: number;
  private readonly rate: number;
  private readonly dropout: Dropout;

  constructor(config: Gpt2Config, layer: number) {
    super();
    const { hiddenSize, heads, initializerRange, scaled, scaledByLayer } = config;
    this.c_attn = new Conv1D(hiddenSize, 3 * hiddenSize, initializerRange);
    this.c_proj = new Conv1D(hiddenSize, hiddenSize, residualDeviation(config));
    this.heads = heads;
    const scale = scaled ? (hiddenSize / heads) ** -0.5 : 1;
    this.scale = scaledByLayer ? scale / (layer + 1) : scale;
    this.rate = config.attentionDropout;
    this.dropout = new Dropout(config.residualDropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  over(x: Tensor, bias: Tensor | null, context: Context): Tensor {
    const [query, key, value] = split(this.c_attn.forward(x), 3, -1) as [Tensor, Tensor, Tensor];
    const seen = context.cache?.append(key, value, this.heads) ?? { key, value };
    const options = { heads: this.heads, bias, scale: this.scale, dropout: this.rate };
    const y = this.c_proj.forward(attend({ query, ...seen }, options, context));
    return this.dropout.forward(y, context);
  }
}

class FeedForward extends Module {
  readonly c_fc: Conv1D;
  readonly c_proj: Conv1D;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly dropout: Dropout;

  constructor(config: Gpt2Config) {
    super();
    const { hiddenSize, intermediateSize, initializerRange } = config;
    this.c_fc = new Conv1D(hiddenSize, intermediateSize, initializerRange);
    this.c_proj = new Conv1D(intermediateSize, hiddenSize, residualDeviation(config));
    this.activation = hiddenAct(config.activation);
    this.dropout = new Dropout(config.residualDropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = this.c_proj.forward(this.activation(this.c_fc.forward(x)));
    return this.dropout.forward(y, context);
  }
}

class Block extends Module {
  readonly ln_1: LayerNorm;
  readonly attn: Attention;
  readonly ln_2: LayerNorm;
  readonly mlp: FeedForward;

  constructor(config: Gpt2Config, layer: number) {
    super();
    const options = { epsilon: config.layerNormEpsilon };
    this.ln_1 = new LayerNorm(config.hiddenSize, options);
    this.attn = new Attention(config, layer);
    this.ln_2 = new LayerNorm(config.hiddenSize, options);
    this.mlp = new FeedForward(config);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, null, context);
  }

  over(x: Tensor, bias: Tensor | null, context: Context): Tensor {
    const y = add(this.attn.over(this.ln_1.forward(x), bias, context), x);
    return add(y, this.mlp.forward(this.ln_2.forward(y), context));
  }
}

/** Ids to hidden states [batch, tokens, width]; each token sees those before it. */
export class Gpt2Decoder extends TextTrunk {
  readonly wte: Embedding;
  readonly wpe: Embedding;
  readonly h: readonly Block[];
  readonly ln_f: LayerNorm;
  private readonly dropout: Dropout;

  constructor(config: Gpt2Config) {
    super();
    const { hiddenSize, vocabularySize, positions, layers } = config;
    this.wte = new Embedding(vocabularySize, hiddenSize);
    this.wpe = new Embedding(positions, hiddenSize);
    this.h = Array.from({ length: layers }, (_, i) => new Block(config, i));
    this.ln_f = new LayerNorm(hiddenSize, { epsilon: config.layerNormEpsilon });
    this.dropout = new Dropout(config.embeddingDropout);
    startText(this, config.initializerRange);
  }

  override encode(batch: BatchTensors, context: Context): Tensor {
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    const tokens = ids.shape[1]!;
    const positions = batch[TEXT_INPUTS.positions];
    const table = this.wpe.weight.tensor;
    const places = positions
      ? embedding(table, positions)
      : slice(table, { starts: [0], ends: [tokens], axes: [0] });
    const bias = decoderBias(batch[TEXT_INPUTS.mask] ?? null, tokens, context);
    const x = this.dropout.forward(add(this.wte.forward(ids), places), context);
    const y = this.h.reduce(
      (z, block, i) => withScope(`h.${i}`, () => block.over(z, bias, context)),
      x,
    );
    return this.ln_f.forward(y);
  }

  override groups(prefix: string): string[] {
    return [
      `${prefix}.wte`,
      `${prefix}.wpe`,
      ...this.h.map((_, i) => `${prefix}.h.${i}`),
      `${prefix}.ln_f`,
    ];
  }
}
