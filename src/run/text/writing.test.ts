/** How finished models write: as their files say, from the prompts of training, each text for itself. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { testEngine } from '../../../test/support/engine.js';
import { writeTinyTextBase } from '../../../test/support/tiny-text-base.js';
import { native, reference } from '../../../test/support/tokenizer-reference.js';
import { csv, NAMES, pick, toyTexts, VERBS } from '../../../test/support/toy-texts.js';
import type { TextTaskName } from '../../data/index.js';
import { generate } from '../../generate/index.js';
import type { TokenBlock } from '../../tasks/index.js';
import {
  evaluateRun,
  exportRun,
  type PredictionPiece,
  predictRun,
  type RunEvent,
  streamPredictions,
} from '../index.node.js';
import { fitDefaults } from '../options.js';
import { openTextFolder } from './base.js';
import { openTextRun } from './open-run.js';
import { planText } from './plan.js';
import { promptsOf, writerOf } from './write-choices.js';
import { writeTexts } from './written.js';

const { at, write, adapt } = toyTexts();

const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
const put = (content: object, ...path: string[]) =>
  writeFileSync(join(...path), JSON.stringify(content));

/** How tokenizers of Llama's kind mark a text; what stands at its end is no part of a prompt. */
const TEMPLATE = {
  type: 'TemplateProcessing',
  single: [
    { SpecialToken: { id: '</s>', type_id: 0 } },
    { Sequence: { id: 'A', type_id: 0 } },
    { SpecialToken: { id: '<pad>', type_id: 0 } },
  ],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: {
    '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] },
    '<pad>': { id: '<pad>', ids: [0], tokens: ['<pad>'] },
  },
};

const SUMMARY = {
  num_beams: 3,
  no_repeat_ngram_size: 2,
  min_length: 4,
  max_length: 12,
  length_penalty: 2,
  typical_p: 0.5,
  eos_token_id: [1, 7],
};

beforeAll(async () => {
  const words = [...NAMES, ...VERBS, 'the film was today'].join(' ');
  for (const type of ['bart', 'llama']) await writeTinyTextBase(at(type), [words, words], type);
  put(SUMMARY, at('bart'), 'generation_config.json');
  const tokenizer = json(at('llama'), 'tokenizer.json');
  put({ ...tokenizer, post_processor: TEMPLATE }, at('llama'), 'tokenizer.json');
  const pairs = Array.from({ length: 16 }, (_, i) => {
    const name = pick(NAMES, `x${i}`);
    return [`${name} saw`, `saw ${name}`];
  });
  write('few pairs', { 'train.csv': csv('source,target', pairs) });
  const prompts = pairs.map(([source, target]) => [source!, target!]);
  write('few prompts', { 'train.csv': csv('prompt,completion', prompts) });
});

