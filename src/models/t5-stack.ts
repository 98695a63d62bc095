/** The encoder and the decoder of T5, under the names of its checkpoints. */
import type { Tensor } from '../graph/index.js';
import { withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  Dropout,
  decoderBias,
  Embedding,
  Linear,
  Module,
  normalInit,
  paddingBias,
  RmsNorm,
} from '../nn/index.js';
import { add, mul } from '../ops/index.js';
import type { TextConfig } from './define-text-model.js';
import {
  bareSources,
  type KeysValues,
  ownTokens,
  type Sources,
  sourceTokens,
} from './encoder-decoder.js';
import { type HiddenAct, hiddenAct } from './hidden-act.js';
import { type RelativeBuckets, relativeBias, steppingBias } from './t5-bias.js';

/** Configuration of T5 and its kin. */
export interface T5Config extends TextConfig, RelativeBuckets {
  readonly heads: number;
  /** Channels of one head; heads together may be wider or narrower than `hiddenSize`. */
  readonly headSize: number;
  readonly intermediateSize: number;
  readonly decoderLayers: number;
  readonly activation: HiddenAct;
  /** The activation gates a second projection. */
  readonly gated: boolean;
  readonly dropout: number;
  readonly layerNormEpsilon: number;
  readonly initializerFactor: number;
  /** Words are looked up and asked for in one table; the hidden states are then scaled by width ** -0.5. */
  readonly tiedEmbeddings: boolean;
}

/** A linear layer without bias that starts normal with this deviation. */
function plain(from: number, to: number, deviation: number): Linear {
  const layer = new Linear(from, to, { bias: false });
  layer.weight.init = normalInit(deviation);
  return layer;
}

/** T5's attention: no scaling of the scores, no biases. */
class T5Attention extends Module {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly o: Linear;
  /** Only the first layer of a stack has it; all layers read it. */
  readonly relative_attention_bias: Embedding | null;
  readonly heads: number;
  private readonly rate: number;

  constructor(config: T5Config, { relative }: { readonly relative: boolean }) {
    super();
    const { hiddenSize, heads, headSize, initializerFactor: factor } = config;
    const inner = heads * headSize;
    this.q = plain(hiddenSize, inner, factor * (hiddenSize * headSize) ** -0.5);
    this.k = plain(hiddenSize, inner, factor * hiddenSize ** -0.5);
    this.v = plain(hiddenSize, inner, factor * hiddenSize ** -0.5);
    this.o = plain(inner, hiddenSize, factor * inner ** -0.5);
    this.relative_attention_bias = relative ? new Embedding(config.buckets, heads) : null;
    if (this.relative_attention_bias) {
      this.relative_attention_bias.weight.init = normalInit(factor * hiddenSize ** -0.5);
    }
    this.heads = heads;
    this.rate = config.dropout;
  }

  override forward(x: Tensor): Tensor {
    return this.q.forward(x);
  }

  keysValues(x: Tensor): KeysValues {
    return { key: this.k.forward(x), value: this.v.forward(x) };
  }

  over(x: Tensor, seen: KeysValues, bias: Tensor | null, context: Context): Tensor {
    const options = { heads: this.heads, bias, scale: 1, dropout: this.rate };
    return this.o.forward(attend({ query: this.q.forward(x), ...seen }, options, context));
  }
}

/** What stands around every part of a block: a norm before it, dropout and the sum after it. */
abstract class Part extends Module {
  readonly layer_norm: RmsNorm;
  private readonly dropout: Dropout;

  constructor(config: T5Config) {
    super();
    this.layer_norm = new RmsNorm(config.hiddenSize, { epsilon: config.layerNormEpsilon });
    this.dropout = new Dropout(config.dropout);
  }

  protected around(x: Tensor, fn: (normed: Tensor) => Tensor, context: Context): Tensor {
    return add(x, this.dropout.forward(fn(this.layer_norm.forward(x)), context));
  }
}

class SelfAttentionPart extends Part {
  readonly SelfAttention: T5Attention;

  constructor(config: T5Config, options: { readonly relative: boolean }) {
    super(config);
    this.SelfAttention = new T5Attention(config, options);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, bareSources(x), context);
  }

  over(x: Tensor, { selfBias, cache }: Sources, context: Context): Tensor {
    const { SelfAttention: attention } = this;
    return this.around(
      x,
      (y) => {
        const seen = ownTokens(attention.keysValues(y), attention.heads, cache);
        return attention.over(y, seen, selfBias, context);
      },
      context,
    );
  }
}

class CrossAttentionPart extends Part {
  readonly EncDecAttention: T5Attention;

  constructor(config: T5Config) {
    super(config);
    this.EncDecAttention = new T5Attention(config, { relative: false });
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, bareSources(x), context);
  }

  over(x: Tensor, { encoded, crossBias, cache }: Sources, context: Context): Tensor {
    const { EncDecAttention: attention } = this;
    const seen = sourceTokens(() => attention.keysValues(encoded), attention.heads, cache);
    return this.around(x, (y) => attention.over(y, seen, crossBias, context), context);
  }
}

