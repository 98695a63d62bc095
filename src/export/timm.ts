/** Classifiers in the layout of timm, for architectures that transformers lacks and timm has. */
import type { ImageConfig, ImagePreprocess, ModelDefinition, RawConfig } from '../models/index.js';

/** Fields of a configuration that change no tensor of a published model but the head's. */
const FREE_FIELDS = new Set(['labels', 'channels', 'dropout']);

function fixedPart(config: ImageConfig): string {
  const entries = Object.entries(config).filter(([key]) => !FREE_FIELDS.has(key));
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** What timm calls an architecture, and the naming scheme of its tensors. */
export interface TimmName {
  readonly architecture: string;
  readonly scheme: string;
}

/** timm's name of a configuration; null when timm has none. */
export function timmName(definition: ModelDefinition, config: ImageConfig): TimmName | null {
  const scheme = Object.keys(definition.schemes).find((name) => name.startsWith('timm'));
  if (scheme === undefined) return null;
  const wanted = fixedPart(config);
  for (const [architecture, variant] of Object.entries(definition.variants)) {
    if (fixedPart(variant.config) === wanted) return { architecture, scheme };
  }
  return null;
}

/** The margin that a centre crop leaves, such that timm rounds it to the very same size. */
function cropPercent(size: number, before: number): number {
  const candidates = [size / before, size / (before + 0.5)];
  return candidates.find((p) => Math.floor(size / p) === before) ?? size / before;
}

/** timm's `pretrained_cfg` of a preprocessing. timm always divides pixels by 255. */
function pretrainedCfg(preprocess: ImagePreprocess): RawConfig {
  const { height, width, fit, shortSide, squashTo, resample, rescale, mean, deviation } =
    preprocess;
  const scale = 255 * rescale;
  const before = fit === 'crop' ? (shortSide ?? height) : (squashTo?.[0] ?? height);
  return {
    input_size: [mean.length, height, width],
    interpolation: resample,
    crop_pct: cropPercent(height, before),
    crop_mode: fit === 'crop' ? 'center' : 'squash',
    mean: mean.map((m) => m / scale),
    std: deviation.map((d) => d / scale),
  };
}

/**
 * timm's `config.json`. transformers reads it too, by way of timm.
 * @param head path of the head in timm's names, without `.weight`
 */
export function timmConfig(
  architecture: string,
  { labels, channels }: ImageConfig,
  preprocess: ImagePreprocess,
  head: string,
): RawConfig {
  return {
    architecture,
    num_classes: labels.length,
    label_names: labels,
    ...(channels === 3 ? {} : { model_args: { in_chans: channels } }),
    pretrained_cfg: {
      ...pretrainedCfg(preprocess),
      num_classes: labels.length,
      classifier: head,
    },
  };
}