describe('what generation_config.json says', () => {
  test('is how a run writes, and goes with its model', async () => {
    const events: RunEvent[] = [];
    const out = at('summaries');
    const made = { data: at('few pairs'), base: at('bart'), epochs: 1, maxLength: 24 };
    await adapt({ ...made, out, listener: (event) => events.push(event) });
    const notes = events.flatMap((event) => (event.type === 'note' ? [event.text] : []));
    expect(notes).toContain(
      "answers are written as the base's generation_config.json says: num_beams 3, length_penalty 2, no_repeat_ngram_size 2, max_length 12, min_length 4",
    );
    const leftOut =
      'generation_config.json asks for what is not known here and left out: typical_p';
    expect(notes).toContain(leftOut);
    const carried = { ...SUMMARY, pad_token_id: 0, bos_token_id: 1, decoder_start_token_id: 0 };
    expect(json(out, 'model', 'generation_config.json')).toEqual(carried);
    // Python's loaders refuse whole numbers here.
    const text = readFileSync(join(out, 'model', 'generation_config.json'), 'utf8');
    expect(text).toContain('"length_penalty": 2.0');

    const run = await openTextRun(out);
    const asked = ['ann saw', 'bob saw'].map((t, i) => ({ id: String(i), text: t }));
    const ids = await generate(await testEngine(), run.loaded, promptsOf(run, asked));
    const want = ids.map((one) =>
      run.base.tokenizer.decode(one, { skipSpecialTokens: true }).trim(),
    );
    const { predictions, notes: told } = await predictRun(
      out,
      asked.map((a) => a.text),
    );
    expect(predictions.map((p) => p.output)).toEqual(want);
    expect(told).toEqual([leftOut]);
    const greedy = await predictRun(out, ['ann saw', 'bob saw'], { beams: 1, noRepeatNgram: 0 });
    expect(greedy.predictions.map((p) => p.output)).not.toEqual(want);

    const folder = at('shared summaries');
    await exportRun(out, { to: 'huggingface', out: folder });
    expect(json(folder, 'generation_config.json')).toEqual(carried);
  });

  test('draws nothing where texts are scored', async () => {
    const model = at('summaries/model');
    put({ do_sample: true, temperature: 3 }, model, 'generation_config.json');
    const outputs = async (seed: number) =>
      (await predictRun(at('summaries'), ['ann saw'], { seed })).predictions[0]!.output;
    expect(await outputs(1)).not.toBe(await outputs(2));
    const scored = await evaluateRun(at('summaries'), at('few pairs'));
    put({ do_sample: false }, model, 'generation_config.json');
    expect((await evaluateRun(at('summaries'), at('few pairs'))).metrics).toEqual(scored.metrics);
  });

  test('is read from an older config.json as well, and refused where it is wrong', async () => {
    const older = at('older');
    await writeTinyTextBase(older, ['ann saw the film', 'ann saw'], 'bart');
    rmSync(join(older, 'generation_config.json'));
    put({ ...json(older, 'config.json'), num_beams: 2, max_length: 20 }, older, 'config.json');
    const made = { data: at('few pairs'), base: older, epochs: 1, maxLength: 24 };
    await adapt({ ...made, out: at('from older') });
    const file = json(at('from older'), 'model', 'generation_config.json');
    expect(file).toMatchObject({ num_beams: 2, eos_token_id: 1, decoder_start_token_id: 0 });
    // Older versions wrote this length where none was chosen.
    expect(file).not.toHaveProperty('max_length');
    put({ num_beams: 'two' }, older, 'generation_config.json');
    await expect(adapt({ ...made, out: at('none') })).rejects.toThrow(
      "generation_config.json of a bart: 'num_beams' must be",
    );
    expect(existsSync(at('none'))).toBe(false);
  });
});

test('a run names what it was taught to end with, where its base does not', async () => {
  const base = at('endless');
  await writeTinyTextBase(base, ['ann saw the film', 'ann saw'], 'gpt2');
  rmSync(join(base, 'generation_config.json'));
  put({ ...json(base, 'config.json'), eos_token_id: null }, base, 'config.json');
  const out = at('ended');
  await adapt({ data: at('few prompts'), base, epochs: 1, maxLength: 16, out });
  // The tokenizer's.
  expect(json(out, 'model', 'generation_config.json').eos_token_id).toBe(1);
  expect(json(out, 'model', 'config.json').eos_token_id).toBe(1);
});

