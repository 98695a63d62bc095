/** Text data as people have it, in every form, and what is said of what is wrong with it. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterEach, describe, expect, test } from 'vitest';
import { temporaryFolder, writeFiles } from '../../../test/support/pictures.js';
import { DataError, GraftError } from '../../errors.js';
import { type AnyTextDataset, indexLabels, type TextKind, type TextTaskName } from './dataset.js';
import { type ReadTextOptions, readTextDataset } from './read-text-dataset.js';
import { looksLikeText } from './text-layout.js';

const folders: { remove: () => void }[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) folder.remove();
});

/** A folder with the given files. */
function folder(files: Record<string, string | Uint8Array>): string {
  const made = temporaryFolder();
  folders.push(made);
  writeFiles(made.path, files);
  return made.path;
}

/** A file by itself. */
const file = (name: string, content: string | Uint8Array): string =>
  join(folder({ [name]: content }), name);

/** The data as it lies. */
const read = (path: string, task?: TextTaskName) => readTextDataset(path, { task, split: false });

/** The error that reading ends with. */
async function failure(path: string, options?: ReadTextOptions): Promise<GraftError> {
  const error = await readTextDataset(path, options).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(GraftError);
  return error as GraftError;
}

/** CSV of reviews, two classes in turn. */
const reviews = (n: number, from = 0) =>
  `text,label\n${Array.from({ length: n }, (_, i) => `review ${from + i},${i % 2 ? 'good' : 'bad'}`).join('\n')}\n`;

