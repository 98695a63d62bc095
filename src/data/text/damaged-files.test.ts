/** What is said of text files that are damaged, and of those that are not. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { failure, readWhole, reviews, textFiles } from '../../../test/support/text-files.js';
import { DataError } from '../../errors.js';
import type { TextKind } from './dataset.js';
import { readTextDataset } from './read-text-dataset.js';
import { looksLikeText } from './text-layout.js';

const { folder, file } = textFiles();

describe('files that are damaged name file and line:', () => {
  const latin1 = new Uint8Array([...Buffer.from('text,label\nok,a\ncaf'), 0xe9, 0x2c, 0x62, 0x0a]);
  const long = `${'x'.repeat(1024 * 1024 + 1)}`;
  test.each<[string, string, string | Uint8Array, RegExp]>([
    ['Latin-1', 'a.csv', latin1, /a.csv, line 3: .*not UTF-8.*Convert/],
    ['UTF-32', 'a.txt', new Uint8Array([0xff, 0xfe, 0, 0, 65, 0, 0, 0]), /UTF-32/],
    ['cut UTF-16', 'a.txt', new Uint8Array([0xff, 0xfe, 65, 0, 66]), /line 1: .*UTF-16/],
    [
      'half a pair in UTF-16',
      'a.txt',
      new Uint8Array([0xff, 0xfe, 10, 0, 0, 0xdc, 10, 0]),
      /line 2/,
    ],
    ['a NUL', 'a.txt', 'one\ntwo\0\n', /line 2: there is a NUL byte/],
    ['UTF-16 without a mark', 'a.csv', Buffer.from('text\n', 'utf16le'), /NUL byte.*UTF-16/],
    [
      'a header with doubles',
      'a.csv',
      'text,Text,label\na,b,c\n',
      /line 1: the column Text is there twice/,
    ],
    [
      'too many values',
      'a.csv',
      'text,label\na,b\na, b,c\n',
      /line 3: 3 values for 2 columns.*quotes/,
    ],
    ['too many tabs', 'a.tsv', 'text\tlabel\na\tb\tc\n', /line 2: 3 values/],
    [
      'an open quote',
      'a.csv',
      'text,label\na,b\n"open,c\n',
      /line 3: the record that begins here is damaged/,
    ],
    [
      'a quote that eats the file',
      'a.csv',
      `text,label\n"${long}${long}`,
      /line 2: .*more than 1048576/,
    ],
    ['a stray quote', 'a.csv', 'text,label\nsay "hi",b\n', /line 2: .*quotes in it are doubled/],
    ['no JSON', 'a.jsonl', '{"text":"a"}\n{text}', /line 2: this is no JSON/],
    ['no object', 'a.jsonl', '[1]', /line 1: this is no JSON object/],
    ['no rows of JSON', 'a.json', '{"a":1}', /a.json: expected a list of objects/],
    ['broken JSON', 'a.json', '[{"text"', /no JSON/],
    [
      'broken SQuAD',
      'a.json',
      '{"data":[{"paragraphs":[{"context":"a"}]}]}',
      /article 1, paragraph 1 has no list qas/,
    ],
    [
      'missing columns',
      'a.conll',
      'EU B-ORG\nrejects\n',
      /line 2: "rejects" has 1 columns, line 1 has 2/,
    ],
    ['one column', 'a.conll', 'EU\n', /line 1: "EU" has one column/],
    ['no blank lines', 'a.conll', 'a O\n'.repeat(10_001), /line 1: .*more than 10000 words/],
    [
      'no header',
      'a.csv',
      'great film,good\nbad film,bad\n',
      /columns great film, good; .*first line name the columns/,
    ],
    ['nothing', 'a.csv', '', /empty/],
    ['a header only', 'a.csv', 'text,label\n', /no text/],
  ])('%s', async (_name, name, content, message) => {
    const error = await failure(file(name, content));
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toMatch(message);
  });

  test('UTF-16 of either order and UTF-8 marks are read', async () => {
    const little = Buffer.from('\ufefftext,label\ncafé 🙂,x\n', 'utf16le');
    const big = Buffer.from(little).swap16();
    for (const content of [little, big, '\ufefftext,label\ncafé 🙂,x\n']) {
      const data = await readWhole(file('a.csv', new Uint8Array(Buffer.from(content))));
      expect(data.train[0]).toMatchObject({ text: 'café 🙂', label: 0 });
    }
  });

  test('a line of 50 MB is left out, named, and never held', async () => {
    const path = file('a.jsonl', '{"text":"first"}\n');
    const piece = 'y'.repeat(1024 * 1024);
    for (let i = 0; i < 50; i++) writeFileSync(path, i === 0 ? `"${piece}` : piece, { flag: 'a' });
    writeFileSync(path, '"\n{"text":"last"}\n', { flag: 'a' });
    const data = await readWhole(path);
    expect([...data.train]).toMatchObject([{ text: 'first' }, { id: 'a.jsonl:3', text: 'last' }]);
    expect(data.skipped).toMatchObject([{ id: 'a.jsonl:2' }]);
    expect(data.skipped[0]!.reason).toContain('52428802 characters long');
  });
});

test('text is told from pictures', async () => {
  expect(await looksLikeText(file('a.csv', reviews(2)))).toBe(true);
  expect(await looksLikeText(file('a.csv', 'file,label\na.png,x\n'))).toBe(false);
  expect(await looksLikeText(folder({ 'pos/a.txt': 'x' }))).toBe(true);
  expect(await looksLikeText(folder({ 'pos/a.png': 'x', 'pos/note.txt': 'x' }))).toBe(false);
  expect(await looksLikeText('nowhere')).toBe(false);
});

test('progress ends with the whole', async () => {
  const seen: [number, number][] = [];
  await readTextDataset(folder({ 'train.csv': reviews(4), 'test.csv': reviews(4) }), {
    progress: (done, total) => seen.push([done, total]),
  });
  expect(seen.at(-1)![0]).toBe(seen.at(-1)![1]);
});

const shared = fileURLToPath(new URL('../../../../shared/data', import.meta.url));
describe.skipIf(!existsSync(shared))('real data (skipped where ../shared/data is absent)', () => {
  test.each<[string, TextKind, number, number]>([
    ['ag_news', 'single-label', 6080, 4],
    ['conll2003', 'tags', 14041, 9],
    ['multi30k/en-de', 'pairs', 29000, 0],
    ['scitldr', 'pairs', 1992, 0],
    ['sst/fine', 'single-label', 8544, 5],
    ['xquad/xquad.es.json', 'questions', 952, 0],
  ])('%s', async (name, kind, train, classes) => {
    const data = await readTextDataset(join(shared, name));
    expect([data.kind, data.train.length, data.classes.length]).toEqual([kind, train, classes]);
    expect(data.skipped).toEqual([]);
  });
});
