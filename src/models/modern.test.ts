/** EfficientNet, ConvNeXt, ViT and DeiT against transformers, timm and torchvision. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  buildGolden,
  checkGolden,
  goldenNames,
  goldenNoise,
  readGolden,
} from '../../test/support/model-golden.js';
import { vjp } from '../autodiff/index.js';
import {
  constantOf,
  filled,
  type HostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { readSafetensors } from '../io/index.node.js';
import { Context, initialize } from '../nn/index.js';
import { randomKey } from '../ops/index.js';
import {
  groupIndices,
  loadDefinition,
  type ModelDefinition,
  type RawConfig,
  writeConfig,
} from './index.js';
import { renameWeights, schemesOf } from './match-weights.js';
import { resizePositions } from './position-embeddings.js';
import { Renaming } from './rename.js';
import { shapeOfTheirs } from './reshape-weights.js';

const TYPES = ['efficientnet', 'convnext', 'vit', 'deit'];
const plain = (t: HostTensor) => ({ shape: t.shape, data: toNumbers(t) });

test.each(TYPES.flatMap((type) => goldenNames(type)))(
  '%s: logits, all gradients and running statistics are those of the reference',
  (name) => checkGolden(name),
);

test.each(TYPES.flatMap((type) => goldenNames(type)).filter((n) => /timm|torchvision/.test(n)))(
  '%s: weights go back under the names of the library',
  async (name) => {
    const golden = await readGolden(name);
    const { definition, weights, match } = await buildGolden(golden);
    const back = renameWeights(definition, match.scheme, weights);
    expect([...back.keys()].sort()).toEqual([...golden.weights.keys()].sort());
    for (const [path, value] of golden.weights) expect(back.get(path), path).toEqual(value);
  },
);

test('every architecture has golden files, of other libraries too', () => {
  for (const type of TYPES) expect(goldenNames(type).length, type).toBeGreaterThan(1);
});

describe('training mode with all rates 0', () => {
  // Without batch norms both modes are the same function; the references show it in evaluation.
  test.each(['convnext', 'vit', 'deit', 'deit-teacher'])('%s computes the same', async (name) => {
    const golden = await readGolden(name);
    const { model, weights } = await buildGolden(golden);
    const x = input('pixels', 'float32', golden.pixels.shape);
    const y = model.forward(x, new Context({ training: true }));
    const parameters = [...model.parameters()].filter(([, p]) => p.kind === 'weight');
    const tensors = parameters.map(([, p]) => p.tensor);
    const grads = vjp([y], [constantOf(golden.dy)], tensors);
    const feeds = new Map<Tensor, HostTensor>([[x, golden.pixels]]);
    for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
    const [logits, ...values] = await (await testEngine()).evaluate([y, ...grads], feeds);
    const tolerance = { rtol: 1e-3, atol: 1e-5 };
    expectClose('logits', logits!, plain(golden.modes.eval!.logits), tolerance);
    for (const [i, [path]] of parameters.entries()) {
      const want = golden.modes.eval!.grads.get(path)!;
      expectClose(path, values[i]!, plain(want), tolerance);
    }
  });
});

describe('randomness in training', () => {
  const rates: Readonly<Record<string, RawConfig>> = {
    efficientnet: { drop_connect_rate: 0.6, dropout_rate: 0.5 },
    convnext: { drop_path_rate: 0.6 },
    vit: { hidden_dropout_prob: 0.3 },
    deit: { attention_probs_dropout_prob: 0.3 },
  };
  test.each(Object.keys(rates))('%s: follows the key, and is off in evaluation', async (name) => {
    const golden = await readGolden(name);
    const config = { ...golden.config, ...rates[name] };
    const { model, weights } = await buildGolden({ ...golden, config });
    const x = input('pixels', 'float32', golden.pixels.shape);
    const forward = (seed: number) =>
      model.forward(x, new Context({ training: true, key: randomKey(seed, 1) }));
    const still = model.forward(x, new Context({ training: false }));
    const feeds = new Map<Tensor, HostTensor>([[x, golden.pixels]]);
    for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
    const engine = await testEngine();
    const outputs = [still, forward(1), forward(1), forward(2)];
    const [evaluated, a, b, c] = await engine.evaluate(outputs, feeds);
    const want = plain(golden.modes.eval!.logits);
    expectClose('logits', evaluated!, want, { rtol: 1e-3, atol: 1e-5 });
    expect(toNumbers(a!)).toEqual(toNumbers(b!));
    expect(toNumbers(a!)).not.toEqual(toNumbers(c!));
  });

  test('a whole branch is dropped for a sample, or scaled', async () => {
    const definition = await loadDefinition('convnext');
    const raw = { hidden_sizes: [4], depths: [2], patch_size: 2, drop_path_rate: 0.5 };
    const model = definition.build(definition.parse({ ...raw, layer_scale_init_value: 1 }));
    const x = input('x', 'float32', [64, 3, 4, 4]);
    // The last of two blocks has the whole rate, the first has 0.
    const block = model.parameters().get('convnext.encoder.stages.0.layers.1.pwconv2.bias')!;
    const others = [...model.parameters()].filter(([path]) => path.includes('layers.1.'));
    const y = model.features(x, new Context({ training: true, key: randomKey(3, 4) }));
    const still = model.features(x, new Context({ training: false }));
    const feeds = new Map<Tensor, HostTensor>([[x, filled('float32', x.shape, 0.5)]]);
    const weights = initialize(model, 1);
    for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
    for (const [, p] of others) feeds.set(p.tensor, filled('float32', p.tensor.shape, 0));
    // What the branch adds is its last bias alone, times the scale.
    feeds.set(block.tensor, filled('float32', block.tensor.shape, 1));
    const scale = model
      .parameters()
      .get('convnext.encoder.stages.0.layers.1.layer_scale_parameter')!;
    feeds.set(scale.tensor, filled('float32', scale.tensor.shape, 1));
    const [dropped, whole] = await (await testEngine()).evaluate([y, still], feeds);
    const size = dropped!.data.length / 64;
    const branches = Array.from({ length: 64 }, (_, sample) => {
      const of = (t: HostTensor) => toNumbers(t).slice(sample * size, (sample + 1) * size);
      const base = of(whole!).map((v) => v - 1);
      const added = of(dropped!).map((v, i) => Math.round((v - base[i]!) * 1e4) / 1e4);
      expect(new Set(added).size).toBe(1);
      return added[0];
    });
    expect(new Set(branches)).toEqual(new Set([0, 2]));
  });
});

describe('positions of another picture size', () => {
  for (const [name, extra] of [
    ['vit', 1],
    ['deit-teacher', 2],
  ] as const) {
    test(`${name}: resampled once, the model gives what transformers gives`, async () => {
      const path = new URL(`../../test/golden/positions-${name}.safetensors`, import.meta.url);
      const { tensors } = await readSafetensors(fileURLToPath(path));
      const after = resizePositions(tensors.get('before')!, [6, 5], extra);
      expectClose('positions', after, plain(tensors.get('after')!), { rtol: 1e-5, atol: 1e-6 });

      const golden = await readGolden(name);
      const { weights, definition } = await buildGolden(golden);
      const trained = definition.parse(golden.config);
      const resized = definition.resize!(trained, weights, { height: 24, width: 20 });
      const model = definition.build(resized.config);
      const x = input('pixels', 'float32', [2, 3, 24, 20]);
      const feeds = new Map<Tensor, HostTensor>([[x, goldenNoise(x.shape, 7)]]);
      for (const [p, { tensor }] of model.parameters()) feeds.set(tensor, resized.weights.get(p)!);
      const y = model.forward(x, new Context({ training: false }));
      const [logits] = await (await testEngine()).evaluate([y], feeds);
      expectClose('logits', logits!, plain(tensors.get('logits')!), { rtol: 1e-3, atol: 1e-5 });
    });
  }

  test('the same size leaves them as they are', async () => {
    const before = goldenNoise([1, 17, 4], 1);
    const after = resizePositions(before, [4, 4], 1);
    expectClose('positions', after, plain(before), { rtol: 1e-6, atol: 1e-7 });
    const golden = await readGolden('vit');
    const { definition, weights } = await buildGolden(golden);
    const config = definition.parse(golden.config);
    const same = definition.resize!(config, weights, { height: 17, width: 19 });
    expect(same.weights).toEqual(weights);
    expect(() => definition.resize!(config, weights, { height: 17, width: 3 })).toThrow(
      /smaller than one patch/,
    );
  });

  test('patches that form no square are refused', () => {
    expect(() => resizePositions(goldenNoise([1, 12, 4], 1), [4, 4], 1)).toThrow(
      /square of patches/,
    );
    expect(() => resizePositions(goldenNoise([12, 4], 1), [4, 4], 1)).toThrow(/square of patches/);
  });

  test('a picture of another size than the model has positions for is refused', async () => {
    const { model } = await buildGolden(await readGolden('vit'));
    const x = input('pixels', 'float32', [2, 3, 24, 20]);
    const context = new Context({ training: false });
    expect(() => model.forward(x, context)).toThrow(/positions for pictures of 16 x 16/);
  });
});

describe('published configurations', () => {
  const digests: Record<string, Record<string, { tensors: number; sha256: string }>> = JSON.parse(
    readFileSync(
      new URL('../../test/golden/models/published-modern.json', import.meta.url),
      'utf8',
    ),
  );

  /** What a checkpoint of the library must hold, a line a tensor. */
  function lines(definition: ModelDefinition, scheme: string, variant: string): string[] {
    const model = definition.build(definition.variants[variant]!.config);
    const parameters = model.parameters();
    const renaming = new Renaming(schemesOf(definition)[scheme]!.rules);
    const found = new Set<string>();
    for (const path of parameters.keys()) {
      const renamed = renaming.toTheirs(path);
      if (!renamed) return [];
      const shapes = renamed.ours.map((p) => parameters.get(p)!.tensor.shape);
      found.add(`${renamed.theirs} [${shapeOfTheirs(renamed.rule, shapes)}]`.replaceAll(' ', ''));
    }
    return [...found].sort();
  }

  for (const [library, models] of Object.entries(digests)) {
    test(`have the names and shapes of ${library}`, async () => {
      const definitions = await Promise.all(TYPES.map(loadDefinition));
      for (const [variant, want] of Object.entries(models)) {
        const definition = definitions.find((d) => variant in d.variants)!;
        expect(definition, variant).toBeDefined();
        const schemes = Object.keys(definition.schemes).filter((s) => s.startsWith(library));
        const hashes = schemes.map((scheme) => {
          const text = lines(definition, scheme, variant);
          const sha256 = createHash('sha256').update(text.join('\n')).digest('hex');
          return { tensors: text.length, sha256 };
        });
        expect(hashes, variant).toContainEqual(want);
      }
    }, 60_000);
  }

  test('come back from config.json as they were', async () => {
    for (const type of TYPES) {
      const definition = await loadDefinition(type);
      for (const [name, { config }] of Object.entries(definition.variants)) {
        const raw = JSON.parse(JSON.stringify(writeConfig(definition, config)));
        expect(definition.parse(raw), name).toEqual(config);
      }
    }
  });

  test('a network that transformers lacks names no class of it', async () => {
    const definition = await loadDefinition('efficientnet');
    const classes = (variant: string) =>
      writeConfig(definition, definition.variants[variant]!.config).architectures;
    expect(classes('efficientnet_b0')).toBeNull();
    expect(classes('tf_efficientnet_b0')).toEqual(['EfficientNetForImageClassification']);
  });
});

