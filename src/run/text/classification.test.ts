/** Whole runs on toy texts with classes: they learn, go on where they stopped, are read back. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resultOf } from '../../../test/support/cli.js';
import { csv, NAMES, opinions, pick, toyTexts } from '../../../test/support/toy-texts.js';
import {
  describeBase,
  evaluateRun,
  type FitOptions,
  predictRun,
  type RunListener,
  reportRun,
} from '../index.node.js';

const { at, write, adapt } = toyTexts();

describe('text-classification', () => {
  test('is recognised, learned, evaluated and answered', async () => {
    const run = await adapt({ data: at('opinions'), base: at('bert'), epochs: 6, out: at('c') });
    expect(run.summary).toMatchObject({ task: 'text-classification', method: 'fine-tune' });
    expect(run.summary.metrics.accuracy).toBeGreaterThan(0.9);
    const again = await evaluateRun(at('c'), at('opinions'));
    expect(again).toMatchObject({ part: 'test', unit: 'texts', samples: 24 });
    expect(again.metrics.accuracy).toBeCloseTo(run.summary.metrics.accuracy!, 10);
    const { predictions } = await predictRun(at('c'), ['the film was lovely', 'it was grim']);
    expect(predictions.map((p) => p.answers![0]!.label)).toEqual(['good', 'bad']);
    const report = readFileSync(join(at('c'), 'report.html'), 'utf8');
    expect(report).toContain('the film');
  });

  test('goes on to the bits of the straight run, with words dropped and layers drawn anew', async () => {
    const options: Partial<FitOptions> = {
      data: at('opinions'),
      base: at('bert'),
      epochs: 2,
      augment: 'default',
      reinitLayers: 1,
      layerDecay: 0.8,
      accumulate: 2,
      ema: 0.9,
      checkpointEvery: 1,
    };
    await adapt({ ...options, out: at('straight') });
    const stop = new AbortController();
    const listener: RunListener = (e) => e.type === 'step' && e.step === 8 && stop.abort();
    const broken = { ...options, out: at('broken'), listener, signal: stop.signal };
    expect((await adapt(broken)).interrupted).toBe(true);
    await adapt({ resume: true, out: at('broken') });
    expect(resultOf(at('broken'))).toEqual(resultOf(at('straight')));
  });

  test.each(['feature-extraction', 'gradual-unfreezing', 'scratch'])('by %s', async (method) => {
    const run = await adapt({
      data: at('opinions'),
      base: at('bert'),
      epochs: 3,
      method,
      // The head's own rate is many times that of the layers.
      ...(method === 'gradual-unfreezing' ? { lr: 3e-4 } : {}),
      out: at(method),
    });
    expect(run.summary.metrics.logLoss).toBeLessThan(0.75);
    expect(run.summary.parameters.trainable > 5000).toBe(method !== 'feature-extraction');
  });

  test('of several classes, and of numbers', async () => {
    const rows = opinions(160, 'm').map(([text, label]) => {
      const labels = [label!, text!.includes('saw') ? 'seen' : ''].filter(Boolean);
      return JSON.stringify({ text, labels });
    });
    const several = write('several', { 'train.jsonl': rows.join('\n') });
    // Seed 3 finds one of the two classes only, in 12 passes as in 30; 1, 2, 4 and 5 reach 0.88 to 1.
    const made = { data: several, base: at('bert'), epochs: 12, seed: 1 };
    const many = await adapt({ ...made, out: at('many') });
    expect(many.summary.metrics.f1).toBeGreaterThan(0.7);
    const [first] = (await predictRun(at('many'), ['the film was lovely today'])).predictions;
    expect(first!.answers!.map((a) => a.label)).toContain('good');
    const scores = opinions(60, 'n').map(([text, label]) => [
      text!,
      label === 'good' ? '0.9' : '0.1',
    ]);
    const graded = write('graded', { 'train.csv': csv('text,label', scores) });
    const number = await adapt({ data: graded, base: at('bert'), epochs: 10, out: at('number') });
    expect(number.summary.metrics.pearson).toBeGreaterThan(0.8);
  });

  test('whole numbers are classes, or ratings where a person says so', async () => {
    const rows = opinions(60, 'w').map(([text, label]) => [text!, label === 'good' ? '4' : '1']);
    const data = write('rated', { 'train.csv': csv('text,label', [...rows, ['the film', '3']]) });
    const notes: string[] = [];
    const listener: RunListener = (e) => e.type === 'note' && notes.push(e.text);
    const made = { data, base: at('bert'), listener };
    const classes = await adapt({ ...made, epochs: 1, out: at('rated-classes') });
    expect(classes.summary.metrics).toHaveProperty('accuracy');
    expect(notes.join()).toMatch(
      /whole numbers \(1, 3, 4\) and taken as 3 classes.*--problem regre/,
    );
    notes.length = 0;
    const out = at('rated-numbers');
    const numbers = await adapt({ ...made, problem: 'regression', epochs: 10, out });
    expect(notes.join()).not.toContain('whole numbers');
    expect(numbers.summary.metrics.pearson).toBeGreaterThan(0.8);
    // The model says what the labels of a set are, and of a report's data the run does.
    expect((await evaluateRun(out, data)).metrics.pearson).toBeGreaterThan(0.8);
    expect(readFileSync(await reportRun(out), 'utf8')).toContain('pearson');
  });

  test('a model of one output that says nothing of its problem gives a score', async () => {
    const folder = at('one-output');
    cpSync(join(at('rated-numbers'), 'model'), folder, { recursive: true });
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const { problem_type: problem, ...others } = config;
    expect(problem).toBe('regression');
    writeFileSync(join(folder, 'config.json'), JSON.stringify(others));
    const texts = ['the film was lovely today', 'the film was grim today'];
    const { predictions } = await predictRun(folder, texts);
    const scores = predictions.map((p) => p.score!);
    expect(scores).toEqual(
      (await predictRun(at('rated-numbers'), texts)).predictions.map((p) => p.score),
    );
    expect(scores[0]).toBeGreaterThan(scores[1]!);
    expect((await evaluateRun(folder, at('rated'))).metrics.pearson).toBeGreaterThan(0.8);
    expect(await describeBase(folder)).toMatchObject({ classes: 0 });
  });

  test('cuts texts that are too long and says so; with strict it is an error', async () => {
    const long = write('long', {
      'train.csv': csv('text,label', [
        ...opinions(20, 'l'),
        [`${'lovely '.repeat(100)}film`, 'good'],
        [`${'dull '.repeat(100)}film`, 'bad'],
      ]),
    });
    const notes: string[] = [];
    const listener: RunListener = (e) => e.type === 'note' && notes.push(e.text);
    const options = { data: long, base: at('bert'), epochs: 1 };
    await adapt({ ...options, out: at('cut'), listener });
    expect(notes.join()).toMatch(/2 texts are longer than 64 tokens and cut there/);
    await expect(adapt({ ...options, out: at('no'), strict: true })).rejects.toMatchObject({
      code: 'too-long',
    });
  });
});

test('a control that learned nothing is told of', async () => {
  const made = { data: at('opinions'), base: at('bert'), control: true };
  const bad = await adapt({ ...made, epochs: 1, batch: 96, out: at('hasty') });
  expect(bad.summary.control!.betterThanGuessing).toBe(false);
  expect(bad.text).toContain('The control learned nothing');
  expect(readFileSync(join(at('hasty'), 'report.html'), 'utf8')).toContain(
    'no better than guesses',
  );
  const file = join(at('hasty'), 'run.json');
  const record = JSON.parse(readFileSync(file, 'utf8'));
  record.control.metrics.matthews = 0.9;
  writeFileSync(file, JSON.stringify(record));
  expect(readFileSync(await reportRun(at('hasty')), 'utf8')).not.toContain(
    'no better than guesses',
  );
});

test('text-classification of pairs: the second text is read', async () => {
  const rows = opinions(96, 'p').map(([text, label], i) => [
    `${pick(NAMES, `c${i}`)} saw`,
    text!,
    label!,
  ]);
  const data = write('couples', { 'train.csv': csv('premise,hypothesis,label', rows) });
  await adapt({ data, base: at('bert'), epochs: 8, out: at('couple') });
  const answer = async (input: string, pair?: string) =>
    (await predictRun(at('couple'), [input], pair === undefined ? {} : { pair })).predictions.map(
      (p) => p.answers![0]!.label,
    );
  expect(await answer('ann saw', 'the film was kind today')).toEqual(['good']);
  expect(await answer('ann saw', 'the film was cold today')).toEqual(['bad']);
  const right = rows.map(([, , label]) => label);
  const found = await answer(join(data, 'train.csv'));
  expect(found.filter((label, i) => label === right[i]).length).toBeGreaterThan(86);
});

test.each([
  ['opinions', { size: 64 }, /size is for pictures, and .*opinions is of texts/],
  ['opinions', { reinitLayers: 3 }, /the base has 2 layers, got 3/],
  [
    'questions',
    { labelSmoothing: 0.1 },
    /labelSmoothing is for .*; this data is for question-answ/,
  ],
  ['names', { classWeights: 'balanced' }, /one class each; this data is for token-classification/],
  ['names', { augment: 'light' }, /augment is for texts with classes or scores/],
  ['opinions', { objective: 'mlm' }, /objective is for language-modeling; this data is for text-c/],
  [
    'names',
    { problem: 'regression' },
    /problem is for text-classification; this data is for token/,
  ],
  [
    'opinions',
    { augment: 'light', method: 'feature-extraction' },
    /augment makes other texts for each pass, and feature-extraction reads each text once/,
  ],
  [
    'opinions',
    { backTranslate: 'a,b', method: 'feature-extraction' },
    /backTranslate makes other texts for each pass/,
  ],
  ['opinions', { prefix: 'say: ' }, /prefix is for translation, summarization and text-generation/],
  ['opinions', { patience: 1, valid: 0 }, /patience counts .* Leave one of the two out/],
] as const)('of %s with %o is refused before anything is written', async (name, more, message) => {
  const made = { data: at(name), base: at('bert'), out: at('refused'), ...more };
  await expect(adapt(made)).rejects.toThrow(message);
  expect(existsSync(at('refused'))).toBe(false);
});
