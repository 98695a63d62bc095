/** Sets that are too large to be held are read as small ones are. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { isLazy } from '../../util/index.js';
import { type ReadTextOptions, readTextDataset } from './read-text-dataset.js';

const root = mkdtempSync(join(tmpdir(), 'graft-stored-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function write(folder: string, files: Record<string, string>): string {
  for (const [name, content] of Object.entries(files)) {
    const file = join(root, folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  return join(root, folder);
}

/** The set as it is held and as it lies on disk; what refuses one refuses the other. */
async function both(path: string, options: ReadTextOptions = {}) {
  const read = async (heldBytes: number) => {
    try {
      const set = await readTextDataset(path, { ...options, heldBytes });
      expect([set.train, set.valid].some(isLazy)).toBe(heldBytes === 0);
      return { ...set, train: [...set.train], valid: [...set.valid], test: [...set.test] };
    } catch (error) {
      return (error as Error).message;
    }
  };
  return { held: await read(1e9), stored: await read(0) };
}

const rows = (n: number, row: (i: number) => string) =>
  Array.from({ length: n }, (_, i) => row(i)).join('\n');

const SETS: Record<string, Record<string, string>> = {
  classes: { 'a.csv': `text,label\n${rows(60, (i) => `text ${i % 50},${'abc'[i % 3]}`)}` },
  parts: {
    'train.csv': `text,label\n${rows(30, (i) => `text ${i},${i % 2}`)}`,
    'test.csv': `text,label\n${rows(9, (i) => `text ${i * 7},${i % 2}`)}`,
  },
  'a column of parts': {
    'a.csv': `text,label,split\n${rows(20, (i) => `t ${i},${i % 2},${i < 15 ? 'train' : 'test'}`)}`,
  },
  pairs: { 'a.csv': `premise,hypothesis,label\n${rows(20, (i) => `p ${i},h ${i},${i % 2}`)}` },
  several: {
    'a.jsonl': rows(20, (i) =>
      JSON.stringify({ text: `t ${i}`, labels: i % 3 ? ['x', 'y'].slice(i % 2) : [] }),
    ),
  },
  flags: { 'a.csv': `text,toxic,mild\n${rows(20, (i) => `t ${i},${i % 2},${(i >> 1) % 2}`)}` },
  numbers: { 'a.csv': `text,score\n${rows(20, (i) => `t ${i},${i / 7}`)}` },
  names: {
    'train.conll': rows(20, (i) => `Ann${i} I-PER\nsaw O\nRome I-LOC\n`),
    'valid.conll': rows(4, (i) => `Bob${i} I-PER\nran O\n`),
  },
  translations: { 'a.tsv': `en\tde\n${rows(20, (i) => `one ${i}\teins ${i}`)}` },
  questions: {
    'a.jsonl': rows(20, (i) =>
      JSON.stringify({
        question: `who ${i}?`,
        context: `It was Ann ${i >> 1}.`,
        answers: { text: ['Ann'], answer_start: [7] },
      }),
    ),
  },
  folders: Object.fromEntries(
    Array.from({ length: 12 }, (_, i) => [`${i % 2 ? 'good' : 'bad'}/${i}.txt`, `one ${i}\n\ntwo`]),
  ),
  text: { 'a.txt': rows(30, (i) => `Line ${i % 20}.\n`) },
  faults: {
    'a.csv': `text,label\n${rows(20, (i) => (i % 5 ? `t ${i},${i % 2}` : `,${i % 2}`))}\nx,`,
  },
  'one class': { 'a.csv': `text,label\n${rows(5, (i) => `t ${i},x`)}` },
  'names by case': { 'a.csv': 'text,label\na,x\nb,X\nc,y' },
  'a part that is none': { 'a.csv': 'text,label,split\na,x,train\nb,y,later' },
};

describe('a set on disk is the set in memory', () => {
  test.each(Object.keys(SETS))('%s', async (name) => {
    const path = write(name, SETS[name]!);
    for (const options of [{}, { seed: 3, valid: 0.4 }, { split: false }]) {
      const { held, stored } = await both(path, options);
      expect(stored).toEqual(held);
    }
  });

  test('with a validation part from elsewhere', async () => {
    const path = write('here', SETS.classes!);
    const valid = write('there', {
      'v.csv': `text,label\n${rows(9, (i) => `other ${i},${'abc'[i % 3]}`)}`,
    });
    const { held, stored } = await both(path, { valid });
    expect(stored).toEqual(held);
    expect(held).toMatchObject({ valid: { length: 9 } });
  });

  test('of any rows', async () => {
    let n = 0;
    const cell = fc.string({ unit: 'grapheme', maxLength: 12 });
    const rowOf = fc.record({ text: cell, label: fc.constantFrom('a', 'b', 'c', '') });
    await fc.assert(
      fc.asyncProperty(fc.array(rowOf, { maxLength: 25 }), fc.nat(5), async (list, seed) => {
        const file = `any-${n++}.jsonl`;
        write('any', { [file]: list.map((row) => JSON.stringify(row)).join('\n') });
        const { held, stored } = await both(join(root, 'any', file), { seed });
        expect(stored).toEqual(held);
      }),
      { numRuns: 50 },
    );
  });
});
