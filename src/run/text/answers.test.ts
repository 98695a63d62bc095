/** What is asked of finished runs on toy texts: nearest texts, rows of tables, reports. */
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ALIKE, csv, toyTexts } from '../../../test/support/toy-texts.js';
import { predictRun, reportRun } from '../index.node.js';

const { at, write, adapt } = toyTexts();

beforeAll(async () => {
  const made = { base: at('bert'), epochs: 1, maxLength: 32 };
  await adapt({ ...made, data: at('opinions'), out: at('classes') });
  await adapt({ ...made, data: at('names'), out: at('tags') });
  await adapt({ ...made, data: at('lines'), out: at('words') });
});

test('sentence-similarity: a text is nearest to its partner', async () => {
  const data = at('alike');
  const run = await adapt({ data, base: at('bert'), epochs: 6, out: at('near') });
  expect(run.summary.task).toBe('sentence-similarity');
  expect(run.summary.metrics.accuracy).toBeGreaterThan(0.8);
  const texts = [ALIKE[0]!, ALIKE[5]!].flat() as string[];
  const { predictions } = await predictRun(at('near'), texts);
  expect(predictions.map((p) => p.nearest!.text)).toEqual([1, 0, 3, 2].map((i) => texts[i]));
  const [a, b] = predictions.map((p) => p.embedding!);
  const dot = (x: readonly number[], y: readonly number[]) =>
    x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  expect(dot(a!, a!)).toBeCloseTo(1, 5);
  expect(dot(a!, b!)).toBeCloseTo(predictions[0]!.nearest!.score, 5);
  const [alone] = (await predictRun(at('near'), [texts[0]!])).predictions;
  expect(alone).not.toHaveProperty('nearest');
  expect(dot(alone!.embedding!, a!)).toBeCloseTo(1, 5);
  const [both] = (await predictRun(at('near'), [texts[0]!], { pair: texts[1]! })).predictions;
  expect(both).toMatchObject({ text: texts[0], text2: texts[1] });
  expect(both!.score).toBeCloseTo(dot(a!, b!), 5);
  // A table names both texts of each row.
  const table = join(data, 'valid.csv');
  expect((await predictRun(at('near'), [table])).predictions[0]).toEqual({
    ...both,
    file: `${table}:2`,
  });
});

test('sentence-similarity: scores from 0 to 5 are learned as cosines, and the run says so', async () => {
  const rows = ALIKE.slice(0, 32).flatMap(([a, b], i) => [
    [a!, b!, i % 2 ? '4.6' : '4.2'],
    [a!, ALIKE[(i + 21) % 64]![1]!, i % 2 ? '0.1' : '0.4'],
  ]);
  const data = write('graded', { 'train.csv': csv('sentence1,sentence2,score', rows) });
  const notes: string[] = [];
  const run = await adapt({
    data,
    base: at('bert'),
    task: 'sentence-similarity',
    epochs: 6,
    out: at('graded-run'),
    listener: (e) => e.type === 'note' && notes.push(e.text),
  });
  expect(notes.join()).toContain('the scores lie from 0.1 to 4.6');
  const record = JSON.parse(readFileSync(join(at('graded-run'), 'run.json'), 'utf8'));
  expect(record.data.scores).toEqual({ low: 0.1, high: 4.6 });
  // Scores of 4 as cosines would pull everything together.
  expect(run.summary.metrics.spearman).toBeGreaterThan(0.5);
  const unlike = { pair: ALIKE[21]![1]! };
  const { predictions } = await predictRun(at('graded-run'), [ALIKE[0]![0]!], unlike);
  expect(predictions[0]!.score).toBeLessThan(0.6);
});

test('rows without a text are told of, and what means nothing to a model is refused', async () => {
  const data = write('gaps', {
    'asked.csv': csv('text,label', [
      ['the film', 'x'],
      ['', 'x'],
    ]),
  });
  const { predictions, skipped } = await predictRun(at('classes'), [join(data, 'asked.csv')]);
  expect(predictions.map((p) => p.text)).toEqual(['the film']);
  const file = join(data, 'asked.csv');
  expect(predictions.map((p) => p.file)).toEqual([`${file}:2`]);
  expect(skipped).toEqual([{ file: `${file}:3`, reason: 'has no text' }]);
  await expect(predictRun(at('classes'), [' '])).rejects.toThrow('A text that was given is empty.');
  await expect(predictRun(at('tags'), ['ann'], { pair: 'bob' })).rejects.toThrow(
    '--pair is for models that classify or compare two texts',
  );
  await expect(predictRun(at('classes'), ['ann'], { context: 'bob' })).rejects.toThrow(
    '--context is for models that answer questions',
  );
});

test('the report is written anew, also when the data is gone', async () => {
  const report = async (name: string) => readFileSync(await reportRun(at(name)), 'utf8');
  const plain = (html: string) => html.replaceAll(/<time.*?<\/time>/g, '');
  for (const name of ['classes', 'tags', 'words', 'near']) {
    const before = readFileSync(join(at(name), 'report.html'), 'utf8');
    expect(plain(await report(name))).toBe(plain(before));
  }
  const [there, gone] = [at('opinions'), at('elsewhere')];
  renameSync(there, gone);
  try {
    const html = await report('classes');
    expect(html).toContain('accuracy');
    expect(html).not.toContain('the film');
  } finally {
    renameSync(gone, there);
  }
});
