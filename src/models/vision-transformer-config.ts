/** What ViT and DeiT read from `config.json`. */
import { ConfigFields } from './config-fields.js';
import type { ImageConfig, NamingScheme, RawConfig } from './define-model.js';
import { HIDDEN_ACTS, type HiddenAct } from './hidden-act.js';
import type { ImagePreprocess } from './preprocess.js';

/** Configuration of ViT and DeiT. Sizes of pictures and patches are [height, width], pixels. */
export interface VisionTransformerConfig extends ImageConfig {
  readonly hiddenSize: number;
  readonly layers: number;
  /** Attention heads; they divide `hiddenSize` evenly. */
  readonly heads: number;
  readonly intermediateSize: number;
  readonly activation: HiddenAct;
  readonly hiddenDropout: number;
  readonly attentionDropout: number;
  readonly initializerRange: number;
  readonly layerNormEpsilon: number;
  readonly imageSize: readonly [number, number];
  readonly patchSize: readonly [number, number];
  readonly qkvBias: boolean;
}

const RATE = { min: 0, max: 1 };
/** More layers than any published model; each is a part of the graph. */
const MAX_LAYERS = 256;
/** A picture larger than this would not be fed to a transformer. */
const MAX_PIXELS = 1 << 14;

/** A size that is written as one number or as [height, width]. */
function pair(
  fields: ConfigFields,
  raw: RawConfig,
  field: string,
  fallback: number,
): readonly [number, number] {
  if (Array.isArray(raw[field])) {
    const [height, width] = fields.integers(field, [], { length: 2, max: MAX_PIXELS });
    return [height!, width!];
  }
  const side = fields.integer(field, fallback, { max: MAX_PIXELS });
  return [side, side];
}

/** Reads the fields that both architectures have. @throws ConfigError naming what does not fit */
export function parseVisionTransformer(modelType: string, raw: RawConfig): VisionTransformerConfig {
  const fields = new ConfigFields(modelType, raw);
  const hiddenSize = fields.integer('hidden_size', 768);
  const heads = fields.integer('num_attention_heads', 12);
  if (hiddenSize % heads !== 0) {
    fields.fail('num_attention_heads', `a divisor of hidden_size, which is ${hiddenSize}`);
  }
  const imageSize = pair(fields, raw, 'image_size', 224);
  const patchSize = pair(fields, raw, 'patch_size', 16);
  if (patchSize.some((p, i) => p > imageSize[i]!)) {
    fields.fail('patch_size', `at most image_size, which is ${imageSize.join(' x ')}`);
  }
  return {
    ...fields.image(),
    hiddenSize,
    layers: fields.integer('num_hidden_layers', 12, { max: MAX_LAYERS }),
    heads,
    intermediateSize: fields.integer('intermediate_size', 3072),
    activation: fields.choice('hidden_act', HIDDEN_ACTS, 'gelu'),
    hiddenDropout: fields.number('hidden_dropout_prob', 0, RATE),
    attentionDropout: fields.number('attention_probs_dropout_prob', 0, RATE),
    initializerRange: fields.number('initializer_range', 0.02, { min: 0 }),
    layerNormEpsilon: fields.number('layer_norm_eps', 1e-12, { min: 0 }),
    imageSize,
    patchSize,
    qkvBias: fields.flag('qkv_bias', true),
  };
}

/** The inverse of {@link parseVisionTransformer}. */
export function writeVisionTransformer(config: VisionTransformerConfig): RawConfig {
  // transformers takes a list, transformers.js and older versions only a number.
  const size = ([height, width]: readonly [number, number]) =>
    height === width ? height : [height, width];
  return {
    hidden_size: config.hiddenSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.intermediateSize,
    hidden_act: config.activation,
    hidden_dropout_prob: config.hiddenDropout,
    attention_probs_dropout_prob: config.attentionDropout,
    initializer_range: config.initializerRange,
    layer_norm_eps: config.layerNormEpsilon,
    image_size: size(config.imageSize),
    patch_size: size(config.patchSize),
    qkv_bias: config.qkvBias,
  };
}

const SIZES = {
  tiny: { hiddenSize: 192, layers: 12, heads: 3 },
  small: { hiddenSize: 384, layers: 12, heads: 6 },
  base: { hiddenSize: 768, layers: 12, heads: 12 },
  large: { hiddenSize: 1024, layers: 24, heads: 16 },
} as const;

/** Sizes in which both architectures were published. */
export type VisionTransformerSize = keyof typeof SIZES;

/** A configuration as timm and torchvision have it, for ImageNet's classes. */
export function publishedConfig(
  size: VisionTransformerSize,
  patch: number,
  image: number,
  labels: readonly string[],
): VisionTransformerConfig {
  const { hiddenSize } = SIZES[size];
  return {
    labels,
    channels: 3,
    ...SIZES[size],
    intermediateSize: 4 * hiddenSize,
    activation: 'gelu',
    hiddenDropout: 0,
    attentionDropout: 0,
    initializerRange: 0.02,
    layerNormEpsilon: 1e-6,
    imageSize: [image, image],
    patchSize: [patch, patch],
    qkvBias: true,
  };
}

/** `preprocess` for the input size of a configuration. */
export function forImageSize(
  { imageSize: [height, width] }: VisionTransformerConfig,
  preprocess: ImagePreprocess,
): ImagePreprocess {
  return { ...preprocess, height, width };
}

/** timm's names of the tensors that both architectures have; `ours` is where they keep them. */
export function timmRules(ours: string): NamingScheme['rules'] {
  const layer = `${ours}.encoder.layer.{i}`;
  return [
    { theirs: 'cls_token', ours: `${ours}.embeddings.cls_token` },
    { theirs: 'pos_embed', ours: `${ours}.embeddings.position_embeddings` },
    { theirs: 'patch_embed.proj.{*}', ours: `${ours}.embeddings.patch_embeddings.projection.{*}` },
    { theirs: 'blocks.{i}.norm1.{*}', ours: `${layer}.layernorm_before.{*}` },
    {
      theirs: 'blocks.{i}.attn.qkv.{*}',
      ours: ['query', 'key', 'value'].map((part) => `${layer}.attention.attention.${part}.{*}`),
    },
    { theirs: 'blocks.{i}.attn.proj.{*}', ours: `${layer}.attention.output.dense.{*}` },
    { theirs: 'blocks.{i}.norm2.{*}', ours: `${layer}.layernorm_after.{*}` },
    { theirs: 'blocks.{i}.mlp.fc1.{*}', ours: `${layer}.intermediate.dense.{*}` },
    { theirs: 'blocks.{i}.mlp.fc2.{*}', ours: `${layer}.output.dense.{*}` },
    { theirs: 'norm.{*}', ours: `${ours}.layernorm.{*}` },
  ];
}

/** Paths of parameters by role, but for the head. */
export const VISION_TRANSFORMER_ROLES = {
  norm: /\.layernorm(?:_before|_after)?\./,
  stem: /\.embeddings\./,
  'attention.query': /\.attention\.attention\.query\./,
  'attention.key': /\.attention\.attention\.key\./,
  'attention.value': /\.attention\.attention\.value\./,
  'attention.output': /\.attention\.output\.dense\./,
  mlp: /\.layer\.\d+\.(?:intermediate|output)\.dense\./,
} as const;