describe('a task is recognised:', () => {
  const cases: readonly [string, string, string, TextKind, TextTaskName, object][] = [
    [
      'text and label',
      'a.csv',
      'text,label\nhi there,x\nyo,y\n',
      'single-label',
      'text-classification',
      { id: 'a.csv:2', text: 'hi there', label: 0 },
    ],
    [
      'other names',
      'a.tsv',
      'Review\tSentiment\n"quoted"\tgood\n',
      'single-label',
      'text-classification',
      { id: 'a.tsv:2', text: 'quoted', label: 0 },
    ],
    [
      'numbers as classes',
      'a.jsonl',
      '{"text":"a","label":10}\n{"text":"b","label":9}',
      'single-label',
      'text-classification',
      { text: 'a', label: 1 },
    ],
    [
      'pairs of texts',
      'a.csv',
      'premise,hypothesis,label\np,h,yes\n',
      'single-label',
      'text-classification',
      { text: 'p', text2: 'h', label: 0 },
    ],
    [
      'lists of labels',
      'a.jsonl',
      '{"text":"a","labels":["y","x"]}\n{"text":"b","labels":[]}',
      'multi-label',
      'text-classification',
      { text: 'a', labels: [0, 1] },
    ],
    [
      'labels with bars',
      'a.csv',
      'text,labels\na,y|x\nb,z\n',
      'multi-label',
      'text-classification',
      { text: 'a', labels: [0, 1] },
    ],
    [
      'fractions',
      'a.csv',
      'text,score\na,0.5\nb,-1e1\n',
      'regression',
      'text-classification',
      { text: 'a', score: 0.5 },
    ],
    [
      'source and target',
      'a.csv',
      'source,target\na,b\n',
      'pairs',
      'translation',
      { source: 'a', target: 'b' },
    ],
    [
      'two languages',
      'a.csv',
      'id,en,de\n1,house,Haus\n',
      'pairs',
      'translation',
      { source: 'house', target: 'Haus' },
    ],
    [
      'a summary',
      'a.jsonl',
      '{"article":"long","highlights":"short"}',
      'pairs',
      'summarization',
      { source: 'long', target: 'short' },
    ],
    [
      'references',
      'a.jsonl',
      '{"source":"s","target":["t","u"]}',
      'pairs',
      'translation',
      { target: 't', references: ['t', 'u'] },
    ],
    [
      'prompts',
      'a.jsonl',
      '{"prompt":"p","completion":"c"}',
      'pairs',
      'text-generation',
      { source: 'p', target: 'c' },
    ],
    [
      'two texts alone',
      'a.csv',
      'sentence1,sentence2\na,b\n',
      'similar',
      'sentence-similarity',
      { text: 'a', text2: 'b' },
    ],
    ['text alone', 'a.csv', 'text\nhello\n', 'plain', 'language-modeling', { text: 'hello' }],
    [
      'lists of words and tags',
      'a.jsonl',
      '{"tokens":["New","York"],"ner_tags":["B-LOC","I-LOC"]}',
      'tags',
      'token-classification',
      { words: ['New', 'York'], tags: [0, 1] },
    ],
    [
      'a JSON list',
      'a.json',
      '[{"text":"a","label":"x"}]',
      'single-label',
      'text-classification',
      { id: 'a.json:1', text: 'a' },
    ],
    [
      'CoNLL',
      'a.conll',
      '-DOCSTART- O\n\nNew B-LOC\nYork I-LOC\n\nhi O\n',
      'tags',
      'token-classification',
      { id: 'a.conll:3-4', words: ['New', 'York'], tags: [0, 1] },
    ],
    [
      'CoNLL with tabs',
      'a.conll',
      '# id = 1\nNew York\tx\tB-LOC\n',
      'tags',
      'token-classification',
      { words: ['New York'] },
    ],
    [
      'lines',
      'a.txt',
      'one\r\ntwo\n',
      'plain',
      'language-modeling',
      { id: 'a.txt:1', text: 'one' },
    ],
    [
      'paragraphs',
      'a.txt',
      '\none\ntwo\n\n\nthree',
      'plain',
      'language-modeling',
      { id: 'a.txt:2-3', text: 'one\ntwo' },
    ],
    [
      'a label beside a summary',
      'a.csv',
      'text,summary,label\nt,s,x\n',
      'single-label',
      'text-classification',
      { text: 't' },
    ],
  ];
  test.each(cases)('%s', async (_name, name, content, kind, task, first) => {
    const data = await read(file(name, content));
    expect({ kind: data.kind, task: data.task }).toEqual({ kind, task });
    expect(data.train[0]).toMatchObject(first);
    expect(data.skipped).toEqual([]);
  });

  test('a task that is asked for decides', async () => {
    const table = file('a.csv', 'text,label\na,x\nb,y\n');
    expect(await read(table, 'language-modeling')).toMatchObject({ kind: 'plain', classes: [] });
    const pairs = file('b.csv', 'source,target\na,b\n');
    expect((await read(pairs, 'summarization')).task).toBe('summarization');
    expect(await read(pairs, 'text-generation')).toMatchObject({ kind: 'pairs' });
    const scored = file('c.csv', 'sentence1,sentence2,score\na,b,2\n');
    expect((await read(scored, 'sentence-similarity')).train[0]).toMatchObject({ score: 2 });
    expect((await failure(table, { task: 'translation' })).message).toContain('source and target');
  });
});

describe('questions', () => {
  const squad = (start: number, text = 'Rom', more = {}) =>
    JSON.stringify({
      data: [
        {
          paragraphs: [
            {
              context: '🙂 In Rom.',
              qas: [
                { id: 'q1', question: 'Wo?', answers: [{ text, answer_start: start }], ...more },
              ],
            },
          ],
        },
      ],
    });

  test('count their starts in characters, samples in UTF-16 units', async () => {
    const data = await read(file('q.json', squad(5)));
    expect(data.train).toEqual([
      {
        id: 'q.json:q1',
        question: 'Wo?',
        context: '🙂 In Rom.',
        answers: [{ text: 'Rom', start: 6 }],
      },
    ]);
  });

  test('may have no answer', async () => {
    const data = await read(file('q.json', squad(5, 'Rom', { is_impossible: true })));
    expect(data.train[0]).toMatchObject({ answers: [] });
  });

  test('whose answer is elsewhere are left out', async () => {
    const error = await failure(file('q.json', squad(4)), { strict: true });
    expect(error.message).toContain('q.json:q1 has the answer "Rom", which is not in its context');
  });

  test('of one context stay on one side', async () => {
    const row = (c: number, q: number) =>
      JSON.stringify({
        question: `q ${c} ${q}`,
        context: `context ${c} yes`,
        answers: { text: ['yes'], answer_start: [`context ${c} `.length] },
      });
    const rows = [0, 1, 2, 3, 4].flatMap((c) => [0, 1, 2].map((q) => row(c, q)));
    const data = await readTextDataset(file('q.jsonl', rows.join('\n')));
    if (data.kind !== 'questions') throw new Error(data.kind);
    const contexts = (list: typeof data.train) => new Set(list.map((s) => s.context));
    expect(data.valid.length).toBe(3);
    expect([...contexts(data.valid)].filter((c) => contexts(data.train).has(c))).toEqual([]);
  });
});

