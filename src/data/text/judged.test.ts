/** What is read otherwise than it lies, refused, or told of, so that no score is taken for what it is not. */
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, test } from 'vitest';
import { textFiles } from '../../../test/support/text-files.js';
import { readTextDataset } from './read-text-dataset.js';
import { looksLikeText } from './text-layout.js';

const { folder, file } = textFiles();
/** Rows of two classes in turn. */
const rows = (n: number, from = 0) =>
  Array.from({ length: n }, (_, i) => `text ${from + i},${i % 2 ? 'a' : 'b'}\n`).join('');
const table = (n: number, from = 0) => `text,label\n${rows(n, from)}`;

describe('class folders', () => {
  const good = { 'a/1.txt': 'x', 'a/2.txt': 'y', 'c/1.txt': 'z', 'c/2.txt': 'w' };

  test.each([
    ['of empty files', { 'b/1.txt': '', 'b/2.txt': ' \n' }],
    ['of files that are not read', { 'b/1.docx': 'text' }],
  ])('%s are refused', async (_name, bad) => {
    await expect(readTextDataset(folder({ ...good, ...bad }))).rejects.toMatchObject({
      code: 'empty-class',
      message: expect.stringContaining('no usable text in b.'),
    });
    const train = Object.fromEntries(
      Object.entries({ ...good, ...bad }).map(([k, v]) => [`train/${k}`, v]),
    );
    await expect(readTextDataset(folder(train))).rejects.toThrow('no usable text in b.');
  });

  test('list an empty file, which is an error where it is strict', async () => {
    const path = folder({ ...good, 'a/3.txt': '' });
    const { skipped } = await readTextDataset(path, { valid: 0 });
    expect(skipped).toEqual([{ id: 'a/3.txt', reason: 'has no text' }]);
    await expect(readTextDataset(path, { strict: true })).rejects.toThrow('a/3.txt has no text');
  });

  test('with texts beside them say so; for language modelling all are read', async () => {
    const path = folder({ ...good, 'loose.txt': 'v' });
    const { notes, train } = await readTextDataset(path, { valid: 0 });
    expect(train.length).toBe(4);
    expect(notes).toEqual([
      expect.stringContaining('1 file beside the class folders, such as loose.txt'),
    ]);
    const all = await readTextDataset(path, { valid: 0, task: 'language-modeling' });
    expect(all.train.length).toBe(5);
  });
});

test('a split that is none is refused with its line', async () => {
  const path = file('a.csv', 'text,label,split\nx,a,train\ny,b,holdout\n');
  await expect(readTextDataset(path)).rejects.toThrow(
    /a.csv, line 3: the split "holdout" is none of/,
  );
});

describe('columns that nothing is known of', () => {
  test.each([
    ['text,gold\nx,a\ny,b\n', 'has the column gold beside text'],
    [
      'premise,hypothesis,gold\nx,y,a\nz,w,b\n',
      'has the column gold beside premise and hypothesis',
    ],
    ['text,toxic,insult\nx,0,1\ny,2,0\n', 'has the columns toxic, insult beside text'],
  ])('%j are refused', async (content, message) => {
    await expect(readTextDataset(file('a.csv', content))).rejects.toThrow(message);
  });

  test('are left out where the task is named, or they tell where a text is from', async () => {
    const named = file('a.csv', 'text,gold\nx,a\ny,b\n');
    expect((await readTextDataset(named, { task: 'language-modeling' })).kind).toBe('plain');
    const wiki = file('a.csv', 'id,url,title,text,created_at\n1,u,t,x,2020\n2,u,t,y,2020\n');
    expect((await readTextDataset(wiki)).kind).toBe('plain');
  });

  test('and hold 0 and 1 are labels', async () => {
    const path = file('a.csv', 'id,text,toxic,insult\n1,x,0,1\n2,y,1,1\n3,z,0,0\n');
    for (const task of [undefined, 'text-classification'] as const) {
      const data = await readTextDataset(path, { valid: 0, task });
      expect(data).toMatchObject({
        kind: 'multi-label',
        classes: ['insult', 'toxic'],
        train: [{ labels: [0] }, { labels: [0, 1] }, { labels: [] }],
      });
      expect(data.notes).toEqual(['the columns toxic, insult hold 0 and 1 and are read as labels']);
    }
  });
});

test.each(['csv', 'tsv'])('signs for no value in .%s are missing, and counted', async (ending) => {
  const content = `${table(4)}NaN,a\nx,NULL\ny,None\nz,NULL\nnone,a\n`;
  const path = file(`a.${ending}`, ending === 'csv' ? content : content.replaceAll(',', '\t'));
  const { classes, skipped, notes, train } = await readTextDataset(path, { valid: 0 });
  expect([classes, train.length]).toEqual([['a', 'b'], 5]);
  expect(skipped.map((s) => s.reason)).toEqual(['has no text', ...Array(3).fill('has no label')]);
  expect(notes.map((n) => n.split(' stands for')[0])).toEqual([
    '"NaN" in the column text',
    '"NULL" in the column label',
    '"None" in the column label',
  ]);
  expect(notes[1]).toContain('2 times');
});

