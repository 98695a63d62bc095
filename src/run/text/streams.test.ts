/** Texts on disk make the batches that texts in memory make. */
import { expect, test } from 'vitest';
import { csv, opinions, toyTexts } from '../../../test/support/toy-texts.js';
import { readTextDataset } from '../../data/index.node.js';
import { isLazy } from '../../util/index.js';
import { fitDefaults } from '../options.js';
import { openTextFolder } from './base.js';
import { textDataRecord } from './data-record.js';
import { relabelled } from './evaluate.js';
import { planText } from './plan.js';
import { ReadTexts } from './read-texts.js';
import { streamsOf } from './streams.js';

const { at, write } = toyTexts();

/** The most tokens of a text: a context takes several windows. */
const LONG = 16;
const WORDS = ['ann', 'saw', 'the', 'dull', 'film'];
const SETS: Record<string, Record<string, string>> = {
  classes: { 'train.csv': csv('text,label', opinions(90, 'm')) },
  names: {
    'train.conll': Array.from({ length: 24 }, (_, i) =>
      WORDS.slice(i % 4).map((w) => `${w} ${w === 'ann' ? 'U-PER' : 'O'}`),
    )
      .map((lines) => lines.join('\n'))
      .join('\n\n'),
  },
  spans: {
    'train.jsonl': Array.from({ length: 20 }, (_, i) => {
      const context = `${WORDS.slice(i % 4).join(' ')} ann saw the film. bob saw the dull film`;
      const answers = { text: ['bob'], answer_start: [context.indexOf('bob')] };
      return JSON.stringify({ question: 'the film?', context, answers });
    }).join('\n'),
  },
  scores: {
    'train.csv': csv(
      'text,score',
      opinions(40, 's').map(([text], i) => [text!, `${i / 8}`]),
    ),
  },
};

test.each(Object.keys(SETS))('of %s', async (name) => {
  const path = write(name, SETS[name]!);
  const base = await openTextFolder(at('bert'));
  const made = async (heldBytes: number) => {
    const found = await readTextDataset(path, { heldBytes });
    const dataset = relabelled(found, [...found.classes].reverse());
    const choices = { ...fitDefaults(dataset.task), data: path, batch: 8, augment: 'none' };
    const plan = planText(dataset, choices, base, LONG);
    const read = new ReadTexts(base, { maxTokens: LONG });
    const record = textDataRecord(dataset, plan);
    const done: number[] = [];
    const streams = await streamsOf(plan, {
      ...{ base, choices, maxTokens: LONG, fingerprint: record.fingerprint, read },
      progress: (n) => done.push(n),
    });
    const { train, valid } = streams;
    const batches: unknown[] = [];
    for (const training of [true, false]) {
      for await (const batch of train!.read({ epoch: 1, training })) batches.push(batch);
    }
    for await (const batch of valid!.read({ epoch: 0, training: false })) batches.push(batch);
    expect(isLazy(train!.truth)).toBe(heldBytes === 0);
    return {
      record,
      batches,
      read: [read.facts(), read.notes()],
      truth: [[...train!.truth], [...valid!.truth]],
      ids: [...train!.ids],
      trainingIds: train!.trainingIds,
      prints: [train!.fingerprint, valid!.fingerprint],
    };
  };
  const held = await made(1e9);
  expect(held.batches.length).toBeGreaterThan(4);
  expect(await made(0)).toEqual(held);
});
