/** Names that other libraries give to ConvNeXt's tensors. */
import type { NamingScheme } from './define-model.js';

const LAYER = 'convnext.encoder.stages.{s}.layers.{b}';
const DOWN = 'convnext.encoder.stages.{s}.downsampling_layer.{i}.{*}';

const TIMM: NamingScheme = {
  rules: [
    { theirs: 'stem.0.{*}', ours: 'convnext.embeddings.patch_embeddings.{*}' },
    { theirs: 'stem.1.{*}', ours: 'convnext.embeddings.layernorm.{*}' },
    { theirs: 'stages.{s}.downsample.{i}.{*}', ours: DOWN },
    { theirs: 'stages.{s}.blocks.{b}.gamma', ours: `${LAYER}.layer_scale_parameter` },
    { theirs: 'stages.{s}.blocks.{b}.conv_dw.{*}', ours: `${LAYER}.dwconv.{*}` },
    { theirs: 'stages.{s}.blocks.{b}.norm.{*}', ours: `${LAYER}.layernorm.{*}` },
    { theirs: 'stages.{s}.blocks.{b}.mlp.fc1.{*}', ours: `${LAYER}.pwconv1.{*}` },
    { theirs: 'stages.{s}.blocks.{b}.mlp.fc2.{*}', ours: `${LAYER}.pwconv2.{*}` },
    { theirs: 'head.norm.{*}', ours: 'convnext.layernorm.{*}' },
    { theirs: 'head.fc.{*}', ours: 'classifier.{*}' },
  ],
};

/** torchvision counts stages and what lies between them in one row: stem, stage, down, stage, ... */
const TORCHVISION: NamingScheme = {
  rules: [
    { theirs: 'features.0.0.{*}', ours: 'convnext.embeddings.patch_embeddings.{*}' },
    { theirs: 'features.0.1.{*}', ours: 'convnext.embeddings.layernorm.{*}' },
    ...[0, 1, 2, 3].flatMap((stage) => {
      const block = `features.${2 * stage + 1}.{b}`;
      const ours = LAYER.replace('{s}', String(stage));
      return [
        { theirs: `${block}.layer_scale`, ours: `${ours}.layer_scale_parameter`, ones: 2 },
        { theirs: `${block}.block.0.{*}`, ours: `${ours}.dwconv.{*}` },
        { theirs: `${block}.block.2.{*}`, ours: `${ours}.layernorm.{*}` },
        { theirs: `${block}.block.3.{*}`, ours: `${ours}.pwconv1.{*}` },
        { theirs: `${block}.block.5.{*}`, ours: `${ours}.pwconv2.{*}` },
        { theirs: `features.${2 * stage}.{i}.{*}`, ours: DOWN.replace('{s}', String(stage)) },
      ];
    }),
    { theirs: 'classifier.0.{*}', ours: 'convnext.layernorm.{*}' },
    { theirs: 'classifier.2.{*}', ours: 'classifier.{*}' },
  ],
};

/** timm's and torchvision's names. */
export const CONVNEXT_SCHEMES = { timm: TIMM, torchvision: TORCHVISION } as const;
