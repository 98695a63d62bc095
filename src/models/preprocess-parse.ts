/**
 * Reading preprocessing as other libraries write it down: transformers' `preprocessor_config.json`
 * in its old and new forms, and timm's `pretrained_cfg`.
 */
import { ConfigError } from '../errors.js';
import type { RawConfig } from './define-model.js';
import { type ImagePreprocess, PILLOW_FILTERS, type Resample } from './preprocess.js';

/** Larger pictures than any model reads; a file that asks for more would exhaust memory. */
const MAX_SIDE = 8192;

type Size = { readonly short: number } | { readonly height: number; readonly width: number };

function fail(field: string, value: unknown, expected: string): never {
  const text = JSON.stringify(value)?.slice(0, 80);
  throw new ConfigError(`Preprocessing: '${field}' must be ${expected}, got ${text}.`, {
    field,
    value,
  });
}

function side(field: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SIDE) {
    return value as number;
  }
  return fail(field, value, `a whole number of pixels from 1 to ${MAX_SIDE}`);
}

/** A size in any of its forms; `square` says what a bare number means. */
function sizeOf(field: string, value: unknown, square: boolean): Size {
  if (typeof value === 'number') {
    const n = side(field, value);
    return square ? { height: n, width: n } : { short: n };
  }
  if (Array.isArray(value) && value.length === 2) {
    return { height: side(field, value[0]), width: side(field, value[1]) };
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const { shortest_edge: short, height, width } = value as Record<string, unknown>;
    if (short !== undefined && short !== null) return { short: side(field, short) };
    if (height && width) return { height: side(field, height), width: side(field, width) };
  }
  return fail(field, value, 'a number, {"shortest_edge": n} or {"height": n, "width": n}');
}

function numbers(field: string, value: unknown, channels: number): readonly number[] {
  if (Number.isFinite(value)) return new Array<number>(channels).fill(value as number);
  if (Array.isArray(value) && value.every(Number.isFinite)) {
    if (value.length === channels) return value as number[];
    if (value.length === 1) return new Array<number>(channels).fill(value[0] as number);
  }
  return fail(field, value, `a number or ${channels} numbers`);
}

function deviations(field: string, value: unknown, channels: number): readonly number[] {
  const list = numbers(field, value, channels);
  return list.every((v) => v > 0) ? list : fail(field, value, 'above 0');
}

function filterOf(field: string, value: unknown): Resample {
  const found =
    typeof value === 'number'
      ? PILLOW_FILTERS[value]
      : PILLOW_FILTERS.find((name) => name === value);
  return found ?? fail(field, value, '0 (nearest), 1 (lanczos), 2 (bilinear) or 3 (bicubic)');
}

/** The centre of a picture whose short side is `short`. */
function centre(short: number, height: number, width: number) {
  if (short < Math.max(height, width)) {
    fail('crop_size', { height, width }, `no larger than the short side before it, ${short}`);
  }
  return { fit: 'crop', shortSide: short, height, width } as const;
}

/** All of a picture, squashed to [height, width], and of that the centre. */
function squash(from: { height: number; width: number }, height: number, width: number) {
  if (from.height === height && from.width === width)
    return { fit: 'squash', height, width } as const;
  if (from.height < height || from.width < width) {
    fail('crop_size', { height, width }, `no larger than ${from.height} x ${from.width}`);
  }
  return { fit: 'squash', squashTo: [from.height, from.width], height, width } as const;
}

/** Geometry of ConvNext's processor: a margin below 384 pixels, none from there on. */
function convNextGeometry(size: Size, percent: number) {
  const short = 'short' in size ? size.short : Math.min(size.height, size.width);
  if (short >= 384) return squash({ height: short, width: short }, short, short);
  return centre(Math.floor(short / percent), short, short);
}

/**
 * Reads `preprocessor_config.json`.
 * @param fallback for fields that are not there
 * @throws ConfigError naming the field when it holds something else than it may, or asks for a step
 * that is not supported
 */
