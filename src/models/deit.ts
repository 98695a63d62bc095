/** DeiT: a ViT with a second token, which learned what a teacher says. */
import type { Tensor } from '../graph/index.js';
import type { Context, Linear } from '../nn/index.js';
import { add, concat, mul, slice } from '../ops/index.js';
import { ConfigFields, numberedLabels } from './config-fields.js';
import { defineModel, type RawConfig } from './define-model.js';
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

/** Configuration of DeiT. */
export interface DeitConfig extends VisionTransformerConfig {
  /**
   * What the classes are read from: the class token alone, or also the distillation token by a
   * layer of its own, and then the mean of the two.
   */
  readonly readsFrom: 'class' | 'both';
}

/** DeiT with a linear layer on its class token. */
class DeitClassifier extends ImageClassifier {
  readonly deit: VisionTransformer;
  classifier: Linear;
  private readonly config: DeitConfig;

  constructor(config: DeitConfig) {
    super();
    this.deit = new VisionTransformer(config, { distilled: true });
    this.config = config;
    this.classifier = tokenHead(config, config.labels.length);
  }

  /** What the last layer reads: [batch, 2 + patches, width]. */
  override features(x: Tensor, context: Context): Tensor {
    return this.deit.beforeLastLayer(x, context);
  }

  override pool(features: Tensor, context: Context): Tensor {
    return tokenAt(this.deit.lastLayer(features, context), 0);
  }

  override classify(pooled: Tensor): Tensor {
    return this.classifier.forward(pooled);
  }

  override replaceHead(classes: number): void {
    this.classifier = tokenHead(this.config, classes);
  }

  override layerGroups(): readonly string[] {
    return [...this.deit.groups('deit'), 'classifier'];
  }
}

/** DeiT with a linear layer on each of its two tokens. */
class DistilledDeitClassifier extends ImageClassifier {
  readonly deit: VisionTransformer;
  cls_classifier: Linear;
  distillation_classifier: Linear;
  private readonly config: DeitConfig;

  constructor(config: DeitConfig) {
    super();
    this.deit = new VisionTransformer(config, { distilled: true });
    this.config = config;
    this.cls_classifier = tokenHead(config, config.labels.length);
    this.distillation_classifier = tokenHead(config, config.labels.length);
  }

  /** What the last layer reads: [batch, 2 + patches, width]. */
  override features(x: Tensor, context: Context): Tensor {
    return this.deit.beforeLastLayer(x, context);
  }

  /** Both tokens side by side: [batch, 2 width]. */
  override pool(features: Tensor, context: Context): Tensor {
    const tokens = this.deit.lastLayer(features, context);
    return concat([tokenAt(tokens, 0), tokenAt(tokens, 1)], 1);
  }

  override classify(pooled: Tensor): Tensor {
    const { hiddenSize } = this.config;
    const half = (i: number) =>
      slice(pooled, { starts: [i * hiddenSize], ends: [(i + 1) * hiddenSize], axes: [1] });
    const byClass = this.cls_classifier.forward(half(0));
    return mul(add(byClass, this.distillation_classifier.forward(half(1))), 0.5);
  }

  override replaceHead(classes: number): void {
    this.cls_classifier = tokenHead(this.config, classes);
    this.distillation_classifier = tokenHead(this.config, classes);
  }

  override layerGroups(): readonly string[] {
    // The two layers stand side by side, not one behind the other; a group holds one prefix.
    return [...this.deit.groups('deit'), 'cls_classifier', 'distillation_classifier'];
  }
}

const WITH_TEACHER = 'DeiTForImageClassificationWithTeacher';
const WITHOUT = 'DeiTForImageClassification';

/** Which of transformers' two classes a checkpoint was saved from. */
function parse(raw: RawConfig): DeitConfig {
  const classes = raw.architectures ?? [WITHOUT];
  if (!Array.isArray(classes)) {
    new ConfigFields('deit', raw).fail('architectures', 'a list of names');
  }
  const both = (classes as unknown[]).includes(WITH_TEACHER);
  return { ...parseVisionTransformer('deit', raw), readsFrom: both ? 'both' : 'class' };
}

/** Facebook's: squashed to eight sevenths of the size, then the centre. */
function preprocess(config: VisionTransformerConfig): ImagePreprocess {
  const { shortSide: _, ...rest } = IMAGENET_PREPROCESS;
  const larger = (n: number) => Math.round((n * 256) / 224);
  const [height, width] = config.imageSize;
  return forImageSize(config, {
    ...rest,
    fit: 'squash',
    squashTo: [larger(height), larger(width)],
    resample: 'bicubic',
  });
}

/** timm's: nine tenths of the short side are cut out at 224 pixels, everything at more. */
function distilled(size: VisionTransformerSize, image = 224) {
  const shortSide = image > 224 ? image : Math.floor(image / 0.9);
  const config: DeitConfig = {
    ...publishedConfig(size, 16, image, numberedLabels(1000)),
    readsFrom: 'both',
  };
  return {
    config,
    preprocess: forImageSize(config, {
      ...IMAGENET_PREPROCESS,
      shortSide,
      resample: 'bicubic',
    }),
  };
}

export default defineModel<DeitConfig>({
  modelType: 'deit',
  architecture: WITHOUT,
  processor: 'DeiTImageProcessor',
  parse,
  write: (config) => ({
    ...writeVisionTransformer(config),
    architectures: [config.readsFrom === 'both' ? WITH_TEACHER : WITHOUT],
  }),
  build: (config) =>
    config.readsFrom === 'both' ? new DistilledDeitClassifier(config) : new DeitClassifier(config),
  preprocess,
  resize: (config, weights, size) =>
    resizeVisionTransformer(config, weights, size, 'deit.embeddings.position_embeddings'),
  schemes: {
    timm: {
      rules: [
        ...timmRules('deit'),
        { theirs: 'dist_token', ours: 'deit.embeddings.distillation_token' },
        { theirs: 'head.{*}', ours: 'cls_classifier.{*}' },
        { theirs: 'head_dist.{*}', ours: 'distillation_classifier.{*}' },
      ],
    },
  },
  roles: {
    ...VISION_TRANSFORMER_ROLES,
    head: /^(?:classifier|cls_classifier|distillation_classifier)\./,
  },
  variants: {
    deit_tiny_distilled_patch16_224: distilled('tiny'),
    deit_small_distilled_patch16_224: distilled('small'),
    deit_base_distilled_patch16_224: distilled('base'),
    deit_base_distilled_patch16_384: distilled('base', 384),
  },
  source: {
    paper: 'https://arxiv.org/abs/2012.12877',
    code: 'https://github.com/facebookresearch/deit',
  },
});
