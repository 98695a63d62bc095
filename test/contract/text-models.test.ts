/**
 * What every text architecture in the registry promises, tried on the tiny configurations of the golden
 * files. A new architecture needs golden files and no line here.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError, WeightsError } from '../../src/errors.js';
import {
  constant,
  type HostTensor,
  hostTensor,
  toNumbers,
  toposort,
} from '../../src/graph/index.js';
import { decodeSafetensors, encodeSafetensors, memorySource } from '../../src/io/index.js';
import {
  type CheckpointFiles,
  groupIndices,
  loadTextDefinition,
  loadTextModel,
  type RawConfig,
  TEXT_INPUTS,
  type TextHead,
  textCheckpointOf,
  textModelTypes,
  writeTextConfig,
} from '../../src/models/index.js';
import { Context, type Weights } from '../../src/nn/index.js';
import { movingRows } from '../../src/train/moving-rows.js';
import { expectClose } from '../support/compare.js';
import {
  batchInputs,
  buildTextGolden,
  checkTextGolden,
  readTextGolden,
  type TextGoldenCase,
  textAnswer,
  textGoldenNames,
} from '../support/text-golden.js';

/** One golden case of each head. */
async function heads(modelType: string): Promise<TextGoldenCase[]> {
  const cases = await Promise.all(textGoldenNames(modelType).map(readTextGolden));
  return cases.filter(({ headName }, i) => cases.findIndex((c) => c.headName === headName) === i);
}

const json = (value: unknown) => JSON.parse(JSON.stringify(value));

/** A checkpoint in memory, as a folder would hold it. */
function files(config: RawConfig, tensors: Weights): CheckpointFiles {
  const bytes = Buffer.concat(encodeSafetensors(tensors, { format: 'pt' }));
  return {
    name: 'a folder',
    json: async (file) => (file === 'config.json' ? json(config) : null),
    tensors: async () => memorySource(decodeSafetensors(bytes).tensors),
  };
}

/** The files of a golden case, and those of its trunk alone. */
async function checkpoints(golden: TextGoldenCase) {
  const built = await buildTextGolden(golden);
  const { definition, head, config, weights } = built;
  const whole = textCheckpointOf({
    definition,
    headName: golden.headName,
    config,
    raw: golden.config,
    weights,
  });
  const trunk = new Map([...weights].filter(([path]) => !head.parameters?.test(path)));
  const bare = textCheckpointOf({ definition, headName: 'base', config, weights: trunk });
  return { ...built, whole, bare };
}

/** Texts of a batch with `extra` more columns of padding. */
function padded(golden: TextGoldenCase, extra: number): Record<string, HostTensor> {
  const pad = Number(golden.config.pad_token_id ?? 0);
  return Object.fromEntries(
    Object.entries(golden.inputs).map(([name, { shape, data }]) => {
      const [rows, tokens] = shape as [number, number];
      const fill = name.endsWith('input_ids') ? pad : 0;
      const wide = Array.from({ length: rows * (tokens + extra) }, (_, i) => {
        const [row, column] = [Math.floor(i / (tokens + extra)), i % (tokens + extra)];
        return column < tokens ? Number(data[row * tokens + column]) : fill;
      });
      return [name, hostTensor('int32', [rows, tokens + extra], wide)];
    }),
  );
}

/** Logits of real tokens, one list a text. */
function realLogits(logits: HostTensor, mask: HostTensor): number[][] {
  const values = toNumbers(logits);
  const [rows, tokens] = mask.shape as [number, number];
  const each = values.length / rows;
  const perToken = logits.shape[1] === tokens && logits.shape.length === 3;
  return Array.from({ length: rows }, (_, row) => {
    const seen = [...mask.data.subarray(row * tokens, (row + 1) * tokens)].filter(Boolean).length;
    const count = perToken ? (each / tokens) * seen : each;
    return values.slice(row * each, row * each + count);
  });
}

test.each(textGoldenNames())('%s: logits, loss and gradients of transformers', checkTextGolden);

test.each(textGoldenNames())('%s: dropout where transformers has it', async (name) => {
  const golden = await readTextGolden(name);
  const { model } = await buildTextGolden(golden);
  const key = constant([1, 2], 'int32', [2]);
  const logits = model.through(batchInputs(golden.inputs), new Context({ training: true, key }));
  const known = new Set(golden.dropouts.map(String));
  const [, tokens] = golden.inputs.input_ids!.shape as [number, number];
  const dropped = toposort([logits])
    .filter(({ op }) => op.name === 'maskScale')
    .map(({ attrs, inputs: [x] }) => {
      const rate = 1 - 1 / (attrs as { scale: number }).scale;
      const site = [Math.round(rate * 1e6) / 1e6, x!.size];
      // Before a classifier of whole texts the last layer is computed for their first token alone.
      return known.has(String(site)) ? site : [site[0]!, site[1]! * tokens];
    });
  const order = ([a, b]: readonly number[], [c, d]: readonly number[]) => a! - c! || b! - d!;
  expect(dropped.sort(order)).toEqual([...golden.dropouts].sort(order));
});

