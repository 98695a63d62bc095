/** The encoder and the decoder that BART and Marian share, under the names of their checkpoints. */
import { type Tensor, withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  Dropout,
  decoderBias,
  type Embedding,
  LayerNorm,
  Linear,
  Module,
  paddingBias,
} from '../nn/index.js';
import { add, mul } from '../ops/index.js';
import type { BartConfig } from './bart-config.js';
import {
  bareSources,
  type KeysValues,
  ownTokens,
  type Sources,
  sourceTokens,
} from './encoder-decoder.js';
import { hiddenAct } from './hidden-act.js';

class Attention extends Module {
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly q_proj: Linear;
  readonly out_proj: Linear;
  readonly heads: number;
  private readonly rate: number;

  constructor(config: BartConfig, heads: number) {
    super();
    const { hiddenSize } = config;
    this.k_proj = new Linear(hiddenSize, hiddenSize);
    this.v_proj = new Linear(hiddenSize, hiddenSize);
    this.q_proj = new Linear(hiddenSize, hiddenSize);
    this.out_proj = new Linear(hiddenSize, hiddenSize);
    this.heads = heads;
    this.rate = config.attentionDropout;
  }

  override forward(x: Tensor): Tensor {
    return this.q_proj.forward(x);
  }

  keysValues(x: Tensor): KeysValues {
    return { key: this.k_proj.forward(x), value: this.v_proj.forward(x) };
  }

  over(x: Tensor, seen: KeysValues, bias: Tensor | null, context: Context): Tensor {
    const options = { heads: this.heads, bias, dropout: this.rate };
    return this.out_proj.forward(
      attend({ query: this.q_proj.forward(x), ...seen }, options, context),
    );
  }
}

/** Self-attention and a feed-forward part, each followed by dropout, the sum and a norm. */
class EncoderLayer extends Module {
  readonly self_attn: Attention;
  readonly self_attn_layer_norm: LayerNorm;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly final_layer_norm: LayerNorm;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly dropout: Dropout;
  private readonly activationDropout: Dropout;

  constructor(config: BartConfig, side: BartConfig['encoder']) {
    super();
    const { hiddenSize } = config;
    this.self_attn = new Attention(config, side.heads);
    this.self_attn_layer_norm = new LayerNorm(hiddenSize);
    this.fc1 = new Linear(hiddenSize, side.intermediateSize);
    this.fc2 = new Linear(side.intermediateSize, hiddenSize);
    this.final_layer_norm = new LayerNorm(hiddenSize);
    this.activation = hiddenAct(config.activation);
    this.dropout = new Dropout(config.dropout);
    this.activationDropout = new Dropout(config.activationDropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, bareSources(x), context);
  }

  over(x: Tensor, sources: Sources, context: Context): Tensor {
    return this.feedForward(this.toItself(x, sources, context), context);
  }

  protected toItself(x: Tensor, { selfBias, cache }: Sources, context: Context): Tensor {
    const seen = ownTokens(this.self_attn.keysValues(x), this.self_attn.heads, cache);
    const y = this.self_attn.over(x, seen, selfBias, context);
    return this.self_attn_layer_norm.forward(this.around(x, y, context));
  }

  protected feedForward(x: Tensor, context: Context): Tensor {
    const inner = this.activationDropout.forward(this.activation(this.fc1.forward(x)), context);
    return this.final_layer_norm.forward(this.around(x, this.fc2.forward(inner), context));
  }

  protected around(x: Tensor, y: Tensor, context: Context): Tensor {
    return add(x, this.dropout.forward(y, context));
  }
}

class DecoderLayer extends EncoderLayer {
  readonly encoder_attn: Attention;
  readonly encoder_attn_layer_norm: LayerNorm;

  constructor(config: BartConfig, side: BartConfig['decoder']) {
    super(config, side);
    this.encoder_attn = new Attention(config, side.heads);
    this.encoder_attn_layer_norm = new LayerNorm(config.hiddenSize);
  }

