/** Checkpoints of every kind become models, or an error that lists all that is wrong. */
import { describe, expect, test } from 'vitest';
import { ConfigError, type GraftError, WeightsError } from '../errors.js';
import { type HostTensor, hostTensor, toNumbers } from '../graph/index.js';
import { memorySource } from '../io/index.js';
import { initialize, type Weights } from '../nn/index.js';
import {
  type CheckpointFiles,
  checkpointOf,
  loadDefinition,
  loadImageClassifier,
  type RawConfig,
  renameWeights,
} from './index.js';

const RESNET = {
  model_type: 'resnet',
  embedding_size: 4,
  hidden_sizes: [8, 12],
  depths: [1, 2],
  id2label: { 0: 'cat', 1: 'dog', 2: 'eel' },
};

const resnet = await loadDefinition('resnet');

function weightsOf(raw: RawConfig, seed = 1): Weights {
  return initialize(resnet.build(resnet.parse(raw)), seed);
}

function files(json: Record<string, RawConfig>, tensors: Weights): CheckpointFiles {
  return {
    name: 'test',
    json: async (file) => json[file] ?? null,
    tensors: async () => memorySource(tensors),
  };
}

async function faultOf(promise: Promise<unknown>): Promise<GraftError> {
  try {
    await promise;
  } catch (error) {
    return error as GraftError;
  }
  return expect.unreachable();
}

const plain = (weights: Weights) =>
  new Map([...weights].map(([path, t]) => [path, toNumbers(t)] as const));

describe('a checkpoint with config.json', () => {
  test('is loaded with its labels, and preprocessing by the model type without its own file', async () => {
    const weights = weightsOf(RESNET);
    const loaded = await loadImageClassifier(files({ 'config.json': RESNET }, weights));
    expect(loaded.config.labels).toEqual(['cat', 'dog', 'eel']);
    expect(loaded.scheme).toBe('huggingface');
    expect(loaded.untrained).toEqual([]);
    expect(loaded.weights).toEqual(weights);
    expect(loaded.preprocess).toMatchObject({ height: 224, shortSide: 256, rescale: 1 / 255 });
  });

  test('goes out and comes in again the same', async () => {
    const loaded = await loadImageClassifier(files({ 'config.json': RESNET }, weightsOf(RESNET)));
    const { config, preprocessor, tensors } = checkpointOf(loaded);
    expect(config).toMatchObject({
      model_type: 'resnet',
      architectures: ['ResNetForImageClassification'],
      label2id: { cat: 0, dog: 1, eel: 2 },
    });
    const json = JSON.parse(
      JSON.stringify({ 'config.json': config, 'preprocessor_config.json': preprocessor }),
    );
    const again = await loadImageClassifier(files(json, tensors));
    expect(again.config).toEqual(loaded.config);
    expect(again.preprocess).toEqual(loaded.preprocess);
    expect(again.weights).toEqual(loaded.weights);
  });

  test('float16 and float64 weights become float32, counters are ignored', async () => {
    const weights = weightsOf(RESNET);
    const stored: Weights = new Map(
      [...weights].map(([path, t], i): [string, HostTensor] => [
        path,
        hostTensor(i % 2 ? 'float16' : 'float64', t.shape, toNumbers(t)),
      ]),
    );
    stored.set('resnet.embedder.embedder.normalization.num_batches_tracked', {
      dtype: 'int64',
      shape: [1],
      data: new BigInt64Array(1),
    });
    const loaded = await loadImageClassifier(files({ 'config.json': RESNET }, stored));
    for (const [path, t] of loaded.weights) {
      expect(t.dtype, path).toBe('float32');
      const want = toNumbers(weights.get(path)!);
      for (const [i, v] of toNumbers(t).entries()) expect(v, path).toBeCloseTo(want[i]!, 2);
    }
  });

  test.each(['module.', '_orig_mod.'])('names may begin with %s', async (prefix) => {
    const weights = weightsOf(RESNET);
    const wrapped = new Map([...weights].map(([path, t]) => [prefix + path, t] as const));
    const loaded = await loadImageClassifier(files({ 'config.json': RESNET }, wrapped));
    expect(loaded.weights).toEqual(weights);
  });

  test("torchvision's names are recognised", async () => {
    const weights = weightsOf(RESNET);
    const theirs = renameWeights(resnet, 'torchvision', weights);
    expect([...theirs.keys()]).toContain('layer2.0.downsample.1.running_var');
    const loaded = await loadImageClassifier(files({ 'config.json': RESNET }, theirs));
    expect(loaded.scheme).toBe('torchvision');
    expect(plain(loaded.weights)).toEqual(plain(weights));
  });

  test('a checkpoint without head gets one drawn at random', async () => {
    const weights = weightsOf(RESNET);
    const base: Weights = new Map();
    for (const [path, t] of weights) {
      if (path.startsWith('resnet.')) base.set(path.slice('resnet.'.length), t);
    }
    const load = (seed: number) =>
      loadImageClassifier(files({ 'config.json': RESNET }, base), { seed });
    const loaded = await load(3);
    expect(loaded.untrained).toEqual(['classifier.1.weight', 'classifier.1.bias']);
    expect(loaded.scheme).toBe('huggingface-base');
    expect([...loaded.weights.keys()].sort()).toEqual([...weights.keys()].sort());
    expect((await load(3)).weights).toEqual(loaded.weights);
    expect((await load(4)).weights).not.toEqual(loaded.weights);
  });
});