class DenseReluDense extends Module {
  readonly wi: Linear | null;
  readonly wi_0: Linear | null;
  readonly wi_1: Linear | null;
  readonly wo: Linear;
  private readonly activation: (x: Tensor) => Tensor;
  private readonly dropout: Dropout;

  constructor(config: T5Config) {
    super();
    const { hiddenSize, intermediateSize, gated, initializerFactor: factor } = config;
    const inner = () => plain(hiddenSize, intermediateSize, factor * hiddenSize ** -0.5);
    this.wi = gated ? null : inner();
    this.wi_0 = gated ? inner() : null;
    this.wi_1 = gated ? inner() : null;
    this.wo = plain(intermediateSize, hiddenSize, factor * intermediateSize ** -0.5);
    this.activation = hiddenAct(config.activation);
    this.dropout = new Dropout(config.dropout);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = this.wi
      ? this.activation(this.wi.forward(x))
      : mul(this.activation(this.wi_0!.forward(x)), this.wi_1!.forward(x));
    return this.wo.forward(this.dropout.forward(y, context));
  }
}

class FeedForwardPart extends Part {
  readonly DenseReluDense: DenseReluDense;

  constructor(config: T5Config) {
    super(config);
    this.DenseReluDense = new DenseReluDense(config);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.around(x, (y) => this.DenseReluDense.forward(y, context), context);
  }
}

class Block extends Module {
  readonly layer: readonly Part[];

  constructor(
    config: T5Config,
    options: { readonly decoder: boolean; readonly relative: boolean },
  ) {
    super();
    this.layer = [
      new SelfAttentionPart(config, options),
      ...(options.decoder ? [new CrossAttentionPart(config)] : []),
      new FeedForwardPart(config),
    ];
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.over(x, bareSources(x), context);
  }

  over(x: Tensor, sources: Sources, context: Context): Tensor {
    let y = x;
    for (const part of this.layer) {
      if (part instanceof SelfAttentionPart) y = part.over(y, sources, context);
      else if (part instanceof CrossAttentionPart) y = part.over(y, sources, context);
      else y = part.forward(y, context);
    }
    return y;
  }
}

/** An encoder or a decoder. */
export class T5Stack extends Module {
  /** The table of words, which both stacks share. */
  readonly embed_tokens: Embedding;
  readonly block: readonly Block[];
  readonly final_layer_norm: RmsNorm;
  private readonly dropout: Dropout;
  private readonly decoder: boolean;
  private readonly settings: RelativeBuckets;

  constructor(config: T5Config, words: Embedding, { decoder }: { readonly decoder: boolean }) {
    super();
    this.embed_tokens = words;
    const layers = decoder ? config.decoderLayers : config.layers;
    this.block = Array.from(
      { length: layers },
      (_, i) => new Block(config, { decoder, relative: i === 0 }),
    );
    this.final_layer_norm = new RmsNorm(config.hiddenSize, { epsilon: config.layerNormEpsilon });
    this.dropout = new Dropout(config.dropout);
    this.decoder = decoder;
    this.settings = { buckets: config.buckets, maxDistance: config.maxDistance };
  }

  override forward(ids: Tensor, context: Context): Tensor {
    return this.encode(ids, null, context);
  }

  /** The table [buckets, heads] of the first layer. */
  private get relative(): Tensor {
    const first = this.block[0]!.layer[0] as SelfAttentionPart;
    return first.SelfAttention.relative_attention_bias!.weight.tensor;
  }

  /** @param mask 1 for a token and 0 for padding, [batch, tokens]; all are tokens by default */
  encode(ids: Tensor, mask: Tensor | null, context: Context): Tensor {
    const relative = relativeBias(this.relative, ids.shape[1]!, this.settings, !this.decoder);
    const selfBias = mask ? add(relative, paddingBias(mask)) : relative;
    return this.over(ids, bareSources(ids, selfBias), context);
  }

  /**
   * @param mask of the decoder's tokens, or of the cache's slots while it is stepped through
   * @param position of the one new token while a cache is stepped through, int32 [batch, 1]
   */
  decode(ids: Tensor, { mask, position, ...sources }: DecoderSources, context: Context): Tensor {
    const tokens = ids.shape[1]!;
    const relative = position
      ? steppingBias(this.relative, position, mask!.shape[1]!, this.settings)
      : relativeBias(this.relative, tokens, this.settings, false);
    const hidden = decoderBias(mask, tokens, context);
    const selfBias = hidden ? add(relative, hidden) : relative;
    return this.over(ids, { ...sources, selfBias, cache: context.cache }, context);
  }

  private over(ids: Tensor, sources: Sources, context: Context): Tensor {
    let y = this.dropout.forward(this.embed_tokens.forward(ids), context);
    for (const [i, block] of this.block.entries()) {
      y = withScope(`block.${i}`, () => block.over(y, sources, context));
    }
    return this.dropout.forward(this.final_layer_norm.forward(y), context);
  }
}

/** What a decoder is told besides its ids. */
export interface DecoderSources extends Omit<Sources, 'selfBias' | 'cache'> {
  readonly mask: Tensor | null;
  readonly position: Tensor | null;
}