describe('hostile configurations', () => {
  const refused: [string, RawConfig, RegExp][] = [
    ['vit', { num_attention_heads: 7 }, /'num_attention_heads' must be a divisor/],
    ['vit', { num_hidden_layers: 1e9 }, /'num_hidden_layers'/],
    ['vit', { image_size: [224] }, /'image_size'/],
    ['vit', { patch_size: 300 }, /'patch_size' must be at most image_size/],
    ['vit', { hidden_act: 'constructor' }, /'hidden_act'/],
    ['deit', { architectures: 'x' }, /'architectures'/],
    ['convnext', { depths: [1, 2] }, /'depths'/],
    ['convnext', { depths: [1, 1, 1, 1e6] }, /'depths'/],
    ['efficientnet', { hidden_dim: 100 }, /'hidden_dim' must be 2560/],
    ['efficientnet', { kernel_sizes: [3, 3, 5, 3, 4, 5, 3] }, /'kernel_sizes'/],
    ['efficientnet', { depth_coefficient: 1e9 }, /'depth_coefficient'/],
    ['efficientnet', { strides: [1, 2, 2, 2, 1, 3, 1] }, /'strides'/],
  ];
  test.each(refused)('%s %j', async (type, raw, message) => {
    const definition = await loadDefinition(type);
    expect(() => definition.parse(raw)).toThrow(message);
  });
});

describe('parts', () => {
  test.each(['efficientnet', 'convnext', 'vit', 'deit', 'deit-teacher'])('%s', async (name) => {
    const { model, definition } = await buildGolden(await readGolden(name));
    const groups = groupIndices(model);
    const isHead = (path: string) => definition.roles.head!.test(path);
    const heads = [...groups].filter(([path]) => isHead(path)).map(([, group]) => group);
    const others = [...groups].filter(([path]) => !isHead(path)).map(([, group]) => group);
    expect(Math.min(...heads)).toBeGreaterThan(Math.max(...others));
    const before = new Map([...model.parameters()].map(([path, p]) => [path, p.tensor]));
    model.replaceHead(7);
    for (const [path, p] of model.parameters()) {
      expect(p.tensor === before.get(path), path).toBe(!isHead(path));
      if (isHead(path)) expect(p.tensor.shape[0]).toBe(7);
    }
  });
});