describe('what does not fit', () => {
  test('every missing, unexpected and misshapen tensor is listed', async () => {
    const weights = weightsOf(RESNET);
    const [first, second, third] = [...weights.keys()];
    weights.delete(first!);
    weights.delete('classifier.1.bias');
    weights.set(second!, hostTensor('float32', [2, 2], [1, 2, 3, 4]));
    weights.set(third!, { dtype: 'int8', shape: [4], data: new Int8Array(4) });
    weights.set('lora.a', hostTensor('float32', [1], [0]));
    const error = await faultOf(loadImageClassifier(files({ 'config.json': RESNET }, weights)));
    expect(error).toBeInstanceOf(WeightsError);
    expect(error.code).toBe('weights-mismatch');
    expect(error.data).toEqual({
      scheme: 'huggingface',
      missing: [first, 'classifier.1.bias'],
      unexpected: ['lora.a'],
      misshapen: [
        `${second} is float32[2,2], expected float32[4]`,
        `${third} is int8[4], expected float32[4]`,
      ],
    });
    for (const name of [first!, second!, third!, 'lora.a']) expect(error.message).toContain(name);
  });

  test('a checkpoint of another architecture, and of another size', async () => {
    const other: Weights = new Map([['vit.cls_token', hostTensor('float32', [1], [0])]]);
    const a = await faultOf(loadImageClassifier(files({ 'config.json': RESNET }, other)));
    expect(a.data.unexpected).toEqual(['vit.cls_token']);
    const wide = weightsOf({ ...RESNET, hidden_sizes: [8, 16] });
    const b = await faultOf(loadImageClassifier(files({ 'config.json': RESNET }, wide)));
    expect((b.data.misshapen as string[]).length).toBeGreaterThan(5);
    expect(b.data.missing).toEqual([]);
  });

  test('labels that the head does not have: the config counts', async () => {
    const error = await faultOf(
      loadImageClassifier(
        files({ 'config.json': RESNET }, weightsOf({ ...RESNET, id2label: { 0: 'a', 1: 'b' } })),
      ),
    );
    expect(error.data.misshapen).toEqual([
      'classifier.1.weight is float32[2,12], expected float32[3,12]',
      'classifier.1.bias is float32[2], expected float32[3]',
    ]);
  });

  test.each<[string, Record<string, RawConfig>, RegExp]>([
    ['no config.json', {}, /no config.json.*resnet50/],
    ['a config.json without model_type', { 'config.json': {} }, /without model_type/],
    ['an unknown model type', { 'config.json': { model_type: 'resnett' } }, /'resnet'\?/],
    ['an unknown timm name', { 'config.json': { architecture: 'resnet5' } }, /mean 'resnet50?'/],
    [
      'a timm model that was changed',
      { 'config.json': { architecture: 'resnet18', model_args: { block_args: {} } } },
      /block_args/,
    ],
    ['a wrong field', { 'config.json': { ...RESNET, depths: 'many' } }, /'depths'.*"many"/],
    ['too few depths', { 'config.json': { ...RESNET, depths: [1] } }, /'depths' must be 2 of/],
    [
      'a prototype for a config',
      { 'config.json': { ...RESNET, model_type: 'constructor' } },
      /no architecture 'constructor'/,
    ],
    [
      'labels with a gap',
      { 'config.json': { ...RESNET, id2label: { 0: 'a', 2: 'b' } } },
      /without gaps/,
    ],
    [
      'a preprocessor that is wrong',
      { 'config.json': RESNET, 'preprocessor_config.json': { size: { shortest_edge: -1 } } },
      /'size'/,
    ],
  ])('%s is refused', async (_, json, message) => {
    const error = await faultOf(loadImageClassifier(files(json, weightsOf(RESNET))));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toMatch(message);
  });
});

