/** Published configurations have the sizes and tensor names that torchvision and timm give them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { input, type TensorType, toNumbers } from '../graph/index.js';
import { Context, initialize } from '../nn/index.js';
import {
  allVariants,
  findVariant,
  type ImageClassifier,
  loadDefinition,
  matchWeights,
} from './index.js';

const golden: {
  parameters: Record<string, number>;
  state: Record<string, Record<string, number[]>>;
} = JSON.parse(
  readFileSync(new URL('../../test/golden/models/published-cnn.json', import.meta.url), 'utf8'),
);

async function build(name: string): Promise<ImageClassifier> {
  const { definition, variant } = await findVariant(name);
  return definition.build(variant.config);
}

const TYPES = ['resnet', 'mobilenet_v1', 'mobilenet_v2', 'vgg', 'squeezenet'];

test('every published configuration has as many parameters', async () => {
  const variants = (await allVariants()).filter((v) => TYPES.includes(v.definition.modelType));
  expect(variants.map((v) => v.name).sort()).toEqual(Object.keys(golden.parameters).sort());
  for (const { name } of variants) {
    let count = 0;
    for (const [, p] of (await build(name)).parameters()) {
      if (p.kind === 'weight') count += p.tensor.size;
    }
    expect(count, name).toBe(golden.parameters[name]);
  }
  expect(golden.parameters.resnet50).toBe(25_557_032);
});

test.each(Object.keys(golden.state))('%s: all names and shapes have their place', async (key) => {
  const name = key.split('/')[1]!;
  const { definition } = await findVariant(name);
  const types = new Map<string, TensorType>(
    Object.entries(golden.state[key]!).map(([n, shape]) => [
      n,
      { dtype: n.endsWith('tracked') ? 'int64' : 'float32', shape },
    ]),
  );
  const parameters = (await build(name)).parameters();
  const expected = new Map([...parameters].map(([path, p]) => [path, p.tensor] as const));
  const { missing, unexpected, misshapen, scheme } = matchWeights(definition, types, expected);
  expect({ missing, unexpected, misshapen }).toEqual({
    missing: [],
    unexpected: [],
    misshapen: [],
  });
  // timm's plain ResNets have torchvision's names.
  const plain = name === 'resnet26' ? 'torchvision' : key.split('/')[0];
  expect(scheme).toBe(/resnet\d+d/.test(name) ? 'timm-d' : plain);
});

describe('starting values', () => {
  const deviation = (values: number[]) =>
    Math.sqrt(values.reduce((n, v) => n + v * v, 0) / values.length);

  /** Mean square of the starting values at each path, against what the reference draws from. */
  test.each<[string, Record<string, number>]>([
    [
      'resnet18',
      {
        // He et al.: 2 / (out channels x kernel); PyTorch's linear layers: uniform, 1 / (3 in).
        'resnet.embedder.embedder.convolution.weight': Math.sqrt(2 / (64 * 49)),
        'resnet.encoder.stages.2.layers.1.layer.0.convolution.weight': Math.sqrt(2 / (256 * 9)),
        'classifier.1.weight': 1 / Math.sqrt(3 * 512),
      },
    ],
    ['mobilenetv2_035', { 'classifier.weight': 0.02 }],
    [
      'squeezenet1_1',
      {
        // Uniform to sqrt(6 / in).
        'features.3.expand3x3.weight': Math.sqrt(2 / (16 * 9)),
        'classifier.1.weight': 0.01,
      },
    ],
  ])('%s', async (name, want) => {
    const model = await build(name);
    for (const round of ['made', 'replaced']) {
      const weights = initialize(model, 1, (path) => path in want);
      for (const [path, value] of Object.entries(want)) {
        const got = deviation(toNumbers(weights.get(path)!));
        expect(got / value, `${path} of a head ${round}`).toBeCloseTo(1, 1);
      }
      model.replaceHead(300);
    }
  });

  test('VGG draws its linear layers narrow, and all biases are zero', async () => {
    const definition = await loadDefinition('vgg');
    const raw = { layers: [8, 'M', 16, 'M'], hidden_size: 64, num_labels: 50 };
    const model = definition.build(definition.parse(raw));
    model.replaceHead(40);
    const weights = initialize(model, 1);
    for (const path of ['classifier.0.weight', 'classifier.6.weight']) {
      expect(deviation(toNumbers(weights.get(path)!)) / 0.01, path).toBeCloseTo(1, 1);
    }
    const conv = deviation(toNumbers(weights.get('features.3.weight')!));
    expect(conv / Math.sqrt(2 / (16 * 9))).toBeCloseTo(1, 1);
    for (const [path, value] of weights) {
      if (path.endsWith('bias')) expect(new Set(toNumbers(value)), path).toEqual(new Set([0]));
    }
  });
});

describe('TensorFlow’s heritage in MobileNet', () => {
  test.each<[string, number, number]>([
    ['mobilenet_v1', 0.999, 0.001],
    ['mobilenet_v2', 0.8, 0.2],
    ['mobilenet_v2', 0.2, 0.2],
  ])('%s with dropout %s drops %s', async (modelType, written, rate) => {
    const definition = await loadDefinition(modelType);
    const raw = { classifier_dropout_prob: written, num_labels: 2 };
    const config = definition.parse(raw);
    const { dropout } = definition.build(config) as unknown as { dropout: { rate: number } };
    expect(dropout.rate).toBeCloseTo(rate, 10);
    // The file keeps what it said.
    expect(definition.write(config)).toMatchObject({ classifier_dropout_prob: written });
  });
});

test('pictures of any size pass, and the last map shrinks as it should', async () => {
  const context = new Context({ training: false });
  for (const [name, size, shape] of [
    ['resnet50', 224, [1, 2048, 7, 7]],
    ['resnet18d', 100, [1, 512, 4, 4]],
    ['vgg11', 64, [1, 512, 2, 2]],
    ['squeezenet1_1', 224, [1, 512, 13, 13]],
    ['mobilenetv1_100', 224, [1, 1024, 7, 7]],
    ['mobilenetv2_140', 96, [1, 1792, 3, 3]],
  ] as const) {
    const model = await build(name);
    const x = input('x', 'float32', [1, 3, size, size]);
    const features = model.features(x, context);
    expect(features.shape, name).toEqual(shape);
    const logits = model.classify(model.pool(features, context), context);
    expect(logits.shape, name).toEqual([1, 1000]);
  }
});
