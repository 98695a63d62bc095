/**
 * The network that ViT and DeiT share: patches, extra tokens, positions, pre-norm encoder.
 * @see Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020
 */
import { ShapeError } from '../errors.js';
import { type Tensor, withScope } from '../graph/index.js';
import {
  attend,
  type Context,
  Conv2d,
  Dropout,
  LayerNorm,
  Linear,
  Module,
  Parameter,
  truncatedNormalInit,
} from '../nn/index.js';
import { add, concat, expand, reshape, slice, transpose } from '../ops/index.js';
import { hiddenAct } from './hidden-act.js';
import { startFrom } from './start.js';
import type { VisionTransformerConfig } from './vision-transformer-config.js';

/** Patches become vectors; extra tokens are put before them, and positions are added. */
class Embeddings extends Module {
  /** [1, 1, width] */
  readonly cls_token: Parameter;
  readonly distillation_token: Parameter | null;
  /** [1, tokens, width], the extra tokens' first, then the patches row by row */
  readonly position_embeddings: Parameter;
  readonly patch_embeddings: PatchEmbeddings;
  private readonly dropout: Dropout;
  private readonly imageSize: readonly [number, number];

  constructor(config: VisionTransformerConfig, distilled: boolean) {
    super();
    const { hiddenSize, imageSize, patchSize, initializerRange } = config;
    const init = truncatedNormalInit(initializerRange);
    const token = () => new Parameter([1, 1, hiddenSize], init);
    const patches =
      Math.floor(imageSize[0] / patchSize[0]) * Math.floor(imageSize[1] / patchSize[1]);
    this.cls_token = token();
    this.distillation_token = distilled ? token() : null;
    this.position_embeddings = new Parameter([1, patches + (distilled ? 2 : 1), hiddenSize], init);
    this.patch_embeddings = new PatchEmbeddings(config);
    this.dropout = new Dropout(config.hiddenDropout);
    this.imageSize = imageSize;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const [height, width] = this.imageSize;
    if (x.shape[2] !== height || x.shape[3] !== width) {
      throw new ShapeError(
        `The model has positions for pictures of ${height} x ${width} pixels (height x width), got [${x.shape.join(',')}]. Resize the pictures, or load the model for that size.`,
        { expected: [height, width], shape: x.shape },
      );
    }
    const patches = this.patch_embeddings.forward(x, context);
    const [batch, , size] = patches.shape as [number, number, number];
    const tokens = [this.cls_token, this.distillation_token].flatMap((p) =>
      p ? [expand(p.tensor, [batch, 1, size])] : [],
    );
    const y = add(concat([...tokens, patches], 1), this.position_embeddings.tensor);
    return this.dropout.forward(y, context);
  }
}

class PatchEmbeddings extends Module {
  readonly projection: Conv2d;

  constructor({ channels, hiddenSize, patchSize }: VisionTransformerConfig) {
    super();
    this.projection = new Conv2d(channels, hiddenSize, patchSize, { stride: patchSize });
  }

  override forward(x: Tensor, context: Context): Tensor {
    const y = this.projection.forward(x, context);
    const [batch, size, height, width] = y.shape as [number, number, number, number];
    return transpose(reshape(y, [batch, size, height * width]), [0, 2, 1]);
  }
}

class SelfAttention extends Module {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  private readonly heads: number;
  private readonly dropout: number;

  constructor({ hiddenSize, heads, qkvBias, attentionDropout }: VisionTransformerConfig) {
    super();
    const linear = () => new Linear(hiddenSize, hiddenSize, { bias: qkvBias });
    this.query = linear();
    this.key = linear();
    this.value = linear();
    this.heads = heads;
    this.dropout = attentionDropout;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const [query, key, value] = [this.query, this.key, this.value].map((l) => l.forward(x));
    const inputs = { query: query!, key: key!, value: value! };
    return attend(inputs, { heads: this.heads, dropout: this.dropout }, context);
  }
}

/** A linear layer called `dense`, which is where Hugging Face keeps it. */
class Dense extends Module {
  readonly dense: Linear;

  constructor(inFeatures: number, outFeatures: number) {
    super();
    this.dense = new Linear(inFeatures, outFeatures);
  }

  override forward(x: Tensor): Tensor {
    return this.dense.forward(x);
  }
}

class Attention extends Module {
  readonly attention: SelfAttention;
  readonly output: Dense;

