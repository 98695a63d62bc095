import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  buildTextGolden,
  readTextGolden,
  textAnswer,
  textGoldenNames,
} from '../../test/support/text-golden.js';
import { type HostTensor, hostTensor, toNumbers } from '../graph/index.js';
import { loadTextDefinition, type RawConfig } from '../models/index.js';
import { initialize } from '../nn/index.js';
import { type EncodedModel, singleFile } from '../onnx/index.js';
import { makeKey, uniformAt } from '../util/index.js';
import { type ExportedText, exportTextOnnx } from './index.js';

/** The same sum in another order: float32 noise. */
const CLOSE = { rtol: 1e-4, atol: 1e-5 };

type Values = Record<string, HostTensor>;

/** Runs an exported model outside of the engine. */
async function plain(model: EncodedModel): Promise<(feeds: Values) => Promise<Values>> {
  const bytes = Buffer.concat([...singleFile(model).chunks()]);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  return async (feeds) => {
    const given = Object.entries(feeds)
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, { dtype, shape, data }]) => [
        name,
        dtype === 'float32'
          ? new ort.Tensor('float32', data as Float32Array, [...shape])
          : new ort.Tensor('int64', BigInt64Array.from(data as Int32Array, BigInt), [...shape]),
      ]);
    const results = await session.run(Object.fromEntries(given));
    return Object.fromEntries(
      Object.entries(results).map(([name, t]) => [
        name,
        hostTensor('float32', t.dims, t.data as Float32Array),
      ]),
    );
  };
}

/** Ids of texts of some lengths, padded on the right, with their masks. */
function texts(lengths: readonly number[], { config }: ExportedText, salt: number): Values {
  const [rows, tokens] = [lengths.length, Math.max(...lengths)];
  const ids = new Int32Array(rows * tokens).fill(config.padToken ?? 0);
  const mask = new Int32Array(rows * tokens);
  const key = makeKey(salt);
  for (const [r, length] of lengths.entries()) {
    for (let t = 0; t < length; t++) {
      const at = r * tokens + t;
      // Past the special tokens, which mean padding and ends.
      ids[at] = 4 + Math.floor(uniformAt(key, at) * (config.vocabularySize - 4));
      mask[at] = 1;
    }
  }
  return {
    input_ids: hostTensor('int32', [rows, tokens], ids),
    attention_mask: hostTensor('int32', [rows, tokens], mask),
  };
}

const filledLike = ({ shape }: HostTensor, f: (i: number) => number) => {
  const size = shape.reduce((n, d) => n * d, 1);
  return hostTensor(
    'int32',
    shape,
    Int32Array.from({ length: size }, (_, i) => f(i)),
  );
};

/** Places of tokens from the left. */
const placesOf = (ids: HostTensor, from = 0) => filledLike(ids, (i) => from + (i % ids.shape[1]!));

async function sourceOf(name: string): Promise<ExportedText> {
  const golden = await readTextGolden(name);
  return { ...(await buildTextGolden(golden)), headName: golden.headName };
}

function expectSame(what: string, got: HostTensor, want: HostTensor): void {
  expectClose(what, got, { shape: want.shape, data: toNumbers(want) }, CLOSE);
}

/** Columns `from` to `to` of [rows, tokens, ...]. */
function columns(x: HostTensor, from: number, to: number): HostTensor {
  const [rows, tokens, ...rest] = x.shape as [number, number, ...number[]];
  const width = rest.reduce((n, d) => n * d, 1);
  const data = Array.from({ length: rows }, (_, r) =>
    Array.from(
      x.data.slice((r * tokens + from) * width, (r * tokens + to) * width) as Float32Array,
    ),
  ).flat();
  return hostTensor(x.dtype, [rows, to - from, ...rest], data);
}

/** Batches and lengths that are none of those traced with. */
const LENGTHS = [[6], [3, 11, 1, 7]] as const;

const single = textGoldenNames().filter(
  (name) => !/(?:causal|seq2seq)-lm/.test(name) && !/^(?:bart|marian|m?t5)-base/.test(name),
);