describe('a prompt is what it was in training', () => {
  const samples = ['ann', 'dan met bob today'];
  const asked = samples.map((text, i) => ({ id: String(i), text }));

  test.each(['gpt2', 'bart'])('with the prefix of the run: %s', async (base) => {
    const data = at(base === 'gpt2' ? 'few prompts' : 'few pairs');
    const [out, prefix] = [at(`prefixed-${base}`), 'today the film was '];
    await adapt({ data, base: at(base), prefix, epochs: 2, maxLength: 32, out });
    const run = await openTextRun(out);
    const pairs = samples.map((source, i) => ({ id: String(i), source, target: 'ann' }));
    const dataset = { kind: 'pairs', task: run.choices.task, classes: [], valid: [], test: [] };
    const read = { ...dataset, train: pairs } as never;
    const { task } = planText(read, run.choices, run.base, run.maxTokens);
    const items = pairs.map((pair) => task.item(pair, { ...run.base, maxTokens: run.maxTokens }));
    const trained = items.map(({ ids, labels }) =>
      base === 'gpt2' ? [...ids.subarray(0, labels[0])] : [...ids],
    );
    expect(promptsOf(run, asked)).toEqual(trained);
    // A model's own folder knows of no prefix.
    const choices = { maxNewTokens: 6, beams: 1 };
    const outputs = async (model: string, texts: string[]) =>
      (await predictRun(model, texts, choices)).predictions.map((p) => p.output);
    const bare = samples.map((text) => `${prefix}${text}`);
    expect(await outputs(out, samples)).toEqual(await outputs(join(out, 'model'), bare));
  });

  test.skipIf(!native)('with the special tokens before it, not those behind it', async () => {
    const base = await openTextFolder(at('llama'));
    const referee = reference(json(at('llama'), 'tokenizer.json'));
    const whole = async (text: string) => (await referee.encode(text)).ids;
    const first = await whole('ann saw');
    expect([first[0], first.at(-1)]).toEqual([1, 0]);

    const planned = (task: TextTaskName, train: object[], more: object = {}) => {
      const kind = task === 'text-generation' ? 'pairs' : 'plain';
      const dataset = { kind, task, classes: [], train, valid: [], test: [] } as never;
      return planText(dataset, { ...fitDefaults(task), data: '', ...more }, base, 8);
    };
    const { task } = planned('text-generation', [], { prefix: 'the ' });
    const item = (source: string) =>
      task.item({ id: '', source, target: 'ann' } as never, { ...base, maxTokens: 8 });
    const { ids, labels } = item('bob');
    expect([...ids.subarray(0, labels[0])]).toEqual((await whole('the bob')).slice(0, -1));
    // A prompt that is cut at its front keeps them.
    const cut = item('ann saw bob and met cleo and dan and left them all today');
    expect(cut.ids).toHaveLength(8);
    expect(cut.ids[0]).toBe(1);
    expect(cut.truncated).toBeGreaterThan(0);

    // Texts one after the other: each begins as the model has always seen it.
    const texts = ['ann saw', 'the film', 'bob'];
    const train = texts.map((text, i) => ({ id: String(i), text }));
    const blocks = planned('language-modeling', train).parts.train as readonly TokenBlock[];
    const documents = await Promise.all(
      texts.map(async (t) => [...(await whole(t)).slice(0, -1), 1]),
    );
    expect(blocks.flatMap((block) => [...block.ids])).toEqual(documents.flat());

    const out = at('llama run');
    await adapt({ data: at('few prompts'), base: at('llama'), epochs: 1, maxLength: 16, out });
    const run = await openTextRun(out);
    const read = await Promise.all(samples.map(async (text) => (await whole(text)).slice(0, -1)));
    expect(promptsOf(run, asked)).toEqual(read);
  });
});

test.each(['gpt2', 'bart'])('an answer alone is the answer in company: %s', async (base) => {
  const run = await openTextRun(at(`prefixed-${base}`));
  const writer = writerOf(run);
  const texts = ['ann', 'dan met bob today and left the film that cleo found', 'bob saw'];
  const prompts = promptsOf(
    run,
    texts.map((text, i) => ({ id: String(i), text })),
  );
  const budget = { usual: (tokens: number) => tokens + 2, firm: true };
  const options = { numBeams: 1, eosTokens: [], suppressTokens: [0, 1] };
  const engine = await testEngine();
  const together = await writeTexts(engine, writer, prompts, budget, options);
  for (const [i, prompt] of prompts.entries()) {
    const [alone] = await writeTexts(engine, writer, [prompt], budget, options);
    expect(alone).toBe(together[i]);
  }
});

test('what is streamed is what is predicted', async () => {
  const out = at('prefixed-gpt2');
  const texts = ['ann', 'dan met bob today'];
  const choices = { maxNewTokens: 7, temperature: 1.4, minP: 0.01, repetitionPenalty: 1.1 };
  const pieces: PredictionPiece[] = [];
  for await (const piece of streamPredictions(out, texts, choices)) pieces.push(piece);
  const streamed = texts.map((_, i) =>
    pieces.flatMap((p) => (p.index === i ? [p.piece] : [])).join(''),
  );
  const { predictions } = await predictRun(out, texts, choices);
  expect(streamed).toEqual(predictions.map((p) => p.output));
  const [first] = predictions;
  expect(pieces.find((p) => p.index === 1)).toMatchObject({ text: texts[1], file: 'argument' });
  const stop = first!.output!.slice(2, 4);
  const [stopped] = (await predictRun(out, ['ann'], { ...choices, stop: [stop] })).predictions;
  expect(stopped!.output!.length).toBeLessThan(first!.output!.length);
  expect(stopped!.output).toContain(stop.trim());
  await expect(predictRun(out, ['ann'], { maxNewTokens: 0 })).rejects.toThrow(
    'maxNewTokens must be a whole number from 1, got 0.',
  );
  const beams = streamPredictions(out, texts, { beams: 2 }).next();
  await expect(beams).rejects.toThrow(/beams are compared only at the end/);
});

test('scores of Chinese say what their words are', async () => {
  const data = write('chinese', {
    'test.csv': csv('source,target', [['ann saw', '我喜欢这部电影']]),
  });
  const { notes } = await evaluateRun(at('prefixed-bart'), data);
  expect(notes?.join()).toMatch(/BLEU takes each of their characters for a word/);
});
