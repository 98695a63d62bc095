/** Whole runs on toy texts whose answers are tokens: names, answers, and frozen trunks below such heads. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { asked, NAMES, pick, toyTexts } from '../../../test/support/toy-texts.js';
import { loadTokenizer } from '../../data/index.js';
import { openCheckpointFolder } from '../../io/index.node.js';
import type { Metrics } from '../../tasks/index.js';
import { evaluateRun, exportRun, predictRun } from '../index.node.js';

const { at, write, adapt } = toyTexts();

test('token-classification: names are found in sentences that were never seen', async () => {
  const data = at('names');
  const run = await adapt({ data, base: at('bert'), epochs: 6, out: at('tags') });
  expect(run.summary.task).toBe('token-classification');
  expect(run.summary.metrics.f1).toBeGreaterThan(0.9);
  const { predictions } = await predictRun(at('tags'), ['the ann met dan today']);
  expect(predictions[0]!.entities!.map((e) => e.text)).toEqual(['ann', 'dan']);
  const [marked] = (await predictRun(at('tags'), ['the  bob left\ncleo today'])).predictions;
  expect(marked!.entities).toEqual([
    { type: 'PER', text: 'bob', start: 5, end: 8 },
    { type: 'PER', text: 'cleo', start: 14, end: 18 },
  ]);
  const file = join(data, 'test.conll');
  const [first] = (await predictRun(at('tags'), [file])).predictions;
  expect(first).toMatchObject({
    file: `${file}:1-5`,
    text: expect.stringMatching(/^the .* today$/),
  });
  expect(first!.entities).toHaveLength(2);
  const again = await evaluateRun(at('tags'), data);
  expect(again.metrics.f1).toBeCloseTo(run.summary.metrics.f1!, 10);
});

test('token-classification with a byte-level tokenizer: words keep their spaces, here and in Python', async () => {
  await adapt({ data: at('names'), base: at('gpt2'), epochs: 1, out: at('spaced') });
  const read = (name: string) =>
    JSON.parse(readFileSync(join(at('spaced'), 'model', name), 'utf8'));
  expect(read('tokenizer_config.json').add_prefix_space).toBe(true);
  expect(read('tokenizer.json').pre_tokenizer).toMatchObject({ add_prefix_space: true });
  const words = ['the', 'ann', 'met', 'dan', 'today'];
  const base = await loadTokenizer(openCheckpointFolder(at('gpt2')));
  const saved = await loadTokenizer(openCheckpointFolder(join(at('spaced'), 'model')));
  expect(saved.encodeWords(words).ids).toEqual(base.encodeWords(words).ids);
  expect(saved.encodeWords(words).ids).toEqual(base.ids(` ${words.join(' ')}`));
});

test('token-classification: neighbours of one kind are told apart by a model of BILOU tags', async () => {
  const sentences = Array.from({ length: 64 }, (_, i) => {
    const [who, whom] = [pick(NAMES, `n${i}`), pick(NAMES, `m${i}`)];
    return `the O\n${who} U-PER\n${whom} U-PER\nleft O\nwarm B-LOC\nfilm L-LOC\n\n`;
  });
  const data = write('bilou', { 'train.conll': sentences.join('') });
  await adapt({ data, base: at('bert'), epochs: 6, out: at('bilou-run') });
  const text = 'the ann dan left warm film';
  const { predictions } = await predictRun(at('bilou-run'), [text]);
  expect(predictions[0]!.entities!.map((e) => [e.type, e.text])).toEqual([
    ['PER', 'ann'],
    ['PER', 'dan'],
    ['LOC', 'warm film'],
  ]);
});

test('question-answering: the answer is found in a context that is cut into windows', async () => {
  const made = { data: at('questions'), base: at('bert'), epochs: 8, maxLength: 32 };
  const run = await adapt({ ...made, out: at('qa') });
  expect(run.summary.task).toBe('question-answering');
  expect(run.summary.metrics.f1).toBeGreaterThan(0.8);
  const context = 'the film was today bob left it. the film was';
  const { predictions } = await predictRun(at('qa'), ['who ?'], { context });
  expect(predictions[0]!.output).toBe('bob');
  await expect(predictRun(at('qa'), ['who ?'])).rejects.toThrow(/--context/);
});

describe('question-answering of questions some of which have no answer', () => {
  const contexts = {
    there: 'the film was today the film was today bob left it. the film was',
    nowhere: 'the film was today the film was today the film was',
  };
  const answers = async (run: string) => {
    const asked = Object.values(contexts).map((context) => predictRun(run, ['who ?'], { context }));
    return (await Promise.all(asked)).map(({ predictions }) => predictions[0]!.output);
  };
  const config = (run: string) => readFileSync(join(run, 'config.json'), 'utf8');

  test('a model that has learned from such says so, alone and exported', async () => {
    const data = write('squad2', {
      'train.json': asked(0, 64, true),
      'valid.json': asked(64, 16, true),
    });
    const made = { data, base: at('bert'), epochs: 8, maxLength: 32 };
    const run = await adapt({ ...made, out: at('qa2') });
    expect(run.summary.metrics).toMatchObject({
      hasAnswerF1: expect.any(Number),
      noAnswerF1: expect.any(Number),
    });
    expect(run.summary.metrics.f1).toBeGreaterThan(0.8);
    expect(await answers(at('qa2'))).toEqual(['bob', '']);
    // The questions of the evaluated set have no say: all of these have an answer.
    const again = await evaluateRun(at('qa2'), at('questions'));
    expect(Object.keys(again.metrics).sort()).toEqual(['exactMatch', 'f1']);
    const { out } = await exportRun(at('qa2'), { to: 'huggingface', out: at('qa2-exported') });
    expect(config(out)).toContain('"handle_impossible_answer": true');
    expect(await answers(out)).toEqual(['bob', '']);
  });

  test('any other answers every question, also where none has an answer', async () => {
    const made = {
      data: at('questions'),
      base: join(at('qa2'), 'model'),
      epochs: 1,
      maxLength: 32,
    };
    await adapt({ ...made, out: at('qa1') });
    expect(config(join(at('qa1'), 'model'))).toContain('"handle_impossible_answer": false');
    expect(await answers(at('qa1'))).not.toContain('');
    const data = write('lacking', { 'valid.json': asked(64, 16, true) });
    const { metrics } = await evaluateRun(at('qa1'), data);
    expect(metrics.noAnswerF1).toBe(0);
  });
});

describe('a frozen trunk', () => {
  const frozen = { method: 'feature-extraction', epochs: 4 } as const;

  test.each([
    ['names', ({ f1 }: Metrics) => f1! > 0.4],
    ['questions', ({ f1 }: Metrics) => f1! > 0.1],
    // Words drawn evenly from the table would have its size.
    ['lines', ({ perplexity }: Metrics) => perplexity! < 50],
  ] as const)('serves a head that reads the tokens of %s', async (name, learned) => {
    const made = { ...frozen, data: at(name), base: at('bert'), maxLength: 32, lr: 0.03 };
    const run = await adapt({ ...made, out: at(`frozen-${name}`) });
    const { metrics } = run.summary;
    expect(learned(metrics), JSON.stringify(metrics)).toBe(true);
    const { total, trainable } = run.summary.parameters;
    expect(trainable).toBeLessThan(total / 4);
  });

  test('is the first stage of gradual unfreezing', async () => {
    const made = { data: at('names'), base: at('bert'), method: 'gradual-unfreezing', epochs: 4 };
    const run = await adapt({ ...made, out: at('unfrozen-names') });
    expect(run.summary.metrics.f1).toBeGreaterThan(0.9);
  });

  test.each([
    ['lines', 'gpt2'],
    ['pairs', 't5'],
    ['alike', 'bert'],
  ])('is refused where no head could learn: %s with %s', async (data, base) => {
    const made = { ...frozen, data: at(data), base: at(base), out: at(`headless-${data}`) };
    await expect(adapt(made)).rejects.toThrow(/trains the head alone.*Choose another method/);
    expect(existsSync(made.out)).toBe(false);
  });
});
