/**
 * Exported runs on texts in transformers.js, from disk and without a network. With GRAFT_TEXT_EXPORTED=FOLDER
 * they are kept there, for scripts/golden/check_text_export.py.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import {
  AutoModelForCausalLM,
  AutoModelForSeq2SeqLM,
  AutoTokenizer,
  env,
  type PreTrainedModel,
  pipeline,
  Tensor,
} from '@huggingface/transformers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testEngine } from '../../../test/support/engine.js';
import { temporaryFolder } from '../../../test/support/pictures.js';
import { writeTinyTextBase } from '../../../test/support/tiny-text-base.js';
import { generate } from '../../generate/index.js';
import {
  describeBase,
  exportRun,
  type FitOptions,
  predictRun,
  fit as wholeRun,
} from '../index.node.js';
import { openTextRun } from './open-run.js';

const { path: root, remove } = temporaryFolder();
const kept = process.env.GRAFT_TEXT_EXPORTED ?? join(root, 'exported');
afterAll(remove);
const at = (name: string) => join(root, name);

const WORDS = 'the film was lovely and dull today ann saw bob who left cold rooms'.split(' ');
/** Sentences over few words. */
const lines = Array.from({ length: 24 }, (_, i) =>
  Array.from({ length: 3 + (i % 6) }, (_, k) => WORDS[(i * 5 + k * 3) % WORDS.length]).join(' '),
);