describe('Parquet', () => {
  test('is read over row groups, with class names of Hugging Face', async () => {
    const features = { label: { names: ['neg', 'pos'], _type: 'ClassLabel' } };
    const bytes = parquetWriteBuffer({
      columnData: [
        { name: 'text', data: ['a', 'b', 'c'], type: 'STRING' },
        { name: 'label', data: [1n, 0n, -1n], type: 'INT64' },
      ],
      rowGroupSize: 2,
      kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }],
    });
    const data = await read(file('a.parquet', new Uint8Array(bytes)));
    expect(data.classes).toEqual(['neg', 'pos']);
    expect(data.train).toMatchObject([
      { id: 'a.parquet:1', text: 'a', label: 1 },
      { text: 'b', label: 0 },
    ]);
    expect(data.skipped).toEqual([{ id: 'a.parquet:3', reason: 'has no label' }]);
  });

  test('has names for the numbers of tags, if Hugging Face wrote them', async () => {
    const names = ['O', 'B-PER', 'I-PER'];
    const lists = [
      { feature: { names, _type: 'ClassLabel' }, _type: 'Sequence' },
      [{ names, _type: 'ClassLabel' }],
    ];
    for (const ner_tags of lists) {
      const bytes = parquetWriteBuffer({
        columnData: [
          { name: 'tokens', data: [['Ann', 'met', 'Bob']], type: 'JSON' },
          { name: 'ner_tags', data: [[1, 0, 1]], type: 'JSON' },
        ],
        kvMetadata: [
          { key: 'huggingface', value: JSON.stringify({ info: { features: { ner_tags } } }) },
        ],
      });
      const data = await read(file('a.parquet', new Uint8Array(bytes)));
      if (data.kind !== 'tags') throw new Error(data.kind);
      expect(data.train[0]!.tags.map((t) => data.classes[t])).toEqual(['B-PER', 'O', 'B-PER']);
    }
  });

  test('that is cut off is refused', async () => {
    const bytes = new Uint8Array(
      parquetWriteBuffer({ columnData: [{ name: 'text', data: ['a'], type: 'STRING' }] }),
    );
    for (const content of [bytes.subarray(0, 20), bytes.subarray(9), new Uint8Array(0)]) {
      const error = await failure(file('a.parquet', content));
      expect(error).toBeInstanceOf(DataError);
      expect(error.code).toBe('parquet');
    }
  });
});

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
    const data = await read(file('a.jsonl', `{"source":"x","target":"y"}\n${row}`));
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
    const data = await read(file('a.csv', `text,score\n${rows.join('\n')}\nt,much\n`));
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
      const data = await read(file('a.csv', new Uint8Array(Buffer.from(content))));
      expect(data.train[0]).toMatchObject({ text: 'café 🙂', label: 0 });
    }
  });

  test('a line of 50 MB is left out, named, and never held', async () => {
    const path = file('a.jsonl', '{"text":"first"}\n');
    const piece = 'y'.repeat(1024 * 1024);
    for (let i = 0; i < 50; i++) writeFileSync(path, i === 0 ? `"${piece}` : piece, { flag: 'a' });
    writeFileSync(path, '"\n{"text":"last"}\n', { flag: 'a' });
    const data = await read(path);
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
