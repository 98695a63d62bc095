import { describe, expect, test } from 'vitest';
import { tinyClassifier } from '../../test/support/tiny-classifiers.js';
import {
  findVariant,
  type ImagePreprocess,
  loadDefinition,
  type ModelDefinition,
  parsePretrainedCfg,
  type RawConfig,
} from '../models/index.js';
import { isMarked, layoutOf } from './index.js';
import { timmConfig, timmName } from './timm.js';

describe('an architecture that transformers lacks', () => {
  test('is laid out as timm’s where timm has it, under timm’s names', async () => {
    const tiny = await tinyClassifier('vgg');
    // A tiny VGG as if timm had published it.
    const variant = { config: { ...tiny.config, labels: ['x'] }, preprocess: tiny.preprocess };
    const definition = { ...tiny.definition, variants: { vgg_tiny: variant } } as ModelDefinition;
    const { config, tensors, loaders } = layoutOf({ ...tiny, definition });
    expect(loaders).toEqual({ transformers: null, timm: 'vgg_tiny', transformersJs: false });
    expect(config).toMatchObject({
      architecture: 'vgg_tiny',
      num_classes: 3,
      label_names: tiny.config.labels,
      pretrained_cfg: { input_size: [3, 32, 32], classifier: 'head.fc', num_classes: 3 },
    });
    expect(config.model_type).toBeUndefined();
    expect(isMarked(config)).toBe(true);
    expect(tensors.get('pre_logits.fc1.weight')!.shape).toEqual([8, 8, 7, 7]);
    expect(tensors.get('head.fc.weight')).toEqual(tiny.weights.get('classifier.6.weight'));
    expect(tensors.get('features.1.num_batches_tracked')).toEqual({
      dtype: 'int64',
      shape: [],
      data: new BigInt64Array(1),
    });
  });

  test('is written under its own names otherwise, and nobody is said to load it', async () => {
    const tiny = await tinyClassifier('squeezenet');
    const { config, tensors, loaders } = layoutOf(tiny);
    expect(loaders).toEqual({ transformers: null, timm: null, transformersJs: false });
    expect(config.model_type).toBe('squeezenet');
    expect('architectures' in config).toBe(false);
    expect([...tensors.keys()]).toEqual([...tiny.weights.keys()]);
  });
});

test('published configurations are found by what decides their tensors', async () => {
  for (const name of ['vgg16_bn', 'vgg11', 'resnet50d']) {
    const { definition, variant } = await findVariant(name);
    const config = { ...variant.config, labels: ['a', 'b'], channels: 1, dropout: 0 };
    expect(timmName(definition, config)?.architecture).toBe(name);
  }
  const { definition, variant } = await findVariant('vgg16');
  expect(timmName(definition, { ...variant.config, hiddenSize: 7 } as never)).toBeNull();
  const squeezenet = await findVariant('squeezenet1_1');
  expect(timmName(squeezenet.definition, squeezenet.variant.config)).toBeNull();
});

test('timm reads the same preprocessing', async () => {
  const { definition, variant } = await findVariant('vgg11');
  const mean = [0.4, 0.5, 0.6];
  const common = {
    mean,
    deviation: [0.2, 0.3, 0.4],
    rescale: 1 / 255,
    resample: 'bicubic',
  } as const;
  const cases: ImagePreprocess[] = [
    { ...common, height: 224, width: 224, fit: 'crop', shortSide: 256 },
    { ...common, height: 256, width: 256, fit: 'crop', shortSide: 269 },
    { ...common, height: 97, width: 97, fit: 'crop', shortSide: 101 },
    { ...common, height: 64, width: 64, fit: 'squash' },
    { ...common, height: 224, width: 224, fit: 'squash', squashTo: [256, 256] },
  ];
  const read = (p: ImagePreprocess, channels = 3) => {
    const config = timmConfig('vgg11', { ...variant.config, channels }, p, 'head.fc');
    return parsePretrainedCfg(
      config.pretrained_cfg as RawConfig,
      definition.preprocess(variant.config),
    );
  };
  for (const p of cases) expect(read(p)).toEqual(p);
  // timm always divides by 255; pixels from 0 to 255 are shifted and scaled to the same.
  const { mean: m, deviation: d } = read({
    ...cases[0]!,
    rescale: 1,
    mean: [100, 110, 120],
    deviation: [50, 60, 70],
  });
  for (const [i, v] of [100, 110, 120].entries()) expect(m[i]).toBeCloseTo(v / 255, 12);
  for (const [i, v] of [50, 60, 70].entries()) expect(d[i]).toBeCloseTo(v / 255, 12);
});

test('what timm is told of another number of channels', async () => {
  const definition = await loadDefinition('vgg');
  const p = { ...definition.preprocess(definition.parse({})), mean: [0.5], deviation: [0.5] };
  const grey = timmConfig('vgg11', { labels: ['a'], channels: 1 }, p, 'head.fc');
  expect(grey.model_args).toEqual({ in_chans: 1 });
  expect((grey.pretrained_cfg as RawConfig).input_size).toEqual([1, 224, 224]);
});
