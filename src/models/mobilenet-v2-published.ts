/** What torchvision and timm publish of MobileNet V2: tensor names and configurations. */
import { numberedLabels } from './config-fields.js';
import type { NamingScheme, Variant } from './define-model.js';
import type { MobileNetV2Config } from './mobilenet_v2.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';

/** Blocks of each of timm's stages, after the stem's. */
const TIMM_DEPTHS = [2, 3, 4, 3, 3, 1];

const MODEL = 'mobilenet_v2';

/** A convolution and its batch norm: the names of both, theirs and ours. */
const pair = (convolution: string, normalization: string, ours: string) => [
  { theirs: `${convolution}.{*}`, ours: `${MODEL}.${ours}.convolution.{*}` },
  { theirs: `${normalization}.{*}`, ours: `${MODEL}.${ours}.normalization.{*}` },
];

const TORCHVISION: NamingScheme = {
  rules: [
    ...pair('features.0.0', 'features.0.1', 'conv_stem.first_conv'),
    ...pair('features.1.conv.0.0', 'features.1.conv.0.1', 'conv_stem.conv_3x3'),
    ...pair('features.1.conv.1', 'features.1.conv.2', 'conv_stem.reduce_1x1'),
    ...pair('features.18.0', 'features.18.1', 'conv_1x1'),
    ...pair('features.{b+2}.conv.0.0', 'features.{b+2}.conv.0.1', 'layer.{b}.expand_1x1'),
    ...pair('features.{b+2}.conv.1.0', 'features.{b+2}.conv.1.1', 'layer.{b}.conv_3x3'),
    ...pair('features.{b+2}.conv.2', 'features.{b+2}.conv.3', 'layer.{b}.reduce_1x1'),
    { theirs: 'classifier.1.{*}', ours: 'classifier.{*}' },
  ],
};

/** timm counts blocks within stages of equal width. */
const TIMM: NamingScheme = {
  rules: [
    ...pair('conv_stem', 'bn1', 'conv_stem.first_conv'),
    ...pair('blocks.0.0.conv_dw', 'blocks.0.0.bn1', 'conv_stem.conv_3x3'),
    ...pair('blocks.0.0.conv_pw', 'blocks.0.0.bn2', 'conv_stem.reduce_1x1'),
    ...pair('conv_head', 'bn2', 'conv_1x1'),
    ...TIMM_DEPTHS.flatMap((depth, s) =>
      Array.from({ length: depth }, (_, b) => {
        const theirs = `blocks.${s + 1}.${b}`;
        const ours = `layer.${TIMM_DEPTHS.slice(0, s).reduce((n, d) => n + d, b)}`;
        return [
          ...pair(`${theirs}.conv_pw`, `${theirs}.bn1`, `${ours}.expand_1x1`),
          ...pair(`${theirs}.conv_dw`, `${theirs}.bn2`, `${ours}.conv_3x3`),
          ...pair(`${theirs}.conv_pwl`, `${theirs}.bn3`, `${ours}.reduce_1x1`),
        ];
      }).flat(),
    ),
    { theirs: 'classifier.{*}', ours: 'classifier.{*}' },
  ],
};

/** Naming schemes of MobileNet V2. */
export const MOBILENET_V2_NAMES: Readonly<Record<string, NamingScheme>> = {
  torchvision: TORCHVISION,
  timm: TIMM,
};

function variant(depthMultiplier: number, processing: Partial<ImagePreprocess> = {}) {
  const config: MobileNetV2Config = {
    labels: numberedLabels(1000),
    channels: 3,
    imageSize: 224,
    depthMultiplier,
    divisor: 8,
    minDepth: 8,
    expandRatio: 6,
    outputStride: 32,
    firstLayerIsExpansion: true,
    finegrainedOutput: true,
    activation: 'relu6',
    tfPadding: false,
    dropout: 0.2,
    initializerRange: 0.02,
    epsilon: 1e-5,
    momentum: 0.1,
  };
  return { config, preprocess: { ...IMAGENET_PREPROCESS, ...processing } };
}

const BICUBIC = { resample: 'bicubic' } as const;

/** Published configurations. */
export const MOBILENETS_V2: Readonly<Record<string, Variant<MobileNetV2Config>>> = {
  mobilenet_v2: variant(1),
  mobilenetv2_035: variant(0.35, BICUBIC),
  mobilenetv2_050: variant(0.5, BICUBIC),
  mobilenetv2_075: variant(0.75, BICUBIC),
  mobilenetv2_100: variant(1, BICUBIC),
  mobilenetv2_140: variant(1.4, BICUBIC),
};
