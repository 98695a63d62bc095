/** What torchvision and timm publish of ResNet: tensor names and configurations. */
import { numberedLabels } from './config-fields.js';
import type { NamingScheme, Variant } from './define-model.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import type { RenameRule } from './rename.js';
import type { ResNetConfig } from './resnet.js';

const BLOCK = 'resnet.encoder.stages.{s}.layers.{b}';
const STEM = 'resnet.embedder.embedder';

const COMMON: readonly RenameRule[] = [
  { theirs: 'layer{s+1}.{b}.conv{c+1}.{*}', ours: `${BLOCK}.layer.{c}.convolution.{*}` },
  { theirs: 'layer{s+1}.{b}.bn{c+1}.{*}', ours: `${BLOCK}.layer.{c}.normalization.{*}` },
  { theirs: 'fc.{*}', ours: 'classifier.1.{*}' },
];

/** torchvision's names, which are timm's too where the stem is plain. */
const TORCHVISION: NamingScheme = {
  rules: [
    ...COMMON,
    { theirs: 'conv1.{*}', ours: `${STEM}.convolution.{*}` },
    { theirs: 'bn1.{*}', ours: `${STEM}.normalization.{*}` },
    { theirs: 'layer{s+1}.{b}.downsample.0.{*}', ours: `${BLOCK}.shortcut.convolution.{*}` },
    { theirs: 'layer{s+1}.{b}.downsample.1.{*}', ours: `${BLOCK}.shortcut.normalization.{*}` },
  ],
};

/** timm's -D: activations lie between the stem's convolutions, an average before the shortcut's. */
const TIMM_D: NamingScheme = {
  rules: [
    ...COMMON,
    { theirs: 'conv1.0.{*}', ours: `${STEM}.0.convolution.{*}` },
    { theirs: 'conv1.1.{*}', ours: `${STEM}.0.normalization.{*}` },
    { theirs: 'conv1.3.{*}', ours: `${STEM}.1.convolution.{*}` },
    { theirs: 'conv1.4.{*}', ours: `${STEM}.1.normalization.{*}` },
    { theirs: 'conv1.6.{*}', ours: `${STEM}.2.convolution.{*}` },
    { theirs: 'bn1.{*}', ours: `${STEM}.2.normalization.{*}` },
    { theirs: 'layer{s+1}.{b}.downsample.1.{*}', ours: `${BLOCK}.shortcut.convolution.{*}` },
    { theirs: 'layer{s+1}.{b}.downsample.2.{*}', ours: `${BLOCK}.shortcut.normalization.{*}` },
  ],
};

/** Naming schemes of ResNet. */
export const RESNET_NAMES: Readonly<Record<string, NamingScheme>> = {
  torchvision: TORCHVISION,
  'timm-d': TIMM_D,
};

function plain(layerType: ResNetConfig['layerType'], depths: readonly number[]) {
  const config: ResNetConfig = {
    labels: numberedLabels(1000),
    channels: 3,
    embeddingSize: 64,
    hiddenSizes: layerType === 'basic' ? [64, 128, 256, 512] : [256, 512, 1024, 2048],
    depths,
    layerType,
    activation: 'relu',
    downsampleInFirstStage: false,
    downsampleInBottleneck: false,
    deepStem: false,
    averageDown: false,
  };
  return { config, preprocess: IMAGENET_PREPROCESS };
}

/** timm trained the larger -D models on 256 pixels with a margin of 5 %. */
const LARGE: ImagePreprocess = {
  ...IMAGENET_PREPROCESS,
  resample: 'bicubic',
  height: 256,
  width: 256,
  shortSide: 269,
};

const deep = (
  { config }: Variant<ResNetConfig>,
  preprocess: ImagePreprocess = { ...IMAGENET_PREPROCESS, resample: 'bicubic' },
) => ({ config: { ...config, deepStem: true, averageDown: true }, preprocess });

const R18 = plain('basic', [2, 2, 2, 2]);
const R26 = plain('bottleneck', [2, 2, 2, 2]);
const R34 = plain('basic', [3, 4, 6, 3]);
const R50 = plain('bottleneck', [3, 4, 6, 3]);
const R101 = plain('bottleneck', [3, 4, 23, 3]);
const R152 = plain('bottleneck', [3, 8, 36, 3]);

/** Published configurations. */
export const RESNETS: Readonly<Record<string, Variant<ResNetConfig>>> = {
  resnet18: R18,
  resnet26: { ...R26, preprocess: { ...IMAGENET_PREPROCESS, resample: 'bicubic' } },
  resnet34: R34,
  resnet50: R50,
  resnet101: R101,
  resnet152: R152,
  resnet18d: deep(R18),
  resnet26d: deep(R26),
  resnet34d: deep(R34),
  resnet50d: deep(R50),
  resnet101d: deep(R101, LARGE),
  resnet152d: deep(R152, LARGE),
  resnet200d: deep(plain('bottleneck', [3, 24, 36, 3]), LARGE),
};