describe('one model for every batch and length gives Graft’s answers:', () => {
  test.each(single)('%s', async (name) => {
    const source = await sourceOf(name);
    const files = await exportTextOnnx(await testEngine(), source);
    expect(files.map((f) => f.file)).toEqual(['model.onnx']);
    const { model } = files[0]!;
    const names = model.inputs.map((v) => v.name).sort();
    const typed = source.definition.inputs.includes('token_type_ids');
    expect(names).toEqual(['attention_mask', 'input_ids', ...(typed ? ['token_type_ids'] : [])]);
    for (const { dtype, shape } of model.inputs)
      expect([dtype, ...shape]).toEqual(['int64', -1, -1]);
    const run = await plain(model);
    for (const [salt, lengths] of LENGTHS.entries()) {
      const given = texts(lengths, source, salt);
      const inputs = typed
        ? { ...given, token_type_ids: filledLike(given.input_ids!, (i) => i % 2) }
        : given;
      const want = await textAnswer(source.model, source.weights, inputs);
      const got = await run(inputs);
      if (source.headName === 'question-answering') {
        expect(Object.keys(got).sort()).toEqual(['end_logits', 'start_logits']);
        for (const [side, key] of ['start_logits', 'end_logits'].entries()) {
          const data = toNumbers(want).filter((_, i) => i % 2 === side);
          expectClose(name, got[key]!, { shape: want.shape.slice(0, 2), data }, CLOSE);
        }
      } else {
        const result = source.headName === 'base' ? 'last_hidden_state' : 'logits';
        expect(Object.keys(got)).toEqual([result]);
        expectSame(name, got[result]!, want);
      }
    }
  });
});

/** Keys and values of no tokens. */
function empty(model: EncodedModel, rows: number): Values {
  return Object.fromEntries(
    model.inputs
      .filter((v) => v.name.startsWith('past_key_values.'))
      .map(({ name, shape }) => {
        const sized = [rows, shape[1]!, 0, shape[3]!];
        return [name, hostTensor('float32', sized, new Float32Array())];
      }),
  );
}

/** What a run has given, for the next one. */
function onwards(results: Values): Values {
  return Object.fromEntries(
    Object.entries(results)
      .filter(([name]) => name.startsWith('present.'))
      .map(([name, value]) => [name.replace('present', 'past_key_values'), value]),
  );
}

describe('a decoder gives the words of a whole text, and then word by word:', () => {
  test.each(textGoldenNames().filter((name) => name.includes('causal-lm')))('%s', async (name) => {
    const source = await sourceOf(name);
    const { model } = (await exportTextOnnx(await testEngine(), source))[0]!;
    const run = await plain(model);
    for (const [salt, lengths] of LENGTHS.entries()) {
      const { input_ids: ids, attention_mask: mask } = texts(lengths, source, salt) as {
        input_ids: HostTensor;
        attention_mask: HostTensor;
      };
      const want = await textAnswer(source.model, source.weights, {
        input_ids: ids,
        attention_mask: mask,
      });
      const [rows, tokens] = ids.shape as [number, number];
      const places = placesOf(ids);
      const none = empty(model, rows);
      const given = { input_ids: ids, attention_mask: mask, position_ids: places };
      expectSame(name, (await run({ ...given, ...none })).logits!, want);
      const begun = 2;
      let past: Values = none;
      for (const [from, to] of [
        [0, begun],
        ...Array.from({ length: tokens - begun }, (_, i) => [begun + i, begun + i + 1]),
      ] as [number, number][]) {
        const results = await run({
          input_ids: columns(ids, from, to),
          attention_mask: columns(mask, 0, to),
          position_ids: columns(places, from, to),
          ...past,
        });
        expectSame(`${name} ${from}`, results.logits!, columns(want, from, to));
        past = onwards(results);
      }
      expect(past['past_key_values.0.key']!.shape[2]).toBe(tokens);
    }
  });
});