describe('published configurations', () => {
  const r18 = (changes: { channels?: number; classes?: number }) => {
    const { variants } = resnet;
    const config = { ...variants.resnet18!.config, channels: changes.channels ?? 3 };
    const labels = Array.from({ length: changes.classes ?? 1000 }, (_, i) => `LABEL_${i}`);
    const model = resnet.build({ ...config, labels });
    const zeros: Weights = new Map();
    for (const [path, { tensor }] of model.parameters()) {
      zeros.set(path, hostTensor('float32', tensor.shape, new Float32Array(tensor.size)));
    }
    return renameWeights(resnet, 'torchvision', zeros);
  };

  test('bare weights by a name; the number of classes is that of the head', async () => {
    const loaded = await loadImageClassifier(files({}, r18({ classes: 7 })), {
      variant: 'resnet18',
    });
    expect(loaded.scheme).toBe('torchvision');
    expect(loaded.config.labels).toEqual(Array.from({ length: 7 }, (_, i) => `LABEL_${i}`));
    expect(loaded.preprocess.resample).toBe('bilinear');
  });

  test("timm's config.json: tag, classes, channels, names and preprocessing", async () => {
    const config = {
      architecture: 'resnet18',
      num_classes: 2,
      label_names: ['ant', 'bee'],
      model_args: { in_chans: 1 },
      pretrained_cfg: {
        tag: 'a1_in1k',
        input_size: [1, 160, 160],
        interpolation: 'bicubic',
        crop_pct: 0.95,
        mean: [0.5],
        std: [0.25],
      },
    };
    const loaded = await loadImageClassifier(
      files({ 'config.json': config }, r18({ channels: 1, classes: 2 })),
    );
    expect(loaded.config).toMatchObject({ labels: ['ant', 'bee'], channels: 1 });
    expect(loaded.preprocess).toEqual({
      fit: 'crop',
      height: 160,
      width: 160,
      shortSide: 168,
      resample: 'bicubic',
      rescale: 1 / 255,
      mean: [0.5],
      deviation: [0.25],
    });
  });

  test("timm's model without head", async () => {
    const tensors = r18({});
    tensors.delete('fc.weight');
    tensors.delete('fc.bias');
    const config = { architecture: 'resnet18.tv_in1k', num_classes: 0 };
    const loaded = await loadImageClassifier(files({ 'config.json': config }, tensors));
    expect(loaded.untrained).toEqual(['classifier.1.weight', 'classifier.1.bias']);
  });
});