describe.each(textModelTypes())('%s', (modelType) => {
  test('is named as its file, has a source and a golden file for every head', async () => {
    const definition = await loadTextDefinition(modelType);
    expect(definition.modelType).toBe(modelType);
    expect(definition.source.paper).toMatch(/^https:\/\//);
    expect(definition.source.code).toMatch(/^https:\/\//);
    const tried = (await heads(modelType)).map(({ headName }) => headName);
    expect(tried.sort()).toEqual(Object.keys(definition.heads).sort());
  });

  test('a configuration survives writing and reading', async () => {
    const definition = await loadTextDefinition(modelType);
    for (const name of textGoldenNames(modelType)) {
      const { config: raw, headName } = await readTextGolden(name);
      const config = definition.parse(raw);
      const others = [
        { ...config, labels: ['crane', 'heron', 'bee'] },
        { ...config, padToken: null, bosToken: null, eosTokens: [] },
        { ...config, eosTokens: [3, 4], problem: 'regression' as const },
      ];
      for (const c of [config, ...others]) {
        expect(definition.parse(json(writeTextConfig(definition, headName, c)))).toEqual(c);
      }
    }
    // What a file leaves out is as in transformers, and survives as well.
    const config = definition.parse({});
    const head = Object.keys(definition.heads)[0] as TextHead;
    expect(definition.parse(json(writeTextConfig(definition, head, config)))).toEqual(config);
  });

  test('a hostile configuration is refused with its field', async () => {
    const definition = await loadTextDefinition(modelType);
    const golden = (await heads(modelType))[0]!;
    const config = definition.parse(golden.config);
    const raw = json(writeTextConfig(definition, golden.headName, config));
    for (const [field, value] of Object.entries(raw)) {
      if (['architectures', 'model_type', 'torch_dtype', 'label2id'].includes(field)) continue;
      for (const bad of [{ a: {} }, 'x'.repeat(10), [-1], -1e300, Number.NaN]) {
        let parsed: unknown;
        try {
          parsed = definition.parse({ ...raw, [field]: bad });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
          expect((error as Error).message).toContain(field);
          continue;
        }
        // Written for others only: then it changes nothing.
        expect(parsed, `${field}: ${value} -> ${JSON.stringify(bad)}`).toEqual(config);
      }
    }
  });

  test('roles are those of some parameters; those of the vocabulary are what grows with it', async () => {
    const definition = await loadTextDefinition(modelType);
    const paths = new Set<string>();
    for (const golden of await Promise.all(textGoldenNames(modelType).map(readTextGolden))) {
      const { model, config } = await buildTextGolden(golden);
      for (const [path, { tensor }] of model.parameters()) {
        paths.add(path);
        const grows = tensor.shape.includes(config.vocabularySize);
        expect(definition.vocabulary.test(path), `${path} [${tensor.shape}]`).toBe(grows);
      }
    }
    for (const [role, pattern] of Object.entries(definition.roles)) {
      expect(
        [...paths].some((path) => pattern.test(path)),
        role,
      ).toBe(true);
      expect(pattern.global, `${role}: a pattern that keeps state`).toBe(false);
    }
  });

  test('layer groups hold every parameter once, and none is empty', async () => {
    for (const golden of await Promise.all(textGoldenNames(modelType).map(readTextGolden))) {
      const { model } = await buildTextGolden(golden);
      const groups = groupIndices(model);
      expect([...groups.keys()]).toEqual([...model.parameters().keys()]);
      const names = model.layerGroups();
      expect(new Set(names).size).toBe(names.length);
      const empty = names.filter((_, i) => ![...groups.values()].includes(i));
      expect(empty, golden.name).toEqual([]);
    }
  });

  test('what a head declares are its parameters', async () => {
    const definition = await loadTextDefinition(modelType);
    for (const [headName, head] of Object.entries(definition.heads)) {
      const cases = await Promise.all(textGoldenNames(modelType).map(readTextGolden));
      const paths = new Set<string>();
      for (const golden of cases.filter((c) => c.headName === headName)) {
        for (const path of golden.weights.keys()) paths.add(path);
      }
      const outputs = [...paths].filter((path) => head.outputs?.test(path));
      const own = [...paths].filter((path) => head.parameters?.test(path));
      expect(outputs.length > 0, `${headName} outputs`).toBe(head.outputs !== undefined);
      expect(own).toEqual(expect.arrayContaining(outputs));
      // A language model over the embeddings' own table has no parameters of its own.
      if (headName.endsWith('-lm')) continue;
      expect(own.length > 0, `${headName} parameters`).toBe(head.parameters !== undefined);
    }
  });

  test('files have the names that transformers saves', async () => {
    for (const name of textGoldenNames(modelType)) {
      const golden = await readTextGolden(name);
      const { whole, head } = await checkpoints(golden);
      expect([...whole.tensors.keys()].sort(), name).toEqual([...golden.saved].sort());
      expect(whole.config.architectures).toEqual([head.architecture]);
      expect(whole.config.model_type).toBe(modelType);
    }
  });

  test('a checkpoint goes through its files and comes back equal', async () => {
    for (const golden of await heads(modelType)) {
      const { whole, weights, config } = await checkpoints(golden);
      const { headName: head } = golden;
      const loaded = await loadTextModel(files(whole.config, whole.tensors), { head });
      expect(loaded.weights).toEqual(weights);
      expect([loaded.untrained, loaded.unused]).toEqual([[], []]);
      // Labels of heads without classes mean nothing and are not kept.
      expect(loaded.config).toEqual({
        ...config,
        labels: loaded.head.outputs ? config.labels : loaded.config.labels,
        problem: loaded.head.outputs ? config.problem : null,
      });
    }
  });

  test('a trunk alone gets a new head; other labels get new outputs', async () => {
    for (const golden of await heads(modelType)) {
      const { bare, whole, weights, head: definition } = await checkpoints(golden);
      const { headName: head } = golden;
      const own = [...weights.keys()].filter((path) => definition.parameters?.test(path));
      const loaded = await loadTextModel(files(bare.config, bare.tensors), { head, seed: 3 });
      expect([...loaded.untrained].sort()).toEqual(own.sort());
      for (const [path, value] of weights) {
        if (!own.includes(path)) expect(loaded.weights.get(path)).toEqual(value);
      }
      if (!definition.outputs) continue;
      const labels = ['a', 'b', 'c', 'd', 'e'];
      const other = await loadTextModel(files(whole.config, whole.tensors), { head, labels });
      const outputs = [...weights.keys()].filter((path) => definition.outputs!.test(path));
      expect([...other.untrained].sort()).toEqual(outputs.sort());
      for (const path of outputs) expect(other.weights.get(path)!.shape[0]).toBe(labels.length);
    }
  });

  test('weights that do not fit are refused with their names', async () => {
    const golden = (await heads(modelType)).find(({ headName }) => headName === 'base')!;
    const { whole } = await checkpoints(golden);
    const tensors = new Map(whole.tensors);
    const matrices = [...tensors].filter(([, { shape }]) => shape.length === 2);
    const [missing, misshapen] = [matrices[3]![0], matrices[4]![0]];
    tensors.delete(missing);
    tensors.set(misshapen, hostTensor('float32', [1, 2], [0, 0]));
    const loading = loadTextModel(files(whole.config, tensors), { head: 'base' });
    const error = await loading.catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WeightsError);
    expect((error as Error).message).toContain(missing);
    expect((error as Error).message).toContain(`${misshapen} is [1,2]`);
  });

  test('padding does not change the answers of real tokens', async () => {
    for (const golden of await heads(modelType)) {
      const { model, weights } = await buildTextGolden(golden);
      const mask = golden.inputs.decoder_attention_mask ?? golden.inputs.attention_mask!;
      const want = realLogits(await textAnswer(model, weights, golden.inputs), mask);
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 9 }), async (extra) => {
          const inputs = padded(golden, extra);
          const wide = inputs.decoder_attention_mask ?? inputs.attention_mask!;
          const got = realLogits(await textAnswer(model, weights, inputs), wide);
          for (const [row, data] of got.entries()) {
            const shape = [data.length];
            const what = `${golden.name} text ${row}, ${extra} more`;
            const plain = { shape, data: want[row]! };
            expectClose(what, hostTensor('float32', shape, data), plain, {
              rtol: 1e-4,
              atol: 1e-5,
            });
          }
        }),
        { numRuns: 2 },
      );
    }
  });

  test('a language model answers for the asked words only', async () => {
    for (const golden of await heads(modelType)) {
      if (!golden.headName.endsWith('-lm')) continue;
      const { model, weights, config } = await buildTextGolden(golden);
      const asked = [5, 0, 8];
      const inputs = { ...golden.inputs, asked_positions: hostTensor('int32', [3], asked) };
      const got = await textAnswer(model, weights, inputs);
      const all = toNumbers(await textAnswer(model, weights, golden.inputs));
      const words = config.vocabularySize;
      const data = asked.flatMap((at) => all.slice(at * words, (at + 1) * words));
      expectClose(golden.name, got, { shape: [3, words], data }, { rtol: 1e-5, atol: 1e-6 });
    }
  });

  test('without words to answer, the table of words is read by ids alone', async () => {
    for (const golden of await heads(modelType)) {
      if (golden.headName.endsWith('-lm')) continue;
      const { model, definition } = await buildTextGolden(golden);
      const batch = batchInputs(golden.inputs);
      const y = model.through(batch, new Context({ training: false }));
      const ids = batch[TEXT_INPUTS.ids]!;
      const found = [...model.parameters()].filter(([, { tensor }]) =>
        movingRows([y], tensor, ids, Int32Array.of(0)),
      );
      // An encoder-decoder reads one table by the ids of both sides.
      const expected = definition.kind === 'encoder-decoder' ? 0 : 1;
      expect([golden.name, found.length]).toEqual([golden.name, expected]);
      for (const [path] of found) expect(path).toMatch(definition.vocabulary);
    }
  });
});