describe('an encoder and a decoder give the words of a target:', () => {
  const names = textGoldenNames().filter(
    (name) => name.includes('seq2seq-lm') || /^(?:bart|marian|m?t5)-base/.test(name),
  );
  test.each(names)('%s', async (name) => {
    const source = await sourceOf(name);
    const files = await exportTextOnnx(await testEngine(), source);
    expect(files.map((f) => f.file)).toEqual(['encoder_model.onnx', 'decoder_model_merged.onnx']);
    const [encode, decode] = await Promise.all(files.map((f) => plain(f.model)));
    const result = source.headName === 'base' ? 'last_hidden_state' : 'logits';
    for (const [salt, lengths] of LENGTHS.entries()) {
      const given = texts(lengths, source, salt);
      const { input_ids: target } = texts(
        lengths.map(() => 5),
        source,
        9,
      ) as { input_ids: HostTensor };
      const want = await textAnswer(source.model, source.weights, {
        ...given,
        decoder_input_ids: target,
      });
      const { last_hidden_state: encoded } = await encode!(given);
      const sources = {
        encoder_hidden_states: encoded!,
        encoder_attention_mask: given.attention_mask!,
      };
      let past = empty(files[1]!.model, lengths.length);
      for (const [from, to] of [
        [0, 3],
        [3, 4],
        [4, 5],
      ] as const) {
        const results = await decode!({
          ...sources,
          input_ids: columns(target, from, to),
          ...past,
        });
        expectSame(`${name} ${from}`, results[result]!, columns(want, from, to));
        past = onwards(results);
      }
      expect(past['past_key_values.0.encoder.key']!.shape[2]).toBe(given.input_ids!.shape[1]);
    }
  });
});

/** A model of random weights. */
async function fresh(modelType: string, raw: RawConfig, headName: ExportedText['headName']) {
  const definition = await loadTextDefinition(modelType);
  const config = definition.parse(raw);
  const head = definition.heads[headName]!;
  const model = head.build(config);
  return { definition, config, headName, head, model, weights: initialize(model, 1) };
}

test('T5 is free beyond the distances that it was traced with', async () => {
  const raw = { vocab_size: 50, d_model: 16, d_kv: 8, d_ff: 16, num_layers: 1, num_heads: 2 };
  const source = await fresh('t5', raw, 'seq2seq-lm');
  const [file] = await exportTextOnnx(await testEngine(), source);
  const given = texts([1300, 40], source, 3);
  const { last_hidden_state: got } = await (await plain(file!.model))(given);
  // The encoder alone, by way of a base that hands its states on.
  const { model, weights } = source;
  const want = await textAnswer(
    {
      ...model,
      through: model.throughTrunk.bind(model),
      parameters: model.parameters.bind(model),
    } as typeof model,
    weights,
    given,
  );
  expectSame('t5', got!, want);
});

test('long texts, for which the engine has attention of its own, need operators of the standard only', async () => {
  const raw = {
    vocab_size: 40,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 400,
  };
  const source = await fresh('bert', raw, 'token-classification');
  const [file] = await exportTextOnnx(await testEngine(), source);
  const given = texts([333, 20], source, 5);
  const inputs = { ...given, token_type_ids: filledLike(given.input_ids!, (i) => i % 2) };
  const want = await textAnswer(source.model, source.weights, inputs);
  expectSame('long', (await (await plain(file!.model))(inputs)).logits!, want);
});

test('a model of too few positions is free for no length, and fixed when that is asked for', async () => {
  const raw = {
    vocab_size: 40,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 16,
    max_position_embeddings: 8,
  };
  const source = { ...(await fresh('bert', raw, 'token-classification')) };
  const engine = await testEngine();
  await expect(exportTextOnnx(engine, source)).rejects.toMatchObject({ code: 'batch-dependent' });
  const [file] = await exportTextOnnx(engine, source, { fixed: { batch: 2, tokens: 4 } });
  expect(file!.model.inputs.map((v) => v.shape)).toEqual([
    [2, 4],
    [2, 4],
    [2, 4],
  ]);
  const given = texts([4, 2], source, 1);
  const inputs = { ...given, token_type_ids: filledLike(given.input_ids!, () => 0) };
  const want = await textAnswer(source.model, source.weights, inputs);
  expectSame('fixed', (await (await plain(file!.model))(inputs)).logits!, want);
});

test('a table of words that is looked up and asked for is in the file once', async () => {
  const source = await sourceOf('gpt2-causal-lm');
  const [file] = await exportTextOnnx(await testEngine(), source);
  const words = source.weights.get('transformer.wte.weight')!;
  const { inputs } = file!.model;
  expect(inputs.map((v) => v.name)).toContain('past_key_values.1.value');
  const size = words.data.byteLength;
  const whole = [...source.weights.values()].reduce((n, { data }) => n + data.byteLength, 0);
  const bytes = singleFile(file!.model).bytes;
  expect(size).toBeGreaterThan(3000);
  // Nothing but the graph comes on top of the weights, and the graph has none of that size.
  expect(bytes - whole).toBeLessThan(60_000);
});
