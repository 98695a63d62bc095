/** Training texts in other words, by two models that translate. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testEngine } from '../../../test/support/engine.js';
import { temporaryFolder } from '../../../test/support/pictures.js';
import { writeTinyTextBase } from '../../../test/support/tiny-text-base.js';
import { csv, opinions } from '../../../test/support/toy-texts.js';
import { fit as fitRun } from '../fit.js';
import { fitDefaults } from '../options.js';
import { paraphrases, translatorNames, translatorOf } from './back-translation.js';
import { openTextFolder } from './base.js';
import { planText } from './plan.js';
import { streamOf } from './streams.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const at = (name: string) => join(root, name);
const rows = opinions(24, 'w');
const texts = rows.map(([text]) => text!);
const pairs = rows.map(([text]) => [text!, text!.split(' ').reverse().join(' ')]);

beforeAll(async () => {
  await writeTinyTextBase(at('t5'), texts, 't5');
  await writeTinyTextBase(at('bert'), texts, 'bert');
  writeFileSync(at('pairs.csv'), csv('source,target', pairs));
  writeFileSync(at('opinions.csv'), csv('text,label', rows));
  const base = { base: at('t5'), data: at('pairs.csv'), batch: 8, lr: 0.01, valid: 0 };
  await fitRun({ ...base, task: 'translation', epochs: 40, out: at('there') });
});

const samples = rows.map(([text], i) => ({ id: `${i}`, text: text!, label: i % 2 }));

test('a run of translation turns texts round, and round again', async () => {
  const engine = await testEngine();
  const seen: number[] = [];
  const translate = await translatorOf(at('there'), { engine, progress: (n) => seen.push(n) });
  const turned = await translate(texts);
  expect(turned).toEqual(await translate(texts));
  expect(turned.filter((text, i) => text === pairs[i]![1]).length).toBeGreaterThan(12);
  expect(seen).toEqual([24, 24]);
  const done: number[] = [];
  const both = `${at('there')}, ${at('there')}`;
  const progress = (n: number, total: number) => done.push(n / total);
  const other = await paraphrases(samples, both, { engine, progress });
  expect([...other.keys()]).toEqual(samples.map((s) => s.id));
  expect(done).toEqual([0.5, 1]);
});

test('about half of the texts of a pass are read in other words, in evaluation none', async () => {
  const base = await openTextFolder(at('bert'));
  const choices = { ...fitDefaults('text-classification'), data: '', batch: 24 };
  const parts = { train: samples, valid: [], test: [] };
  const dataset = {
    kind: 'single-label',
    task: 'text-classification',
    classes: ['a', 'b'],
    ...parts,
  };
  const plan = planText(dataset as never, choices, base, 32);
  const others = new Map(samples.map(({ id }) => [id, 'dull']));
  const stream = await streamOf(plan, samples, {
    ...{ base, choices, maxTokens: 32, fingerprint: 'x', others },
  });
  const dull = [...base.tokenizer.ids('dull')];
  const changed = async (epoch: number, training: boolean) => {
    const found: number[] = [];
    for await (const { feeds, indices } of stream.read({ epoch, training })) {
      const { data, shape } = feeds.input_ids!;
      for (const [row, sample] of indices.entries()) {
        const ids = Array.from(data, Number).slice(row * shape[1]!, (row + 1) * shape[1]!);
        if (ids.slice(0, dull.length + 1).join() === [...dull, 0].join()) found.push(sample);
      }
    }
    return found.sort((a, b) => a - b);
  };
  const [first, second] = [await changed(0, true), await changed(1, true)];
  expect(first.length).toBeGreaterThan(4);
  expect(first.length).toBeLessThan(20);
  expect(second).not.toEqual(first);
  expect(await changed(0, true)).toEqual(first);
  expect(await changed(0, false)).toEqual([]);
});

test('a whole run by it, repeatable', async () => {
  const choices = {
    data: at('opinions.csv'),
    base: at('bert'),
    backTranslate: `${at('there')},${at('there')}`,
    epochs: 2,
    lr: 0.003,
    batch: 8,
  };
  const [a, b] = [
    await fitRun({ ...choices, out: at('a') }),
    await fitRun({ ...choices, out: at('b') }),
  ];
  expect(a.summary.metrics).toEqual(b.summary.metrics);
  const { backTranslate: _, ...plain } = choices;
  const c = await fitRun({ ...plain, out: at('c') });
  expect(c.summary.metrics).not.toEqual(a.summary.metrics);
});

test('says what is wrong before anything is made', async () => {
  expect(translatorNames(' x , y')).toEqual(['x', 'y']);
  const given = { data: at('opinions.csv'), base: at('bert'), out: at('none') };
  await expect(fitRun({ ...given, backTranslate: 'one' })).rejects.toThrow(/THERE,BACK; got 'one'/);
  await expect(fitRun({ ...given, backTranslate: `${at('bert')},x` })).rejects.toThrow(
    /needs two translators, and .*bert is none: its head is/,
  );
  const pairsData = {
    ...given,
    base: at('t5'),
    data: at('pairs.csv'),
    task: 'translation',
  } as const;
  await expect(fitRun({ ...pairsData, backTranslate: 'a,b' })).rejects.toThrow(
    /backTranslate is for texts with classes or scores/,
  );
});