describe('parts', () => {
  const notes = async (files: Record<string, string>) =>
    (await readTextDataset(folder(files))).notes;

  test('as they should be need no word', async () => {
    expect(await notes({ 'train.csv': table(8), 'valid.csv': table(4, 50) })).toEqual([]);
    expect(await notes({ 'a.csv': table(10) })).toEqual([]);
  });

  test('that are missing, empty or of one class are told of', async () => {
    const equal = `text,label\n${'same,a\nsame,b\n'.repeat(5)}`;
    expect(await notes({ 'a.csv': equal })).toEqual([
      expect.stringContaining('there is no validation part'),
    ]);
    expect(await notes({ 'train.csv': table(10), 'valid.csv': 'text,label\n' })).toEqual([
      'valid.csv has no row, so it is no valid part',
    ]);
    expect(await notes({ 'train.csv': table(10), 'valid.csv': 'text,label\nx,a\ny,a\n' })).toEqual([
      expect.stringContaining('all of the validation part is of the class a'),
    ]);
  });

  test('with the same texts are told of', async () => {
    const overlapping = {
      'train.csv': table(20),
      'valid.csv': table(4, 50),
      'test.csv': table(20, 10),
    };
    expect(await notes(overlapping)).toEqual([
      '10 of 20 texts of test are in train too: its scores look too good',
    ]);
  });
});

describe('several labels in a cell', () => {
  test.each([
    ['JSON', '"[""x"",""y""]"'],
    ['Python', `"['x', 'y']"`],
  ])('as a list in %s are several', async (_name, cell) => {
    const path = file('a.csv', `text,labels\np,${cell}\nq,[]\n`);
    expect(await readTextDataset(path, { valid: 0 })).toMatchObject({
      kind: 'multi-label',
      classes: ['x', 'y'],
      train: [{ labels: [0, 1] }, { labels: [] }],
    });
  });

  test('of a column label are one, with a note', async () => {
    const path = file('a.csv', 'text,label\np,x|y\nq,y|z\nr,x\n');
    const { kind, notes } = await readTextDataset(path, { valid: 0 });
    expect(kind).toBe('single-label');
    expect(notes).toEqual([expect.stringContaining('look like several labels ("x|y")')]);
  });

  test('and words with their tags are lists too', async () => {
    const path = file('a.csv', `tokens,ner_tags\n"['Ann', ""isn't""]","['B-PER', 'O']"\n`);
    const { train } = await readTextDataset(path, { valid: 0 });
    expect(train).toMatchObject([{ words: ['Ann', "isn't"] }]);
  });
});

test('labels that are wrong are named with their first row', async () => {
  const spelled = file('a.csv', 'text,label\nx,Pos\ny,pos\nz,neg\n');
  await expect(readTextDataset(spelled)).rejects.toThrow('"Pos" (a.csv:2) and "pos" (a.csv:3)');
  const odd = folder({ 'train.csv': table(4), 'test.csv': 'text,label\nx,a\ny,odd\n' });
  await expect(readTextDataset(odd)).rejects.toThrow('the class odd (test.csv:3), which');
});

describe('sets as Hugging Face lays them out', () => {
  test('shards in data, and folders of the parts', async () => {
    const shards = {
      'data/train-00000-of-00002.csv': table(4),
      'data/train-00001-of-00002.csv': table(4, 10),
      'data/test-00000-of-00001.csv': table(2, 20),
      'README.md': 'x',
    };
    const parts = { 'train/data.csv': table(8), 'test/data.csv': table(2, 20) };
    for (const files of [shards, parts]) {
      const { train, test: tested } = await readTextDataset(folder(files), { valid: 0 });
      expect([train.length, tested.length]).toEqual([8, 2]);
    }
    const pictures = folder({
      'train/a.png': 'x',
      'train/b.png': 'x',
      'train/labels.csv': 'id,label\na,b\n',
    });
    expect(await looksLikeText(pictures)).toBe(false);
    const several = { 'en/train.csv': table(4), 'de/train.csv': table(4) };
    await expect(readTextDataset(folder(several))).rejects.toThrow(/sets of texts, in de, en/);
  });

  test('translations in an object', async () => {
    const row = { translation: { en: 'house', de: 'Haus' } };
    const json = folder({ 'train.jsonl': JSON.stringify(row) });
    const bytes = parquetWriteBuffer({
      columnData: [{ name: 'translation', data: [row.translation], type: 'JSON' }],
    });
    const parquet = folder({ 'train.parquet': new Uint8Array(bytes) });
    for (const path of [json, parquet]) {
      expect(await readTextDataset(path, { valid: 0 })).toMatchObject({
        task: 'translation',
        train: [{ source: 'house', target: 'Haus' }],
      });
    }
  });
});

describe('delimiters', () => {
  test('of TSV keep no quotes that pandas put around cells', async () => {
    const path = file('a.tsv', 'text\tlabel\n"say ""hi"" now"\ta\n"open" and "close"\tb\n');
    const { train } = await readTextDataset(path, { valid: 0 });
    expect(train.map((s) => (s as { text: string }).text)).toEqual([
      'say "hi" now',
      '"open" and "close"',
    ]);
  });

  test.each([
    [';', 'semicolons'],
    ['\t', 'tabs'],
  ])('of CSV may be %j', async (delimiter, name) => {
    const path = file(
      'a.csv',
      `text;label\n"one; two, three";a\nfour;b\n`.replaceAll(/;(?! )/g, delimiter),
    );
    const { train, notes } = await readTextDataset(path, { valid: 0 });
    expect(train[0]).toMatchObject({ text: 'one; two, three' });
    expect(notes).toEqual([`a.csv has ${name} between its columns and is read so`]);
    const lone = await readTextDataset(file('b.csv', 'text\nwell; then\nso\n'), { valid: 0 });
    expect([lone.kind, lone.notes]).toEqual(['plain', []]);
  });
});
