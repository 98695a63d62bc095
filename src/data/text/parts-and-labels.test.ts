/** Folders, parts and labels of text data, and rows that cannot be used. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { failure, readWhole, reviews, textFiles } from '../../../test/support/text-files.js';
import { type AnyTextDataset, indexLabels } from './dataset.js';
import { readTextDataset } from './read-text-dataset.js';

const { folder, file } = textFiles();

describe('folders', () => {
  test('with files for the parts', async () => {
    const path = folder({
      'train.csv': reviews(6),
      'dev.tsv': 'text\tlabel\nx\tgood\n',
      'test-00000-of-00001.jsonl': '{"text":"y","label":"bad"}',
      'readme.txt': 'not data',
    });
    const data = await readTextDataset(path);
    expect([data.train.length, data.valid.length, data.test.length]).toEqual([6, 1, 1]);
    expect(data.split).toBe('parts of the data itself: 6 to train, 1 to validate');
  });

  test('of class folders, as the IMDB reviews lie', async () => {
    const path = folder({
      'train/neg/1.txt': 'bad\n\nvery bad',
      'train/pos/1.txt': 'good',
      'train/unsup/1.txt': 'who knows',
      'train/urls.txt': 'http',
      'test/pos/2.txt': 'great',
    });
    const data = await readTextDataset(path, { valid: 0 });
    expect(data.classes).toEqual(['neg', 'pos']);
    expect(data.train).toMatchObject([
      { id: 'train/neg/1.txt:1-3', text: 'bad\n\nvery bad', label: 0 },
      { text: 'good', label: 1 },
    ]);
    expect(data.test.length).toBe(1);
    expect(data.skipped.map((s) => s.id)).toEqual(['train/unsup/1.txt']);
  });

  test('with one file of any name', async () => {
    const data = await readTextDataset(folder({ 'reviews.csv': reviews(10), 'notes.txt': 'x' }));
    expect([data.train.length, data.valid.length]).toEqual([8, 2]);
  });

  test('with two forms of a part, or none, are refused', async () => {
    const both = await failure(folder({ 'train.csv': reviews(2), 'train.tsv': 'text\na' }));
    expect(both.message).toMatch(/train.csv and train.tsv for the train part/);
    expect((await failure(folder({ 'a.png': 'x' }))).code).toBe('no-data');
    expect((await failure(folder({ 'test.csv': reviews(4) }))).code).toBe('no-train-part');
    expect((await failure(join(folder({}), 'nowhere.csv'))).code).toBe('no-data');
    expect((await failure(file('a.docx', 'x'))).message).toContain('.csv');
  });
});

describe('the validation part', () => {
  test('is a fifth of each class, by the seed, and never holds a text that is trained on', async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `text ${i % 30},${i % 2 ? 'a' : 'b'}`);
    const path = file('a.csv', `text,label\n${rows.join('\n')}\n`);
    const texts = (data: AnyTextDataset, part: 'train' | 'valid') =>
      (data[part] as readonly { text: string }[]).map((s) => s.text);
    const first = await readTextDataset(path, { seed: 1 });
    expect(first.split).toContain('20 % of each class by seed 1: 32 to train, 8 to validate');
    const trained = new Set(texts(first, 'train'));
    expect(texts(first, 'valid').filter((t) => trained.has(t))).toEqual([]);
    expect(await readTextDataset(path, { seed: 1 })).toEqual(first);
    const second = await readTextDataset(path, { seed: 2 });
    expect(texts(second, 'valid')).not.toEqual(texts(first, 'valid'));
  });

  test('of running text is its end', async () => {
    const lines = Array.from({ length: 10 }, (_, i) => (i === 9 ? 'line 0' : `line ${i}`));
    const data = await readTextDataset(file('a.txt', lines.join('\n')));
    expect(data.valid).toEqual([{ id: 'a.txt:9', text: 'line 8' }]);
    expect(data.train.length).toBe(9);
  });

  test('may be other data, or none', async () => {
    const path = file('a.csv', reviews(4));
    const other = await readTextDataset(path, { valid: file('b.csv', reviews(2, 100)) });
    expect([other.train.length, other.valid.length]).toEqual([4, 2]);
    expect((await readTextDataset(path, { valid: 0 })).valid).toEqual([]);
    expect((await failure(path, { valid: 1 })).code).toBe('config');
  });

  test('of rows with a column split is theirs', async () => {
    const path = file('a.csv', 'text,label,split\na,x,train\nb,y,train\nc,x,validation\n');
    const data = await readTextDataset(path);
    expect([data.train.length, data.valid.length]).toEqual([2, 1]);
  });
});

describe('rows that cannot be used', () => {
  const table =
    'text,label\nok,a\n,a\nno label,\nalso no label\n"two\nlines",b\nbad \ud800 half,b\n';

  test('are left out and listed with their lines', async () => {
    // A lone half of a pair can only come from JSON: a file of UTF-8 cannot hold it.
    const data = await readTextDataset(file('a.csv', table.replace(' \ud800 half', '')), {
      valid: 0,
    });
    expect(data.train.map((s) => s.id)).toEqual(['a.csv:2', 'a.csv:6-7', 'a.csv:8']);
    expect(data.skipped).toEqual([
      { id: 'a.csv:3', reason: 'has no text' },
      { id: 'a.csv:4', reason: 'has no label' },
      { id: 'a.csv:5', reason: 'has no label' },
    ]);
  });

  test('are an error where it is strict', async () => {
    const error = await failure(file('a.csv', table.replace('\ud800', '')), { strict: true });
    expect(error.code).toBe('unusable-rows');
    expect(error.message).toContain('3 of the rows cannot be used:\n  a.csv:3 has no text\n');
  });

  test.each([
    ['{"source":"a","target":" "}', 'has no target'],
    ['{"source":"a","target":[]}', 'has no target'],
    ['{"source":"a\\u0000","target":"b"}', 'has a source that holds a NUL character'],
    ['{"source":"\\ud800","target":"b"}', 'has a source that is no valid Unicode'],
    ['{"source":["a"],"target":"b"}', 'has a source that is no text'],
  ])('%s: %s', async (row, reason) => {
    const data = await readWhole(file('a.jsonl', `{"source":"x","target":"y"}\n${row}`));
    expect(data.skipped).toMatchObject([{ id: 'a.jsonl:2' }]);
    expect(data.skipped[0]!.reason).toContain(reason);
  });

  test('all of them: there is no data', async () => {
    const error = await failure(file('a.csv', 'text,label\n,a\n,b\n'));
    expect(error.message).toContain('no usable row');
    expect(error.message).toContain('2 x has no text');
  });

  test('a slip among scores', async () => {
    const rows = Array.from({ length: 19 }, (_, i) => `t${i},${i}.5`);
    const data = await readWhole(file('a.csv', `text,score\n${rows.join('\n')}\nt,much\n`));
    expect(data.kind).toBe('regression');
    expect(data.skipped[0]!.reason).toBe('has the score "much", which is no number');
  });
});

describe('labels', () => {
  test('that differ by case only are refused, both named', async () => {
    const error = await failure(file('a.csv', 'text,label\na,Positive\nb,positive\nc,negative\n'));
    expect(error.message).toContain('"Positive" (a.csv:2) and "positive" (a.csv:3)');
    expect(error.code).toBe('class-case');
  });

  test('of one class are refused', async () => {
    expect((await failure(file('a.csv', 'text,label\na,x\nb,x\n'))).code).toBe('one-class');
  });

  test('of a part that training lacks are refused; tags are not', async () => {
    const path = folder({ 'train.csv': reviews(4), 'test.csv': 'text,label\na,odd\n' });
    expect((await failure(path)).message).toContain('odd');
    const tagged = folder({ 'train.conll': 'a O\nb B-X\n', 'test.conll': 'a B-Y\n' });
    expect((await readTextDataset(tagged)).classes).toEqual(['B-X', 'B-Y', 'O']);
  });

  test('that a model does not know are named', () => {
    expect(indexLabels(['b', 'a'], ['a', 'b'])).toEqual([1, 0]);
    expect(() => indexLabels(['a', 'c', 'd'], ['a', 'b'])).toThrow(/labels c, d, .*knows a, b/);
  });
});