function write(name: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(at(name), { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(at(name), file), text);
  return at(name);
}

/** A short run, exported; gives the folder. */
async function exported(name: string, options: Partial<FitOptions>): Promise<string> {
  const run = at(`run-${name}`);
  await wholeRun({ batch: 8, lr: 0.003, valid: 0.25, ...options, out: run });
  return (await exportRun(run, { to: 'huggingface', out: join(kept, name), force: true })).out;
}

const json = (folder: string, file: string) =>
  JSON.parse(readFileSync(join(folder, file), 'utf8')) as Record<string, unknown>;

const LOCAL = { dtype: 'fp32', device: 'cpu' } as const;

beforeAll(async () => {
  env.allowRemoteModels = false;
  env.localModelPath = kept;
  env.useFSCache = false;
  for (const type of ['bert', 'gpt2', 't5']) await writeTinyTextBase(at(type), lines, type);
});

test('a classifier of texts answers in transformers.js as graft does', async () => {
  const rows = lines.map((text) => `${text},${text.includes('dull') ? 'bad' : 'good'}`);
  const data = write('opinions', { 'train.csv': `text,label\n${rows.join('\n')}\n` });
  const folder = await exported('opinions', { data, base: at('bert'), epochs: 4 });
  expect(json(folder, 'config.json')).toMatchObject({
    architectures: ['BertForSequenceClassification'],
    id2label: { 0: 'bad', 1: 'good' },
    exported_by: 'graftml',
  });
  expect(json(folder, 'tokenizer_config.json').model_input_names).toEqual([
    'input_ids',
    'token_type_ids',
    'attention_mask',
  ]);
  const card = readFileSync(join(folder, 'README.md'), 'utf8');
  expect(card).toContain('pipeline_tag: text-classification');
  expect(card).toContain('A classifier of texts (bert,');
  expect(card).toContain('Classes: bad, good.');
  expect(card).toMatch(/- Trained by: `fit /);
  expect(card).toMatch(/\| accuracy \| [\d.]+ \|/);
  const asked = ['the film was dull', 'ann saw a lovely film today and left'];
  const { predictions } = await predictRun(folder, asked);
  const classify = await pipeline('text-classification', 'opinions', LOCAL);
  for (const [i, text] of asked.entries()) {
    const answers = (await classify(text, { top_k: 2 })) as { label: string; score: number }[];
    const want = predictions[i]!.answers!;
    expect(answers.map((a) => a.label)).toEqual(want.map((a) => a.label));
    for (const [k, { score }] of answers.entries()) {
      expect(Math.abs(score - want[k]!.probability)).toBeLessThan(1e-4);
    }
  }
  await classify.dispose();
});

test('a text beyond the limit of the run is cut there by all who load the model', async () => {
  const rows = lines.map((text) => `${text},${text.includes('dull') ? 'bad' : 'good'}`);
  const data = write('short', { 'train.csv': `text,label\n${rows.join('\n')}\n` });
  const folder = await exported('short', { data, base: at('bert'), epochs: 2, maxLength: 8 });
  const run = at('run-short');
  for (const place of [folder, join(run, 'model')]) {
    expect(json(place, 'tokenizer_config.json').model_max_length).toBe(8);
  }
  const card = readFileSync(join(folder, 'README.md'), 'utf8');
  expect(card).toContain('answer("a text", truncation=True)');
  expect(card).toContain('Longer texts than 8 tokens are cut');
  const [begun, longer] = [
    'the film was lovely ann saw',
    'the film was lovely ann saw dull dull dull',
  ];
  const scores = async (place: string, text: string) =>
    (await predictRun(place, [text])).predictions[0]!.answers!.map((a) => a.probability);
  const want = await scores(run, begun);
  for (const place of [run, join(run, 'model'), folder]) {
    expect(await scores(place, longer)).toEqual(want);
  }
  const classify = await pipeline('text-classification', 'short', LOCAL);
  const answers = (await classify(longer, { top_k: 2 })) as { score: number }[];
  for (const [k, { score }] of answers.entries()) {
    expect(Math.abs(score - want[k]!)).toBeLessThan(1e-5);
  }
  await classify.dispose();
});

test('a tagger finds in transformers.js what graft finds', async () => {
  const tagged = lines.map((line) =>
    line
      .split(' ')
      .map((w) => `${w} ${w === 'ann' || w === 'bob' ? 'B-PER' : 'O'}`)
      .join('\n'),
  );
  const data = write('names', { 'train.conll': `${tagged.join('\n\n')}\n` });
  const folder = await exported('names', { data, base: at('bert'), epochs: 12 });
  expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('token-classification');
  const asked = ['today ann saw the film', 'bob left and ann was cold'];
  const { predictions } = await predictRun(folder, asked);
  expect(predictions.flatMap((p) => p.entities!.map((e) => e.text))).toContain('ann');
  const find = await pipeline('token-classification', 'names', LOCAL);
  for (const [i, text] of asked.entries()) {
    const found = (await find(text)) as { entity: string; word: string }[];
    expect(found.map(({ word, entity }) => [word, entity])).toEqual(
      predictions[i]!.entities!.map((e) => [e.text, `B-${e.type}`]),
    );
  }
  await find.dispose();
});

/** What transformers.js writes by taking the likeliest words. */
async function written(model: PreTrainedModel, ids: readonly number[]): Promise<number[]> {
  const shape = [1, ids.length];
  const sequences = (await model.generate({
    inputs: new Tensor('int64', BigInt64Array.from(ids, BigInt), shape),
    attention_mask: new Tensor('int64', new BigInt64Array(ids.length).fill(1n), shape),
    max_new_tokens: 12,
    do_sample: false,
  } as never)) as Tensor;
  return Array.from(sequences.data as BigInt64Array, Number);
}

test('a language model goes on in transformers.js as in graft', async () => {
  const data = write('lines', { 'train.txt': lines.join('\n') });
  const folder = await exported('lines', { data, base: at('gpt2'), maxLength: 32, epochs: 3 });
  expect(json(folder, 'generation_config.json')).toMatchObject({ eos_token_id: 0 });
  const { base, loaded } = await openTextRun(folder);
  const tokenizer = await AutoTokenizer.from_pretrained('lines');
  const model = await AutoModelForCausalLM.from_pretrained('lines', LOCAL);
  for (const prompt of ['the film', 'ann saw bob']) {
    const ids = [...base.tokenizer.ids(prompt)];
    expect(tokenizer.encode(prompt)).toEqual(ids);
    const [want] = await generate(await testEngine(), loaded, [ids], { maxNewTokens: 12 });
    expect(await written(model, ids)).toEqual([...ids, ...want!]);
  }
  await model.dispose();
});

test('a translator writes in transformers.js what it writes in graft', async () => {
  const rows = lines.map((line) => `${line},${line.split(' ').reverse().join(' ')}`);
  const data = write('pairs', { 'train.csv': `source,target\n${rows.join('\n')}\n` });
  const folder = await exported('pairs', { data, base: at('t5'), epochs: 30, lr: 0.01 });
  expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain('pipeline_tag: translation');
  const { base, loaded } = await openTextRun(folder);
  const model = await AutoModelForSeq2SeqLM.from_pretrained('pairs', LOCAL);
  for (const text of ['the film was lovely', 'ann saw bob today']) {
    const ids = [...base.tokenizer.ids(text)];
    const [want] = await generate(await testEngine(), loaded, [ids], { maxNewTokens: 12 });
    expect(new Set(want).size).toBeGreaterThan(1);
    expect(await written(model, ids)).toEqual([loaded.config.decoderStartToken, ...want!]);
  }
  await model.dispose();
  const out = at('one.onnx');
  await expect(exportRun(folder, { to: 'onnx', out })).rejects.toThrow(/becomes two/);
});

test('ONNX files come with their tokenizer, and nothing is overwritten unasked', async () => {
  const run = at('bert');
  const out = join(root, 'plain', 'words.onnx');
  const { files } = await exportRun(run, { to: 'onnx', out });
  expect(files.map((f) => basename(f)).sort()).toEqual([
    'special_tokens_map.json',
    'tokenizer.json',
    'tokenizer_config.json',
    'words.json',
    'words.onnx',
  ]);
  const described = json(dirname(out), 'words.json');
  expect(described).toMatchObject({ head: 'masked-lm', maxTokens: 64 });
  expect(described.inputs).toContainEqual({
    name: 'token_type_ids',
    dtype: 'int64',
    shape: [null, null],
  });
  const again = exportRun(run, { to: 'onnx', out: join(dirname(out), 'other.onnx') });
  await expect(again).rejects.toMatchObject({ code: 'exists' });
  await exportRun(run, { to: 'onnx', out, force: true });
});

test('a base and a run on texts are described', async () => {
  expect(await describeBase(at('bert'))).toMatchObject({
    kind: 'base',
    modelType: 'bert',
    layerGroups: 4,
    classes: 0,
    text: { head: 'masked-lm', maxTokens: 64, tokenizer: 'WordPiece' },
  });
  expect(await describeBase(at('run-opinions'))).toMatchObject({
    kind: 'run',
    status: 'done',
    classes: 2,
    firstClasses: ['bad', 'good'],
  });
});
