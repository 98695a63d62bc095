/** Writing preprocessing such that transformers and transformers.js read the same steps from it. */
import type { ImageProcessor, RawConfig } from './define-model.js';
import { type ImagePreprocess, PILLOW_FILTERS } from './preprocess.js';

/** ConvNext's form: the margin as a percentage, which must give the very same short side. */
function convNextSize({
  fit,
  height,
  width,
  shortSide,
  squashTo,
}: ImagePreprocess): RawConfig | null {
  if (height !== width || squashTo) return null;
  const size = { shortest_edge: height };
  if (fit === 'squash') return height >= 384 ? { size, crop_pct: 1 } : null;
  if (height >= 384 || !shortSide) return null;
  const percent = [height / shortSide, height / (shortSide + 0.5)].find(
    (p) => Math.floor(height / p) === shortSide,
  );
  return { size, crop_pct: percent };
}

/** The form of most others: a size, and a centre crop if anything is cut. */
function plainSize({ fit, height, width, shortSide, squashTo }: ImagePreprocess): RawConfig {
  const crop_size = { height, width };
  if (fit === 'crop') {
    return { size: { shortest_edge: shortSide }, do_center_crop: true, crop_size };
  }
  if (!squashTo) return { size: crop_size, do_center_crop: false };
  const size = { height: squashTo[0], width: squashTo[1] };
  return { size, do_center_crop: true, crop_size };
}

/**
 * Writes `preprocessor_config.json`: the model type's own image processor where that can say it,
 * else CLIP's, which transformers and transformers.js both know and which does just these steps.
 * @param processor what transformers pairs with the model type: `definition.processor`
 */
export function preprocessorFor(
  processor: ImageProcessor | null,
  preprocess: ImagePreprocess,
): RawConfig {
  const { fit, resample, rescale, mean, deviation, squashTo } = preprocess;
  const own: () => RawConfig | null = () => {
    switch (processor) {
      case 'ConvNextImageProcessor':
        return convNextSize(preprocess);
      case 'ViTImageProcessor':
        return fit === 'crop' || squashTo ? null : plainSize(preprocess);
      case 'DeiTImageProcessor':
        return fit === 'crop' ? null : plainSize(preprocess);
      case 'EfficientNetImageProcessor':
        if (fit === 'crop') return null;
        return { ...plainSize(preprocess), rescale_offset: false, include_top: false };
      case 'MobileNetV1ImageProcessor':
      case 'MobileNetV2ImageProcessor':
        return plainSize(preprocess);
      case null:
        return null;
    }
  };
  const geometry = own();
  return {
    image_processor_type: geometry ? processor : 'CLIPImageProcessor',
    do_resize: true,
    ...(geometry ?? plainSize(preprocess)),
    resample: PILLOW_FILTERS.indexOf(resample),
    do_rescale: true,
    rescale_factor: rescale,
    do_normalize: true,
    image_mean: mean,
    image_std: deviation,
    ...(mean.length === 3 ? { do_convert_rgb: true } : {}),
  };
}
