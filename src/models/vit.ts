/** ViT: a transformer over patches of a picture. */
import type { Tensor } from '../graph/index.js';
import type { Context, Linear } from '../nn/index.js';
import { numberedLabels } from './config-fields.js';
import { defineModel, type NamingScheme } from './define-model.js';
import { ImageClassifier } from './image-classifier.js';
import { resizeVisionTransformer } from './position-embeddings.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import { tokenAt, tokenHead, VisionTransformer } from './vision-transformer.js';
import {
  forImageSize,
  parseVisionTransformer,
  publishedConfig,
  timmRules,
  VISION_TRANSFORMER_ROLES,
  type VisionTransformerConfig,
  type VisionTransformerSize,
  writeVisionTransformer,
} from './vision-transformer-config.js';

/** ViT with a linear layer on its class token. */
class VitClassifier extends ImageClassifier {
  readonly vit: VisionTransformer;
  classifier: Linear;
  private readonly config: VisionTransformerConfig;

  constructor(config: VisionTransformerConfig) {
    super();
    this.vit = new VisionTransformer(config, { distilled: false });
    this.config = config;
    this.classifier = tokenHead(config, config.labels.length);
  }

  /** What the last layer reads: [batch, 1 + patches, width]. */
  override features(x: Tensor, context: Context): Tensor {
    return this.vit.beforeLastLayer(x, context);
  }

  override pool(features: Tensor, context: Context): Tensor {
    return tokenAt(this.vit.lastLayer(features, context), 0);
  }

  override classify(pooled: Tensor): Tensor {
    return this.classifier.forward(pooled);
  }

  override replaceHead(classes: number): void {
    this.classifier = tokenHead(this.config, classes);
  }

  override layerGroups(): readonly string[] {
    return [...this.vit.groups('vit'), 'classifier'];
  }
}

const TORCHVISION: NamingScheme = {
  rules: [
    { theirs: 'class_token', ours: 'vit.embeddings.cls_token' },
    { theirs: 'encoder.pos_embedding', ours: 'vit.embeddings.position_embeddings' },
    { theirs: 'conv_proj.{*}', ours: 'vit.embeddings.patch_embeddings.projection.{*}' },
    ...(
      [
        ['ln_1.{*}', 'layernorm_before.{*}'],
        ['self_attention.out_proj.{*}', 'attention.output.dense.{*}'],
        ['ln_2.{*}', 'layernorm_after.{*}'],
        ['mlp.0.{*}', 'intermediate.dense.{*}'],
        ['mlp.3.{*}', 'output.dense.{*}'],
      ] as const
    ).map(([theirs, ours]) => ({
      theirs: `encoder.layers.encoder_layer_{i}.${theirs}`,
      ours: `vit.encoder.layer.{i}.${ours}`,
    })),
    ...['weight', 'bias'].map((kind) => ({
      theirs: `encoder.layers.encoder_layer_{i}.self_attention.in_proj_${kind}`,
      ours: ['query', 'key', 'value'].map(
        (part) => `vit.encoder.layer.{i}.attention.attention.${part}.${kind}`,
      ),
    })),
    { theirs: 'encoder.ln.{*}', ours: 'vit.layernorm.{*}' },
    { theirs: 'heads.head.{*}', ours: 'classifier.{*}' },
  ],
};

const LABELS = numberedLabels(1000);
const HALF = [0.5, 0.5, 0.5] as const;

/** Google's own processing, and that of its checkpoints on the hub. */
const SQUASHED: ImagePreprocess = {
  height: 224,
  width: 224,
  fit: 'squash',
  resample: 'bilinear',
  rescale: 1 / 255,
  mean: HALF,
  deviation: HALF,
};

/** timm's: nine tenths of the short side are cut out at 224 pixels, everything at more. */
function timm(
  size: VisionTransformerSize,
  patch: number,
  image = 224,
  normalized: Pick<ImagePreprocess, 'mean' | 'deviation'> = { mean: HALF, deviation: HALF },
) {
  const preprocess: ImagePreprocess = {
    ...IMAGENET_PREPROCESS,
    ...normalized,
    height: image,
    width: image,
    shortSide: image > 224 ? image : Math.floor(image / 0.9),
    resample: 'bicubic',
  };
  return { config: publishedConfig(size, patch, image, LABELS), preprocess };
}

/** Facebook's DeiT without a distillation token, which is a ViT; its checkpoints say so too. */
function deit(size: VisionTransformerSize, image = 224) {
  const { mean, deviation } = IMAGENET_PREPROCESS;
  return timm(size, 16, image, { mean, deviation });
}

/** torchvision's. */
function torchvision(size: VisionTransformerSize, patch: number, shortSide = 256) {
  const config = publishedConfig(size, patch, 224, LABELS);
  return { config, preprocess: { ...IMAGENET_PREPROCESS, shortSide } };
}

export default defineModel<VisionTransformerConfig>({
  modelType: 'vit',
  architecture: 'ViTForImageClassification',
  processor: 'ViTImageProcessor',
  parse: (raw) => parseVisionTransformer('vit', raw),
  write: writeVisionTransformer,
  build: (config) => new VitClassifier(config),
  preprocess: (config) => forImageSize(config, SQUASHED),
  resize: (config, weights, size) =>
    resizeVisionTransformer(config, weights, size, 'vit.embeddings.position_embeddings'),
  schemes: {
    timm: { rules: [...timmRules('vit'), { theirs: 'head.{*}', ours: 'classifier.{*}' }] },
    torchvision: TORCHVISION,
  },
  roles: { ...VISION_TRANSFORMER_ROLES, head: /^classifier\./ },
  variants: {
    vit_tiny_patch16_224: timm('tiny', 16),
    vit_tiny_patch16_384: timm('tiny', 16, 384),
    vit_small_patch16_224: timm('small', 16),
    vit_small_patch16_384: timm('small', 16, 384),
    vit_small_patch32_224: timm('small', 32),
    vit_base_patch16_224: timm('base', 16),
    vit_base_patch16_384: timm('base', 16, 384),
    vit_base_patch32_224: timm('base', 32),
    vit_large_patch16_224: timm('large', 16),
    vit_large_patch32_224: timm('large', 32),
    deit_tiny_patch16_224: deit('tiny'),
    deit_small_patch16_224: deit('small'),
    deit_base_patch16_224: deit('base'),
    deit_base_patch16_384: deit('base', 384),
    vit_b_16: torchvision('base', 16),
    vit_b_32: torchvision('base', 32),
    vit_l_16: torchvision('large', 16, 242),
    vit_l_32: torchvision('large', 32),
  },
  source: {
    paper: 'https://arxiv.org/abs/2010.11929',
    code: 'https://github.com/google-research/vision_transformer',
  },
});