export function parsePreprocessor(raw: RawConfig, fallback: ImagePreprocess): ImagePreprocess {
  const get = (field: string): unknown =>
    Object.hasOwn(raw, field) ? (raw[field] ?? undefined) : undefined;
  const flag = (field: string, absent: boolean): boolean => {
    const value = get(field) ?? absent;
    return typeof value === 'boolean' ? value : fail(field, value, 'true or false');
  };
  for (const step of ['do_flip_channel_order', 'do_pad', 'do_thumbnail', 'do_crop_margin']) {
    if (flag(step, false)) fail(step, true, 'false; no base with this step is supported');
  }
  const type = String(get('image_processor_type') ?? get('feature_extractor_type') ?? '');
  const convNext = type.startsWith('ConvNext');
  const crops = flag('do_center_crop', false);
  // What transformers' classes make of a bare number: the short side where a crop follows it.
  const square = !convNext && !/^(MobileNet|CLIP|Bit)/.test(type) && !(type === '' && crops);

  const channels = fallback.mean.length;
  const givenSize = get('size');
  const size: Size =
    givenSize === undefined || !flag('do_resize', true)
      ? { height: fallback.height, width: fallback.width }
      : sizeOf('size', givenSize, square);
  const geometry = () => {
    if (givenSize === undefined && !crops) {
      const { fit, shortSide, squashTo, height, width } = fallback;
      return {
        fit,
        height,
        width,
        ...(shortSide ? { shortSide } : {}),
        ...(squashTo ? { squashTo } : {}),
      };
    }
    if (convNext) {
      const percent = get('crop_pct') ?? 224 / 256;
      if (!(Number(percent) > 0 && Number(percent) <= 1))
        fail('crop_pct', percent, 'within 0 to 1');
      return convNextGeometry(size, Number(percent));
    }
    if (!crops) {
      if ('short' in size) return centre(size.short, size.short, size.short);
      return squash(size, size.height, size.width);
    }
    const given = get('crop_size');
    const crop = given === undefined ? fallback : sizeOf('crop_size', given, true);
    const { height, width } = 'short' in crop ? { height: crop.short, width: crop.short } : crop;
    if (!flag('do_resize', true)) return squash({ height, width }, height, width);
    return 'short' in size ? centre(size.short, height, width) : squash(size, height, width);
  };

  const rescale = flag('do_rescale', true) ? (get('rescale_factor') ?? 1 / 255) : 1;
  if (!(Number.isFinite(rescale) && (rescale as number) > 0))
    fail('rescale_factor', rescale, 'above 0');
  const normalizes = flag('do_normalize', true);
  const one = new Array<number>(channels).fill(1);
  let mean = normalizes
    ? numbers('image_mean', get('image_mean') ?? fallback.mean, channels)
    : one.map(() => 0);
  let deviation = normalizes
    ? deviations('image_std', get('image_std') ?? fallback.deviation, channels)
    : one;
  if (type.startsWith('EfficientNet')) {
    // Two steps of its own: 1 is taken off after rescaling, and the deviation divides twice.
    if (flag('rescale_offset', false)) mean = mean.map((m) => m + 1);
    if (flag('include_top', true)) deviation = deviation.map((d) => d * d);
  }
  return {
    ...geometry(),
    resample:
      get('resample') === undefined ? fallback.resample : filterOf('resample', get('resample')),
    rescale: rescale as number,
    mean,
    deviation,
  };
}

/**
 * Reads timm's `pretrained_cfg` as its evaluation does: the training size, and the margin that
 * `crop_pct` leaves.
 * @param fallback for fields that are not there
 * @throws ConfigError naming the field that does not hold what it may
 */
export function parsePretrainedCfg(raw: RawConfig, fallback: ImagePreprocess): ImagePreprocess {
  const get = (field: string): unknown =>
    Object.hasOwn(raw, field) ? (raw[field] ?? undefined) : undefined;
  const channels = fallback.mean.length;
  const input = get('input_size') ?? [channels, fallback.height, fallback.width];
  if (!Array.isArray(input) || input.length !== 3) {
    return fail('input_size', input, '[channels, height, width]');
  }
  const height = side('input_size', input[1]);
  const width = side('input_size', input[2]);
  const percent = get('crop_pct') ?? 0.875;
  if (!(Number(percent) > 0 && Number(percent) <= 1)) fail('crop_pct', percent, 'within 0 to 1');
  const before = (n: number) => Math.floor(n / Number(percent));
  const mode = get('crop_mode') ?? 'center';
  if (mode !== 'center' && mode !== 'squash') fail('crop_mode', mode, "'center' or 'squash'");
  const geometry =
    mode === 'squash' || height !== width
      ? squash({ height: before(height), width: before(width) }, height, width)
      : centre(before(height), height, width);
  return {
    ...geometry,
    resample: filterOf('interpolation', get('interpolation') ?? 'bicubic'),
    rescale: 1 / 255,
    mean: numbers('mean', get('mean') ?? fallback.mean, channels),
    deviation: deviations('std', get('std') ?? fallback.deviation, channels),
  };
}