  constructor(config: VisionTransformerConfig) {
    super();
    this.attention = new SelfAttention(config);
    this.output = new Dense(config.hiddenSize, config.hiddenSize);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.output.forward(this.attention.forward(x, context));
  }
}

class Layer extends Module {
  readonly attention: Attention;
  readonly intermediate: Dense;
  readonly output: Dense;
  readonly layernorm_before: LayerNorm;
  readonly layernorm_after: LayerNorm;
  private readonly dropout: Dropout;
  private readonly activation: (x: Tensor) => Tensor;

  constructor(config: VisionTransformerConfig) {
    super();
    const { hiddenSize, intermediateSize, layerNormEpsilon: epsilon } = config;
    this.attention = new Attention(config);
    this.intermediate = new Dense(hiddenSize, intermediateSize);
    this.output = new Dense(intermediateSize, hiddenSize);
    this.layernorm_before = new LayerNorm(hiddenSize, { epsilon });
    this.layernorm_after = new LayerNorm(hiddenSize, { epsilon });
    this.dropout = new Dropout(config.hiddenDropout);
    this.activation = hiddenAct(config.activation);
  }

  override forward(x: Tensor, context: Context): Tensor {
    const attended = this.attention.forward(this.layernorm_before.forward(x), context);
    const y = add(this.dropout.forward(attended, context), x);
    const hidden = this.activation(this.intermediate.forward(this.layernorm_after.forward(y)));
    return add(this.dropout.forward(this.output.forward(hidden), context), y);
  }
}

class Encoder extends Module {
  readonly layer: readonly Layer[];

  constructor(config: VisionTransformerConfig) {
    super();
    this.layer = Array.from({ length: config.layers }, () => new Layer(config));
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.through(x, context, 0, this.layer.length);
  }

  /** The layers from `start` to before `end`. */
  through(x: Tensor, context: Context, start: number, end: number): Tensor {
    let y = x;
    for (let i = start; i < end; i++) {
      y = withScope(`layer.${i}`, () => this.layer[i]!.forward(y, context));
    }
    return y;
  }
}

/** Pixels to tokens. */
export class VisionTransformer extends Module {
  readonly embeddings: Embeddings;
  readonly encoder: Encoder;
  readonly layernorm: LayerNorm;

  /** @param distilled a second token beside the class token, as DeiT's */
  constructor(config: VisionTransformerConfig, { distilled }: { readonly distilled: boolean }) {
    super();
    this.embeddings = new Embeddings(config, distilled);
    this.encoder = new Encoder(config);
    this.layernorm = new LayerNorm(config.hiddenSize, { epsilon: config.layerNormEpsilon });
    const init = truncatedNormalInit(config.initializerRange);
    startFrom(this, { conv: init, linear: init });
  }

  /**
   * What the last layer reads, [batch, tokens, width]: the extra tokens, then the patches row by
   * row. After the last layer the head sees nothing of the patches, so heat maps are made here.
   */
  beforeLastLayer(x: Tensor, context: Context): Tensor {
    const { encoder } = this;
    const y = this.embeddings.forward(x, context);
    return encoder.through(y, context, 0, encoder.layer.length - 1);
  }

  /** The last layer and the norm behind it: [batch, tokens, width] to the same. */
  lastLayer(tokens: Tensor, context: Context): Tensor {
    const { encoder, layernorm } = this;
    const { length } = encoder.layer;
    return layernorm.forward(encoder.through(tokens, context, length - 1, length));
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.lastLayer(this.beforeLastLayer(x, context), context);
  }

  /** Layer groups of a model that keeps this network under `prefix`, without its head. */
  groups(prefix: string): string[] {
    return [
      `${prefix}.embeddings`,
      ...this.encoder.layer.map((_, i) => `${prefix}.encoder.layer.${i}`),
      `${prefix}.layernorm`,
    ];
  }
}

/** One token of [batch, tokens, width], as [batch, width]. */
export function tokenAt(tokens: Tensor, index: number): Tensor {
  const [batch, , width] = tokens.shape as [number, number, number];
  const one = slice(tokens, { starts: [index], ends: [index + 1], axes: [1] });
  return reshape(one, [batch, width]);
}

/** An untrained linear layer on a token. */
export function tokenHead(config: VisionTransformerConfig, classes: number): Linear {
  const head = new Linear(config.hiddenSize, classes);
  startFrom(head, { linear: truncatedNormalInit(config.initializerRange) });
  return head;
}
