import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import {
  forChannels,
  IMAGENET_PREPROCESS,
  type ImagePreprocess,
  type ImageProcessor,
  PILLOW_FILTERS,
  parsePreprocessor,
  parsePretrainedCfg,
  preprocessorFor,
  type RawConfig,
  resized,
} from './index.js';

const parse = (raw: RawConfig) => parsePreprocessor(raw, IMAGENET_PREPROCESS);

/** Geometry alone. */
function geometry(raw: RawConfig) {
  const { fit, height, width, shortSide, squashTo } = parse(raw);
  return [fit, height, width, shortSide ?? squashTo ?? null];
}

describe('preprocessor_config.json', () => {
  test.each<[string, RawConfig, unknown[]]>([
    ['nothing: the fallback', {}, ['crop', 224, 224, 256]],
    [
      'ViT, a number',
      { feature_extractor_type: 'ViTFeatureExtractor', size: 96 },
      ['squash', 96, 96, null],
    ],
    ['no type, a number', { size: 96 }, ['squash', 96, 96, null]],
    [
      'no type, a number and a crop',
      { size: 96, do_center_crop: true, crop_size: 64 },
      ['crop', 64, 64, 96],
    ],
    ['height and width', { size: { height: 80, width: 96 } }, ['squash', 80, 96, null]],
    ['a pair', { size: [80, 96] }, ['squash', 80, 96, null]],
    ['short side alone', { size: { shortest_edge: 96 } }, ['crop', 96, 96, 96]],
    [
      'short side and crop',
      {
        size: { shortest_edge: 256 },
        do_center_crop: true,
        crop_size: { height: 224, width: 224 },
      },
      ['crop', 224, 224, 256],
    ],
    [
      'a crop without size',
      { size: { shortest_edge: 300 }, do_center_crop: true },
      ['crop', 224, 224, 300],
    ],
    [
      'DeiT: squashed, then cut',
      {
        feature_extractor_type: 'DeiTFeatureExtractor',
        size: 256,
        do_center_crop: true,
        crop_size: 224,
      },
      ['squash', 224, 224, [256, 256]],
    ],
    [
      'MobileNet, a number',
      {
        image_processor_type: 'MobileNetV2ImageProcessor',
        size: 256,
        do_center_crop: true,
        crop_size: 224,
      },
      ['crop', 224, 224, 256],
    ],
    [
      'ConvNext below 384',
      { feature_extractor_type: 'ConvNextFeatureExtractor', size: 224, crop_pct: 0.875 },
      ['crop', 224, 224, 256],
    ],
    [
      'ConvNext without percentage',
      { image_processor_type: 'ConvNextImageProcessor', size: { shortest_edge: 288 } },
      ['crop', 288, 288, 329],
    ],
    [
      'ConvNext from 384 on',
      { image_processor_type: 'ConvNextImageProcessorFast', size: { shortest_edge: 384 } },
      ['squash', 384, 384, null],
    ],
    [
      'no resizing',
      { do_resize: false, size: 500, do_center_crop: true, crop_size: 64 },
      ['squash', 64, 64, null],
    ],
    [
      'null is absent',
      { size: null, crop_size: null, do_center_crop: null },
      ['crop', 224, 224, 256],
    ],
  ])('%s', (_, raw, want) => expect(geometry(raw)).toEqual(want));

  test('numbers: filter, factor, mean and deviation, and their switches', () => {
    expect(parse({ resample: 3 }).resample).toBe('bicubic');
    expect(parse({ resample: 1 }).resample).toBe('lanczos');
    expect(parse({ rescale_factor: 1 / 127.5 }).rescale).toBe(1 / 127.5);
    expect(parse({ do_rescale: false, rescale_factor: 9 }).rescale).toBe(1);
    expect(parse({ image_mean: 0.5, image_std: [0.2] })).toMatchObject({
      mean: [0.5, 0.5, 0.5],
      deviation: [0.2, 0.2, 0.2],
    });
    expect(parse({ do_normalize: false })).toMatchObject({ mean: [0, 0, 0], deviation: [1, 1, 1] });
  });

  test('EfficientNet takes 1 off and divides by the deviation twice', () => {
    const raw = {
      image_processor_type: 'EfficientNetImageProcessor',
      image_mean: 0.25,
      image_std: 0.5,
      rescale_factor: 1 / 127.5,
    };
    expect(parse(raw)).toMatchObject({ mean: [0.25, 0.25, 0.25], deviation: [0.25, 0.25, 0.25] });
    expect(parse({ ...raw, include_top: false, rescale_offset: true })).toMatchObject({
      mean: [1.25, 1.25, 1.25],
      deviation: [0.5, 0.5, 0.5],
    });
  });

  test.each<[string, RawConfig]>([
    ['size', { size: 0 }],
    ['size', { size: 1e9 }],
    ['size', { size: 'large' }],
    ['size', { size: { longest_edge: 5 } }],
    ['size', { size: [1, 2, 3] }],
    ['crop_size', { size: { shortest_edge: 100 }, do_center_crop: true, crop_size: 200 }],
    ['crop_size', { size: { height: 100, width: 300 }, do_center_crop: true, crop_size: 200 }],
    ['crop_pct', { image_processor_type: 'ConvNextImageProcessor', size: 224, crop_pct: 0 }],
    ['resample', { resample: 4 }],
    ['resample', { resample: 'constructor' }],
    ['image_std', { image_std: [1, 0, 1] }],
    ['image_mean', { image_mean: [1, 2] }],
    ['image_mean', { image_mean: 'grey' }],
    ['rescale_factor', { rescale_factor: -1 }],
    ['do_resize', { do_resize: 'yes', size: 5 }],
    ['do_pad', { do_pad: true }],
    ['do_flip_channel_order', { do_flip_channel_order: true }],
  ])('%s that cannot be is refused by name', (field, raw) => {
    expect(() => parse(raw)).toThrow(ConfigError);
    expect(() => parse(raw)).toThrow(`'${field}'`);
  });

  test('whatever stands there: a preprocessing or a ConfigError', () => {
    const value = fc.oneof(fc.jsonValue(), fc.integer(), fc.constantFrom(true, false, null));
    const fields = ['size', 'crop_size', 'resample', 'image_mean', 'image_std', 'do_resize'];
    const names = [...fields, 'do_center_crop', 'do_rescale', 'crop_pct', 'image_processor_type'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (raw) => {
        try {
          const { height, width, mean, deviation } = parse(raw);
          expect(height * width).toBeGreaterThan(0);
          expect([...mean, ...deviation].every(Number.isFinite)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
    );
  });
});

const size = fc.integer({ min: 1, max: 600 });
const anyPreprocess: fc.Arbitrary<ImagePreprocess> = fc
  .record({
    height: size,
    width: size,
    more: fc.nat(200),
    form: fc.constantFrom('squash', 'crop', 'squashTo', 'square'),
    resample: fc.constantFrom(...PILLOW_FILTERS),
    rescale: fc.constantFrom(1 / 255, 1 / 127.5, 1),
    // JSON knows no -0.
    mean: fc.array(
      fc.double({ min: -1, max: 2, noNaN: true }).map((v) => v + 0),
      { minLength: 3, maxLength: 3 },
    ),
    deviation: fc.array(fc.double({ min: 0.01, max: 2, noNaN: true }), {
      minLength: 3,
      maxLength: 3,
    }),
  })
  .map(({ height, width, more, form, ...rest }): ImagePreprocess => {
    if (form === 'square') {
      return { ...rest, fit: 'crop', height, width: height, shortSide: height + more };
    }
    if (form === 'crop') {
      return { ...rest, fit: 'crop', height, width, shortSide: Math.max(height, width) + more };
    }
    const squashTo = [height + more + 1, width + more] as const;
    return { ...rest, fit: 'squash', height, width, ...(form === 'squash' ? {} : { squashTo }) };
  });

const PROCESSORS: (ImageProcessor | null)[] = [
  'ConvNextImageProcessor',
  'DeiTImageProcessor',
  'EfficientNetImageProcessor',
  'MobileNetV1ImageProcessor',
  'MobileNetV2ImageProcessor',
  'ViTImageProcessor',
  null,
];

test.each(PROCESSORS)('%s: what is written is read back the same', (processor) => {
  fc.assert(
    fc.property(anyPreprocess, (preprocess) => {
      const raw = JSON.parse(JSON.stringify(preprocessorFor(processor, preprocess)));
      expect(parsePreprocessor(raw, IMAGENET_PREPROCESS)).toEqual(preprocess);
    }),
  );
});

test("a model type's own processor is named where it can do the steps, CLIP's elsewhere", () => {
  const name = (processor: ImageProcessor | null, preprocess: ImagePreprocess) =>
    preprocessorFor(processor, preprocess).image_processor_type;
  const { shortSide: _, ...rest } = IMAGENET_PREPROCESS;
  const squashed: ImagePreprocess = { ...rest, fit: 'squash' };
  expect(name('ConvNextImageProcessor', IMAGENET_PREPROCESS)).toBe('ConvNextImageProcessor');
  expect(preprocessorFor('ConvNextImageProcessor', IMAGENET_PREPROCESS)).toMatchObject({
    size: { shortest_edge: 224 },
    crop_pct: 0.875,
  });
  expect(name('ConvNextImageProcessor', squashed)).toBe('CLIPImageProcessor');
  expect(name('ConvNextImageProcessor', resized(squashed, 384))).toBe('ConvNextImageProcessor');
  expect(name('ViTImageProcessor', squashed)).toBe('ViTImageProcessor');
  expect(name('ViTImageProcessor', IMAGENET_PREPROCESS)).toBe('CLIPImageProcessor');
  expect(name('MobileNetV1ImageProcessor', IMAGENET_PREPROCESS)).toBe('MobileNetV1ImageProcessor');
  expect(name(null, squashed)).toBe('CLIPImageProcessor');
});

describe("timm's pretrained_cfg", () => {
  const cfg = (raw: RawConfig) => parsePretrainedCfg(raw, IMAGENET_PREPROCESS);

  test('a margin that crop_pct leaves, squashed or not', () => {
    expect(cfg({ input_size: [3, 224, 224], crop_pct: 0.95 })).toMatchObject({
      fit: 'crop',
      height: 224,
      shortSide: 235,
      resample: 'bicubic',
    });
    expect(cfg({ input_size: [3, 224, 224], crop_pct: 1, crop_mode: 'squash' })).toMatchObject({
      fit: 'squash',
      height: 224,
    });
    expect(cfg({ input_size: [3, 224, 224], crop_pct: 0.875, crop_mode: 'squash' })).toMatchObject({
      fit: 'squash',
      squashTo: [256, 256],
    });
  });

  test.each<[string, RawConfig]>([
    ['input_size', { input_size: 224 }],
    ['input_size', { input_size: [3, -1, 224] }],
    ['crop_pct', { crop_pct: 'all' }],
    ['crop_mode', { crop_mode: 'border' }],
    ['interpolation', { interpolation: 'hamming' }],
    ['std', { std: [0, 0, 0] }],
  ])('%s that cannot be is refused by name', (field, raw) => {
    expect(() => cfg(raw)).toThrow(ConfigError);
    expect(() => cfg(raw)).toThrow(`'${field}'`);
  });
});

test('another size keeps the proportion of the margin', () => {
  expect(resized(IMAGENET_PREPROCESS, 112)).toMatchObject({
    height: 112,
    width: 112,
    shortSide: 128,
  });
  const squashed: ImagePreprocess = { ...IMAGENET_PREPROCESS, fit: 'squash', squashTo: [256, 280] };
  expect(resized(squashed, 112).squashTo).toEqual([128, 140]);
  expect(() => resized(IMAGENET_PREPROCESS, 0)).toThrow(ConfigError);
});

test('other channels get the average of the colours', () => {
  const grey = forChannels({ ...IMAGENET_PREPROCESS, mean: [0.25, 0.5, 0.75] }, 1);
  expect(grey.mean).toEqual([0.5]);
  expect(grey.deviation).toHaveLength(1);
  expect(forChannels(IMAGENET_PREPROCESS, 3)).toBe(IMAGENET_PREPROCESS);
});
