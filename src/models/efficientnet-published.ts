/** EfficientNet as other libraries publish it: configurations, and their names of tensors. */
import type { NamingScheme, Variant } from './define-model.js';
import { BASE, blocksOf, type EfficientNetConfig, PUBLISHED } from './efficientnet-config.js';
import { IMAGENET_PREPROCESS, type ImagePreprocess } from './preprocess.js';
import type { RenameRule } from './rename.js';

/** Parts of a block: where we keep them, and where a library does, in a block without expansion and in one with. */
type BlockNames = readonly (readonly [ours: string, plain: string | null, expanding: string])[];

const TIMM_BLOCK: BlockNames = [
  ['expansion.expand_conv', null, 'conv_pw'],
  ['expansion.expand_bn', null, 'bn1'],
  ['depthwise_conv.depthwise_conv', 'conv_dw', 'conv_dw'],
  ['depthwise_conv.depthwise_norm', 'bn1', 'bn2'],
  ['squeeze_excite.reduce', 'se.conv_reduce', 'se.conv_reduce'],
  ['squeeze_excite.expand', 'se.conv_expand', 'se.conv_expand'],
  ['projection.project_conv', 'conv_pw', 'conv_pwl'],
  ['projection.project_bn', 'bn2', 'bn3'],
];

const TORCHVISION_BLOCK: BlockNames = [
  ['expansion.expand_conv', null, 'block.0.0'],
  ['expansion.expand_bn', null, 'block.0.1'],
  ['depthwise_conv.depthwise_conv', 'block.0.0', 'block.1.0'],
  ['depthwise_conv.depthwise_norm', 'block.0.1', 'block.1.1'],
  ['squeeze_excite.reduce', 'block.1.fc1', 'block.2.fc1'],
  ['squeeze_excite.expand', 'block.1.fc2', 'block.2.fc2'],
  ['projection.project_conv', 'block.2.0', 'block.3.0'],
  ['projection.project_bn', 'block.2.1', 'block.3.1'],
];

/**
 * Rules of the blocks. Others number them in each stage, Hugging Face in one row: where a stage
 * begins depends on the depth.
 */
function blockRules(
  config: EfficientNetConfig,
  stageName: (stage: number) => string,
  names: BlockNames,
): RenameRule[] {
  const blocks = blocksOf(config);
  const starts = [...blocks.keys()].filter((i) => !blocks[i]!.residual);
  // The last stage first: on the way back `{b+8}` must be tried before `{b}`, which fits all blocks.
  const stages = [...starts.entries()].reverse();
  return stages.flatMap(([stage, start]) =>
    names.flatMap(([ours, plain, expanding]) => {
      const theirs = blocks[start]!.expandRatio === 1 ? plain : expanding;
      const number = start === 0 ? '{b}' : `{b+${start}}`;
      return theirs === null
        ? []
        : [
            {
              theirs: `${stageName(stage)}.{b}.${theirs}.{*}`,
              ours: `efficientnet.encoder.blocks.${number}.${ours}.{*}`,
            },
          ];
    }),
  );
}

/** Rules of what stands before and after the blocks. */
function endRules(names: readonly [conv: string, norm: string][], head: string): RenameRule[] {
  const [stem, top] = names;
  return [
    { theirs: `${stem![0]}.{*}`, ours: 'efficientnet.embeddings.convolution.{*}' },
    { theirs: `${stem![1]}.{*}`, ours: 'efficientnet.embeddings.batchnorm.{*}' },
    { theirs: `${top![0]}.{*}`, ours: 'efficientnet.encoder.top_conv.{*}' },
    { theirs: `${top![1]}.{*}`, ours: 'efficientnet.encoder.top_bn.{*}' },
    { theirs: `${head}.{*}`, ours: 'classifier.{*}' },
  ];
}

/** Depths that occur, with the first model that has each; B1 and B2 are equally deep. */
const DEPTHS = PUBLISHED.flatMap((config, i) => (i === 2 ? [] : [[`b${i}`, config] as const]));

/** One scheme for each library and depth: `timm-b0`, `torchvision-b0`, ... */
export const EFFICIENTNET_SCHEMES: Readonly<Record<string, NamingScheme>> = Object.fromEntries(
  DEPTHS.flatMap(([name, config]) => [
    [
      `timm-${name}`,
      {
        rules: [
          ...blockRules(config, (stage) => `blocks.${stage}`, TIMM_BLOCK),
          ...endRules(
            [
              ['conv_stem', 'bn1'],
              ['conv_head', 'bn2'],
            ],
            'classifier',
          ),
        ],
      },
    ],
    [
      `torchvision-${name}`,
      {
        rules: [
          ...blockRules(config, (stage) => `features.${stage + 1}`, TORCHVISION_BLOCK),
          ...endRules(
            [
              ['features.0.0', 'features.0.1'],
              ['features.8.0', 'features.8.1'],
            ],
            'classifier.1',
          ),
        ],
      },
    ],
  ]),
);

/** Google's weights in timm: shares of the short side that are cut out. */
const GOOGLE_CROPS = [0.875, 0.882, 0.89, 0.904, 0.922, 0.934, 0.942, 0.949];

/** torchvision's pictures: side, and short side before the cut. */
const TORCHVISION_SIZES = [
  [224, 256],
  [240, 255],
  [288, 288],
  [300, 320],
  [380, 384],
  [456, 456],
  [528, 528],
  [600, 600],
] as const;

function cropped(side: number, shortSide: number): ImagePreprocess {
  return {
    ...IMAGENET_PREPROCESS,
    height: side,
    width: side,
    shortSide,
    resample: 'bicubic',
  };
}

/** torchvision and timm's own trainings pad both sides alike. */
function symmetric(config: EfficientNetConfig, index: number): Variant<EfficientNetConfig> {
  const [imageSize, shortSide] = TORCHVISION_SIZES[index]!;
  const depthwisePadding = [...blocksOf(config).entries()].flatMap(([i, { stride }]) =>
    stride === 2 ? [i] : [],
  );
  return {
    config: {
      ...config,
      imageSize,
      depthwisePadding,
      stemPadding: 'symmetric',
      // torchvision's B5 to B7 alone keep TensorFlow's epsilon.
      batchNormEpsilon: index < 5 ? 1e-5 : BASE.batchNormEpsilon,
      batchNormMomentum: index < 5 ? 0.9 : BASE.batchNormMomentum,
    },
    preprocess: cropped(imageSize, shortSide),
  };
}

/** `tf_efficientnet_b0` ... as Google trained them, `efficientnet_b0` ... as torchvision did. */
export const EFFICIENTNET_VARIANTS: Readonly<Record<string, Variant<EfficientNetConfig>>> =
  Object.fromEntries(
    PUBLISHED.flatMap((config, i) => [
      [
        `tf_efficientnet_b${i}`,
        {
          config,
          preprocess: cropped(config.imageSize, Math.floor(config.imageSize / GOOGLE_CROPS[i]!)),
        },
      ],
      [`efficientnet_b${i}`, symmetric(config, i)],
    ]),
  );
