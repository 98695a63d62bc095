/** The decoder of Llama and its kin, under the names of their checkpoints. */
import { type Tensor, withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  decoderBias,
  Embedding,
  Linear,
  Module,
  RmsNorm,
  windowBias,
} from '../nn/index.js';
import { add, mul } from '../ops/index.js';
import { TextTrunk } from './headed-text-model.js';
import { hiddenAct } from './hidden-act.js';
import type { LlamaConfig } from './llama-config.js';
import type { BatchTensors } from './network.js';
import { type RopeAngles, type RopeTables, ropeAngles, ropeTables, rotate } from './rope.js';
import { startText } from './start.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

/** What all layers of one forward pass are told. */
interface Pass {
  readonly bias: Tensor | null;
  /** `bias` of layers that see a window; null where no layer does. */
  readonly windowed: Tensor | null;
  readonly rope: RopeTables;
  readonly context: Context;
}

class Attention extends Module {
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly o_proj: Linear;
  private readonly heads: number;
  private readonly keyHeads: number;
  private readonly rate: number;
  private readonly slides: boolean;

  constructor(config: LlamaConfig, layer: number) {
    super();
    const { hiddenSize, headSize, heads, keyHeads, queryBias, outputBias } = config;
    this.q_proj = new Linear(hiddenSize, heads * headSize, { bias: queryBias });
    this.k_proj = new Linear(hiddenSize, keyHeads * headSize, { bias: queryBias });
    this.v_proj = new Linear(hiddenSize, keyHeads * headSize, { bias: queryBias });
    this.o_proj = new Linear(heads * headSize, hiddenSize, { bias: outputBias });
    this.heads = heads;
    this.keyHeads = keyHeads;
    this.rate = config.attentionDropout;
    this.slides = config.window?.layers[layer] ?? false;
  }

  override forward(x: Tensor): Tensor {
    return this.o_proj.forward(x);
  }

  over(x: Tensor, { windowed, rope, context, ...pass }: Pass): Tensor {
    const { heads, keyHeads } = this;
    const bias = this.slides ? windowed : pass.bias;
    const query = rotate(this.q_proj.forward(x), heads, rope);
    const key = rotate(this.k_proj.forward(x), keyHeads, rope);
    const value = this.v_proj.forward(x);
    const seen = context.cache?.append(key, value, keyHeads) ?? { key, value };
    const options = { heads, keyHeads, bias, dropout: this.rate };
    return this.o_proj.forward(attend({ query, ...seen }, options, context));
  }
}

/** A feed-forward layer with a gate (SwiGLU). Source: Shazeer, "GLU variants improve transformer", 2020. */
class GatedFeedForward extends Module {
  readonly gate_proj: Linear;
  readonly up_proj: Linear;
  readonly down_proj: Linear;
  private readonly activation: (x: Tensor) => Tensor;

  constructor({ hiddenSize, intermediateSize, mlpBias: bias, activation }: LlamaConfig) {
    super();
    this.gate_proj = new Linear(hiddenSize, intermediateSize, { bias });
    this.up_proj = new Linear(hiddenSize, intermediateSize, { bias });
    this.down_proj = new Linear(intermediateSize, hiddenSize, { bias });
    this.activation = hiddenAct(activation);
  }

  override forward(x: Tensor): Tensor {
    const gate = this.activation(this.gate_proj.forward(x));
    return this.down_proj.forward(mul(gate, this.up_proj.forward(x)));
  }
}

class Layer extends Module {
  readonly self_attn: Attention;
  readonly mlp: GatedFeedForward;
  readonly input_layernorm: RmsNorm;
  readonly post_attention_layernorm: RmsNorm;

  constructor(config: LlamaConfig, layer: number) {
    super();
    const options = { epsilon: config.normEpsilon };
    this.self_attn = new Attention(config, layer);
    this.mlp = new GatedFeedForward(config);
    this.input_layernorm = new RmsNorm(config.hiddenSize, options);
    this.post_attention_layernorm = new RmsNorm(config.hiddenSize, options);
  }

  override forward(x: Tensor): Tensor {
    return this.mlp.forward(x);
  }

  over(x: Tensor, pass: Pass): Tensor {
    const y = add(x, this.self_attn.over(this.input_layernorm.forward(x), pass));
    return add(y, this.mlp.forward(this.post_attention_layernorm.forward(y)));
  }
}

/** Ids to hidden states [batch, tokens, width]; each token sees those before it, or the last of them. */
export class LlamaDecoder extends TextTrunk {
  readonly embed_tokens: Embedding;
  readonly layers: readonly Layer[];
  readonly norm: RmsNorm;
  private readonly angles: RopeAngles;
  private readonly window: number | null;

  constructor(config: LlamaConfig) {
    super();
    const { vocabularySize, hiddenSize, layers, headSize, rope } = config;
    this.embed_tokens = new Embedding(vocabularySize, hiddenSize);
    this.layers = Array.from({ length: layers }, (_, i) => new Layer(config, i));
    this.norm = new RmsNorm(hiddenSize, { epsilon: config.normEpsilon });
    this.angles = ropeAngles(headSize, rope);
    this.window = config.window?.tokens ?? null;
    startText(this, config.initializerRange);
  }

  override encode(batch: BatchTensors, context: Context): Tensor {
    const ids = batchTensor(batch, TEXT_INPUTS.ids);
    const tokens = ids.shape[1]!;
    const mask = batch[TEXT_INPUTS.mask] ?? null;
    const bias = decoderBias(mask, tokens, context);
    const far = this.window === null ? null : windowBias(mask, tokens, this.window, context);
    const pass: Pass = {
      bias,
      windowed: far && bias ? add(bias, far) : far,
      rope: ropeTables(this.angles, batch[TEXT_INPUTS.positions] ?? null, tokens),
      context,
    };
    const y = this.layers.reduce(
      (x, layer, i) => withScope(`layers.${i}`, () => layer.over(x, pass)),
      this.embed_tokens.forward(ids),
    );
    return this.norm.forward(y);
  }

  override groups(prefix: string): string[] {
    return [
      `${prefix}.embed_tokens`,
      ...this.layers.map((_, i) => `${prefix}.layers.${i}`),
      `${prefix}.norm`,
    ];
  }
}