  override over(x: Tensor, sources: Sources, context: Context): Tensor {
    const { encoded, crossBias, cache } = sources;
    const y = this.toItself(x, sources, context);
    const { encoder_attn: attention } = this;
    const seen = sourceTokens(() => attention.keysValues(encoded), attention.heads, cache);
    const z = attention.over(y, seen, crossBias, context);
    const normed = this.encoder_attn_layer_norm.forward(this.around(y, z, context));
    return this.feedForward(normed, context);
  }
}

/** Where tokens stand, as vectors: what is added to their words. */
export interface Positions extends Module {
  /**
   * @param positions int32 [batch, tokens]; null counts from the left, from 0
   * @returns [tokens, width] or [batch, tokens, width]
   */
  at(positions: Tensor | null, tokens: number): Tensor;
}

/** An encoder, or (with a decoder's layers) a decoder. */
abstract class Stack<L extends EncoderLayer> extends Module {
  readonly embed_tokens: Embedding;
  readonly embed_positions: Positions;
  abstract readonly layers: readonly L[];
  /** BART has it, Marian does not. */
  readonly layernorm_embedding: LayerNorm | null;
  private readonly dropout: Dropout;
  private readonly scale: number;

  constructor(config: BartConfig, words: Embedding, positions: Positions) {
    super();
    this.embed_tokens = words;
    this.embed_positions = positions;
    this.layernorm_embedding = config.embeddingNorm ? new LayerNorm(config.hiddenSize) : null;
    this.dropout = new Dropout(config.dropout);
    this.scale = config.scaleEmbedding ? Math.sqrt(config.hiddenSize) : 1;
  }

  override forward(ids: Tensor, context: Context): Tensor {
    return this.over(ids, null, bareSources(ids), context);
  }

  protected over(
    ids: Tensor,
    positions: Tensor | null,
    sources: Sources,
    context: Context,
  ): Tensor {
    const words = this.embed_tokens.forward(ids);
    const scaled = this.scale === 1 ? words : mul(words, this.scale);
    const placed = add(scaled, this.embed_positions.at(positions, ids.shape[1]!));
    const normed = this.layernorm_embedding?.forward(placed) ?? placed;
    let y = this.dropout.forward(normed, context);
    for (const [i, layer] of this.layers.entries()) {
      y = withScope(`layers.${i}`, () => layer.over(y, sources, context));
    }
    return y;
  }
}

/** Ids to what the decoder attends to. */
export class BartEncoder extends Stack<EncoderLayer> {
  override readonly layers: readonly EncoderLayer[];

  constructor(config: BartConfig, words: Embedding, positions: Positions) {
    super(config, words, positions);
    const { encoder } = config;
    this.layers = Array.from({ length: encoder.layers }, () => new EncoderLayer(config, encoder));
  }

  /** @param mask 1 for a token and 0 for padding; all are tokens by default */
  encode(ids: Tensor, mask: Tensor | null, context: Context): Tensor {
    return this.over(ids, null, bareSources(ids, mask && paddingBias(mask)), context);
  }
}

/** Ids of targets to hidden states. */
export class BartDecoder extends Stack<DecoderLayer> {
  override readonly layers: readonly DecoderLayer[];

  constructor(config: BartConfig, words: Embedding, positions: Positions) {
    super(config, words, positions);
    const { decoder } = config;
    this.layers = Array.from({ length: decoder.layers }, () => new DecoderLayer(config, decoder));
  }

  /**
   * @param sources.mask of the decoder's tokens, or of the cache's slots while it is stepped through
   * @param sources.positions int32 [batch, tokens]; null counts from the left, from 0
   */
  decode(
    ids: Tensor,
    {
      mask,
      positions,
      ...sources
    }: Omit<Sources, 'selfBias' | 'cache'> & {
      readonly mask: Tensor | null;
      readonly positions: Tensor | null;
    },
    context: Context,
  ): Tensor {
    const selfBias = decoderBias(mask, ids.shape[1]!, context);
    return this.over(ids, positions, { ...sources, selfBias, cache: context.cache }, context);
  }
}
