/** Tiny classifiers of real architectures with random weights, as if they had been trained. */

import type { KnownClassifier } from '../../src/export/index.js';
import { type HostTensor, hostTensor } from '../../src/graph/index.js';
import { type ImagePreprocess, loadDefinition, type RawConfig } from '../../src/models/index.js';
import { initialize } from '../../src/nn/index.js';
import { makeKey, normalAt, uniformAt } from '../../src/util/index.js';

const LABELS = ['ant', 'bee', 'garden "spider"'];

/** Configurations, small but with every kind of layer. */
export const TINY: Readonly<Record<string, RawConfig>> = {
  resnet: {
    embedding_size: 8,
    hidden_sizes: [8, 16],
    depths: [1, 2],
    layer_type: 'bottleneck',
    downsample_in_first_stage: true,
  },
  mobilenet_v2: { depth_multiplier: 0.25, image_size: 32, min_depth: 4, depth_divisible_by: 4 },
  mobilenet_v1: { depth_multiplier: 0.125, image_size: 32, min_depth: 4 },
  vit: {
    hidden_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 24,
    image_size: 32,
    patch_size: 8,
  },
  deit: {
    hidden_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 24,
    image_size: 32,
    patch_size: 8,
    architectures: ['DeiTForImageClassificationWithTeacher'],
  },
  convnext: { hidden_sizes: [4, 8, 12, 16], depths: [1, 1, 2, 1], image_size: 32 },
  efficientnet: {
    width_coefficient: 0.25,
    depth_coefficient: 0.2,
    depth_divisor: 4,
    hidden_dim: 320,
    image_size: 32,
  },
  squeezenet: { stem_size: 4, squeeze_sizes: [2, 2, 2, 2, 2, 2, 2, 2] },
  vgg: { layers: [4, 'M', 8, 'M'], hidden_size: 8, batch_norm: true },
};

/** Small values around their start: nothing is a default, and logits stay near one another. */
function moved(value: HostTensor, path: string): HostTensor {
  const key = makeKey([...path].reduce((n, c) => (n * 31 + c.charCodeAt(0)) % 2 ** 31, 7));
  const fan = value.shape.slice(1).reduce((a, b) => a * b, 1);
  const data = Array.from(value.data as Float32Array, (v, i) => {
    if (/running_var$/.test(path)) return 0.7 + 0.6 * uniformAt(key, i);
    return value.shape.length > 1 ? normalAt(key, i) / Math.sqrt(fan) : v + 0.1 * normalAt(key, i);
  });
  return hostTensor('float32', value.shape, data);
}

/** One of {@link TINY}, with three labels. */
export async function tinyClassifier(
  modelType: string,
  preprocess: Partial<ImagePreprocess> = {},
): Promise<KnownClassifier> {
  const definition = await loadDefinition(modelType);
  const id2label = Object.fromEntries(LABELS.map((label, i) => [i, label]));
  const config = definition.parse({ ...TINY[modelType], model_type: modelType, id2label });
  const model = definition.build(config);
  const weights = new Map([...initialize(model, 1)].map(([p, v]) => [p, moved(v, p)] as const));
  const small: ImagePreprocess = {
    ...definition.preprocess(config),
    height: 32,
    width: 32,
    fit: 'squash',
    ...preprocess,
  };
  const { shortSide: _, squashTo: __, ...squashed } = small;
  return { definition, config, model, weights, preprocess: { ...squashed, ...preprocess } };
}
