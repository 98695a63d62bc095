/** What reports and evaluations tell beside the scores: by class, label and type of entity, numbers, the worst texts. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { csv, opinions, toyTexts } from '../../../test/support/toy-texts.js';
import { formatDetails } from '../class-details.js';
import { evaluateRun, formatEvaluation, reportRun } from '../index.node.js';

const { at, write, adapt } = toyTexts();
const texts = (count: number, of: (label: string, i: number) => string) =>
  csv(
    'text,labels',
    opinions(count, 'd').map(([text, label], i) => [text!, of(label!, i)]),
  );
const reportOf = (name: string) => readFileSync(join(at(name), 'report.html'), 'utf8');

beforeAll(async () => {
  const made = { base: at('bert'), epochs: 4, maxLength: 32 };
  const parts = (of: (label: string, i: number) => string) => ({
    'train.csv': texts(48, of),
    'test.csv': texts(16, of),
  });
  write(
    'several',
    parts((label, i) => (i % 4 === 0 ? `${label}|early` : label)),
  );
  write(
    'graded',
    parts((label, i) => String((label === 'good' ? 3 : 1) + 0.25 * (i % 3))),
  );
  await adapt({ ...made, data: at('several'), out: at('labels') });
  await adapt({ ...made, data: at('graded'), out: at('numbers') });
  await adapt({ ...made, data: at('names'), out: at('tags') });
  await adapt({ ...made, data: at('lines'), out: at('words'), epochs: 1 });
  await adapt({ ...made, data: at('opinions'), out: at('classes') });
});

test('of one class a text: scores by class and who is taken for whom', async () => {
  const found = await evaluateRun(at('classes'), at('opinions'));
  const { perClass, confusion } = found;
  expect(perClass!.map((c) => [c.label, c.support])).toEqual([
    ['bad', 12],
    ['good', 12],
  ]);
  expect(confusion!.map((row) => row.reduce((a, b) => a + b, 0))).toEqual([12, 12]);
  const right = (confusion![0]![0]! + confusion![1]![1]!) / 24;
  expect(found.metrics.accuracy).toBeCloseTo(right, 10);
  expect(perClass![0]!.recall).toBeCloseTo(confusion![0]![0]! / 12, 10);
  const text = formatEvaluation(found);
  expect(text).toMatch(/^f1 \(macro\) +0\.\d{4}$|^f1 \(macro\) +1\.0000$/m);
  expect(text).toMatch(/^ +precision +recall +f1 +number$/m);
  expect(text).toMatch(/^right \\ predicted +bad +good$/m);
});

test('of several classes a text: each label, micro scores by their name, the worst texts', async () => {
  const found = await evaluateRun(at('labels'), at('several'));
  expect(found).not.toHaveProperty('confusion');
  const support = found.perClass!.map((c) => [c.label, c.support]);
  expect(support).toEqual([
    ['bad', 8],
    ['early', 4],
    ['good', 8],
  ]);
  const mean = found.perClass!.reduce((sum, c) => sum + c.f1, 0) / 3;
  expect(found.metrics.macroF1).toBeCloseTo(mean, 10);
  expect(formatEvaluation(found)).toMatch(/^f1 \(micro\)/m);
  const html = reportOf('labels');
  expect(html).toContain('F1 (micro)');
  expect(html).toContain('Precision (micro)');
  expect(html).toContain('<h2>By labels</h2>');
  expect(html).toContain('<h2>Worst answers</h2>');
  expect(html).toContain('early, good');
});

test('of entities: each type, as seqeval counts them', async () => {
  const found = await evaluateRun(at('tags'), at('names'));
  const { f1, precision, recall } = found.metrics;
  // There is one type, so that its scores are those of all.
  expect(found.perClass).toEqual([
    expect.objectContaining({ label: 'PER', f1, precision, recall }),
  ]);
  expect(found.perClass![0]!.support).toBe(32);
  expect(formatEvaluation(found)).toMatch(/^f1 \(entities, micro\)/m);
  expect(reportOf('tags')).toContain('F1 (entities, micro)');
  expect(reportOf('tags')).toContain('<h2>By types of entities</h2>');
});

test('of a number: predicted against right, and the worst texts', async () => {
  const html = reportOf('numbers');
  expect(html).toContain('<h2>Predicted against right</h2>');
  expect(html.match(/<circle /g)).toHaveLength(16);
  expect(html).toContain('<h2>Worst answers</h2>');
  expect(html).toContain('the film');
  expect(/<section id="scatter">.*?<section id="data">/s.exec(html)![0]).not.toMatch(
    /NaN|undefined/,
  );
});

test('of a language: the texts that cost most, also when the report is written anew', async () => {
  const html = reportOf('words');
  expect(html).toContain('<h2>Highest losses</h2>');
  expect(html).toContain('the film');
  expect(readFileSync(await reportRun(at('words')), 'utf8')).toContain('<h2>Highest losses</h2>');
});

test('more classes than a screen takes are left to --json', () => {
  const one = { precision: 1, recall: 1, f1: 1, support: 1 };
  const many = (n: number) => Array.from({ length: n }, (_, i) => ({ label: `c${i}`, ...one }));
  expect(formatDetails({ perClass: many(21) })).toEqual([]);
  expect(formatDetails({ perClass: many(20) })).toHaveLength(22);
});
