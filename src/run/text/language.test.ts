/** Whole runs on toy texts that guess or write words. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { csv, NAMES, pick, toyTexts, VERBS } from '../../../test/support/toy-texts.js';
import { predictRun } from '../index.node.js';

const { at, write, adapt } = toyTexts();

test.each([
  ['bert', 'mlm'],
  ['gpt2', 'clm'],
] as const)('language-modeling with %s: the loss falls by %s', async (base, _) => {
  const run = await adapt({
    data: at('lines'),
    base: at(base),
    epochs: 6,
    maxLength: 32,
    out: at(`lm-${base}`),
  });
  expect(run.summary.task).toBe('language-modeling');
  const log = readFileSync(join(at(`lm-${base}`), 'metrics.jsonl'), 'utf8')
    .trim()
    .split('\n');
  const losses = log.map((l) => JSON.parse(l)).filter((l) => l.split === 'valid');
  expect(losses.at(-1).values.loss).toBeLessThan(0.75 * Math.log(200));
  expect(run.summary.metrics.perplexity).toBeCloseTo(Math.exp(run.summary.metrics.logLoss!), 6);
  if (base === 'gpt2') return;
  const fill = async (text: string) => (await predictRun(at('lm-bert'), [text])).predictions[0]!;
  const { answers } = await fill('the [MASK] was lovely today .');
  expect(answers!.map((a) => a.label)).toContain('film');
  expect(answers).toHaveLength(3);
  await expect(fill('the film')).rejects.toThrow(/write \[MASK\] in its place. "the film" has 0\./);
  await expect(fill('[MASK] film [MASK]')).rejects.toMatchObject({ code: 'no-mask' });
});

test('translation: words are put into another order and language', async () => {
  const made = { data: at('pairs'), base: at('t5'), epochs: 30, lr: 0.01 };
  const run = await adapt({ ...made, out: at('swap') });
  expect(run.summary.task).toBe('translation');
  expect(run.summary.metrics.perplexity).toBeLessThan(1.6);
  expect(run.summary.metrics.chrf).toBeGreaterThan(70);
  expect(run.summary.metrics).toHaveProperty('bleu');
  const [written] = (await predictRun(at('swap'), ['ann met'])).predictions;
  expect(written!.output).toBe('met ann');
});

test('text-generation: a decoder learns what follows a prompt, and where it ends', async () => {
  const rows = Array.from({ length: 96 }, (_, i) => {
    const name = pick(NAMES, `g${i}`);
    return [`${name} ${pick(VERBS, `h${i}`)}`, `the ${name}`];
  });
  const data = write('prompts', { 'train.csv': csv('prompt,completion', rows) });
  const run = await adapt({ data, base: at('gpt2'), epochs: 40, lr: 0.005, out: at('prompted') });
  expect(run.summary.task).toBe('text-generation');
  expect(run.summary.metrics.perplexity).toBeLessThan(1.6);
  expect(run.summary.metrics.rougeL).toBeGreaterThan(0.6);
});

test('a base that cannot do what the data asks for is refused before anything is written', async () => {
  const data = write('pairs2', {
    'train.csv': csv('source,target', [
      ['a', 'b'],
      ['c', 'd'],
    ]),
  });
  await expect(adapt({ data, base: at('bert'), out: at('none') })).rejects.toMatchObject({
    code: 'no-head',
  });
  const made = { data: at('alike'), base: at('t5'), out: at('none') };
  await expect(adapt(made)).rejects.toThrow(/needs an encoder such as bert.* is a t5/);
  expect(existsSync(at('none'))).toBe(false);
});
