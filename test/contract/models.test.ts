/**
 * What every architecture in the registry promises, tried on the tiny configurations of the golden
 * files. A new architecture needs a golden file and no line here.
 */
import { describe, expect, test } from 'vitest';
import { vjp } from '../../src/autodiff/index.js';
import { ConfigError } from '../../src/errors.js';
import {
  constantOf,
  filled,
  type HostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { decodeSafetensors, encodeSafetensors, memorySource } from '../../src/io/index.js';
import {
  checkpointOf,
  groupIndices,
  type ImageClassifier,
  loadDefinition,
  loadImageClassifier,
  modelTypes,
  numberedLabels,
  parsePreprocessor,
  type RawConfig,
  writeConfig,
} from '../../src/models/index.js';
import { Context, checkWeights, initialize, type Weights } from '../../src/nn/index.js';
import { testEngine } from '../support/engine.js';
import { buildGolden, goldenNames, readGolden } from '../support/model-golden.js';

/** A tiny configuration of the architecture and pixels for it. */
async function tiny(modelType: string) {
  const definition = await loadDefinition(modelType);
  const golden = await readGolden(goldenNames(modelType)[0]!);
  const config = definition.parse(golden.config);
  return { definition, config, golden, model: definition.build(config) };
}

/** Logits and the gradient of each trainable parameter, in evaluation. */
async function run(model: ImageClassifier, weights: Weights, pixels: HostTensor) {
  const x = input('pixels', 'float32', pixels.shape);
  const logits = model.forward(x, new Context({ training: false }));
  const trained = [...model.parameters()].filter(([, p]) => p.trainable);
  // Weights that differ by class, or what a softmax keeps constant would have no gradient.
  const dy = filled('float32', logits.shape, 0);
  for (let i = 0; i < dy.data.length; i++) dy.data[i] = 1 + 0.1 * i;
  const grads = vjp(
    [logits],
    [constantOf(dy)],
    trained.map(([, p]) => p.tensor),
  );
  const feeds = new Map<Tensor, HostTensor>([[x, pixels]]);
  for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
  const [values, ...rest] = await (await testEngine()).evaluate([logits, ...grads], feeds);
  return { logits: values!, grads: new Map(trained.map(([path], i) => [path, rest[i]!] as const)) };
}

const types = (model: ImageClassifier) =>
  new Map([...model.parameters()].map(([path, p]) => [path, p.tensor] as const));

test('every architecture has a golden file', () => {
  for (const type of modelTypes()) expect(goldenNames(type), type).not.toHaveLength(0);
});

describe.each(modelTypes())('%s', (modelType) => {
  test('is named as its file, and has a source', async () => {
    const { definition } = await tiny(modelType);
    expect(definition.modelType).toBe(modelType);
    expect(definition.source.paper).toMatch(/^https:\/\//);
    expect(definition.source.code).toMatch(/^https:\/\//);
  });

  test('gives finite logits from its starting values', async () => {
    const { config, golden, model } = await tiny(modelType);
    const { logits, grads } = await run(model, initialize(model, 1), golden.pixels);
    expect(logits.shape).toEqual([golden.pixels.shape[0], config.labels.length]);
    for (const value of [logits, ...grads.values()]) {
      expect(toNumbers(value).every(Number.isFinite)).toBe(true);
    }
  });

  test('every trainable parameter gets a gradient', async () => {
    const golden = await readGolden(goldenNames(modelType)[0]!);
    // Starting values have zeros, and activations of so narrow a net may be dead.
    const { model, weights } = await buildGolden(golden);
    const { grads } = await run(model, weights, golden.pixels);
    const trained = [...model.parameters()].filter(([, p]) => p.kind === 'weight');
    expect([...grads.keys()]).toEqual(trained.map(([path]) => path));
    for (const [path, grad] of grads) {
      // What is added to all keys alike changes no softmax.
      if (/key\.bias$/.test(path)) continue;
      const largest = Math.max(...toNumbers(grad).map(Math.abs));
      expect(largest, `${path}: the gradient is zero`).toBeGreaterThan(1e-7);
    }
  });

  test('features, pool and classify are forward in three parts', async () => {
    const { golden, model } = await tiny(modelType);
    const weights = initialize(model, 2);
    const x = input('pixels', 'float32', golden.pixels.shape);
    const context = new Context({ training: false });
    const parts = model.classify(model.pool(model.features(x, context), context), context);
    const feeds = new Map<Tensor, HostTensor>([[x, golden.pixels]]);
    for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
    const engine = await testEngine();
    const [a, b] = await engine.evaluate([parts, model.forward(x, context)], feeds);
    expect(a).toEqual(b);
  });

  test('replaceHead(7) changes the role head, and nothing else', async () => {
    const { definition, golden, model } = await tiny(modelType);
    const { head } = definition.roles;
    const before = model.parameters();
    const groups = groupIndices(model);
    model.replaceHead(7);
    const after = model.parameters();
    expect([...after.keys()]).toEqual([...before.keys()]);
    const changed = [...after].filter(([path, p]) => before.get(path) !== p);
    expect(changed.map(([path]) => path)).toEqual([...after.keys()].filter((p) => head!.test(p)));
    expect(groupIndices(model)).toEqual(groups);
    const x = input('pixels', 'float32', golden.pixels.shape);
    const logits = model.forward(x, new Context({ training: false }));
    expect(logits.shape).toEqual([golden.pixels.shape[0], 7]);
    // A head made anew starts as the one of a new model does.
    const fresh = definition.build({
      ...definition.parse(golden.config),
      labels: numberedLabels(7),
    });
    const isHead = (path: string) => head!.test(path);
    expect(initialize(model, 3, isHead)).toEqual(initialize(fresh, 3, isHead));
  });

  test('each role is that of some parameter', async () => {
    const { definition } = await tiny(modelType);
    const paths: string[] = [];
    for (const name of goldenNames(modelType)) {
      const { config } = await readGolden(name);
      paths.push(...definition.build(definition.parse(config)).parameters().keys());
    }
    expect(Object.keys(definition.roles)).toContain('head');
    for (const [role, pattern] of Object.entries(definition.roles)) {
      expect(
        paths.some((path) => pattern.test(path)),
        role,
      ).toBe(true);
      expect(pattern.global, `${role}: a pattern that keeps state`).toBe(false);
    }
  });

  test('layer groups hold every parameter, lead from the input to the head, and none is empty', async () => {
    const { definition, model } = await tiny(modelType);
    const groups = groupIndices(model);
    expect([...groups.keys()]).toEqual([...model.parameters().keys()]);
    const count = model.layerGroups().length;
    expect(new Set(groups.values()).size).toBe(count);
    expect(count).toBeGreaterThan(2);
    for (const [path, group] of groups) {
      if (definition.roles.head?.test(path)) expect(group, path).toBe(count - 1);
      if (definition.roles.stem?.test(path)) expect(group, path).toBe(0);
    }
  });

  test('a configuration survives writing and reading, tiny or published', async () => {
    const { definition } = await tiny(modelType);
    const configs = Object.values(definition.variants).map((v) => v.config);
    for (const name of goldenNames(modelType)) {
      configs.push(definition.parse((await readGolden(name)).config));
    }
    expect(configs.length).toBeGreaterThan(1);
    for (const config of configs) {
      const raw = JSON.parse(JSON.stringify(writeConfig(definition, config)));
      expect(definition.parse(raw)).toEqual(config);
    }
    const named = { ...configs[0]!, labels: ['crane', 'crane', 'bee'] };
    const raw = writeConfig(definition, named);
    expect(definition.parse(raw).labels).toEqual(named.labels);
    expect(raw).not.toHaveProperty('label2id');
  });

  test('published preprocessing fits the model', async () => {
    const { definition } = await tiny(modelType);
    for (const [name, { config, preprocess }] of Object.entries(definition.variants)) {
      for (const p of [preprocess, definition.preprocess(config)]) {
        expect(p.mean, name).toHaveLength(config.channels);
        expect(p.deviation, name).toHaveLength(config.channels);
        expect(p.fit === 'crop', name).toBe(p.shortSide !== undefined);
        if (p.shortSide) expect(p.shortSide).toBeGreaterThanOrEqual(Math.max(p.height, p.width));
      }
    }
  });

  test('a checkpoint goes through safetensors and comes back equal', async () => {
    const { definition, config, golden, model } = await tiny(modelType);
    const weights = initialize(model, 4);
    const preprocess = definition.preprocess(config);
    const files = checkpointOf({ definition, config, weights, preprocess });
    const bytes = Buffer.concat(encodeSafetensors(files.tensors, { format: 'pt' }));
    const json: Record<string, RawConfig> = JSON.parse(
      JSON.stringify({
        'config.json': files.config,
        'preprocessor_config.json': files.preprocessor,
      }),
    );
    const loaded = await loadImageClassifier({
      name: modelType,
      json: async (file) => json[file] ?? null,
      tensors: async () => memorySource(decodeSafetensors(bytes).tensors),
    });
    expect(loaded.config).toEqual(config);
    expect(loaded.weights).toEqual(weights);
    expect(loaded.untrained).toEqual([]);
    expect(parsePreprocessor(json['preprocessor_config.json']!, preprocess)).toEqual(preprocess);
    checkWeights(loaded.model, loaded.weights);
    expect(types(loaded.model).size).toBe(weights.size);
    expect((await run(loaded.model, loaded.weights, golden.pixels)).logits).toEqual(
      (await run(model, weights, golden.pixels)).logits,
    );
  });

  test('a hostile configuration is refused with its field', async () => {
    const { definition, config } = await tiny(modelType);
    const raw = writeConfig(definition, config);
    for (const [field, value] of Object.entries(raw)) {
      if (!['number', 'boolean'].includes(typeof value) && !Array.isArray(value)) continue;
      if (field === 'architectures') continue;
      for (const bad of [{}, 'x'.repeat(10), [-1], -1e300]) {
        let parsed: unknown;
        try {
          parsed = definition.parse({ ...raw, [field]: bad });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as Error).message).toContain(field);
          continue;
        }
        // Written for others only: then it changes nothing.
        expect(parsed, `${field}: ${bad}`).toEqual(config);
      }
    }
  });
});
