/** Text data as people have it, in every form. */
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, test } from 'vitest';
import { failure, readWhole, textFiles } from '../../../test/support/text-files.js';
import { DataError } from '../../errors.js';
import type { TextKind, TextTaskName } from './dataset.js';
import { readTextDataset } from './read-text-dataset.js';

const { file } = textFiles();

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
    const data = await readWhole(file(name, content));
    expect({ kind: data.kind, task: data.task }).toEqual({ kind, task });
    expect(data.train[0]).toMatchObject(first);
    expect(data.skipped).toEqual([]);
  });

  test('a task that is asked for decides', async () => {
    const table = file('a.csv', 'text,label\na,x\nb,y\n');
    expect(await readWhole(table, 'language-modeling')).toMatchObject({
      kind: 'plain',
      classes: [],
    });
    const pairs = file('b.csv', 'source,target\na,b\n');
    expect((await readWhole(pairs, 'summarization')).task).toBe('summarization');
    expect(await readWhole(pairs, 'text-generation')).toMatchObject({ kind: 'pairs' });
    const scored = file('c.csv', 'sentence1,sentence2,score\na,b,2\n');
    expect((await readWhole(scored, 'sentence-similarity')).train[0]).toMatchObject({ score: 2 });
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
    const data = await readWhole(file('q.json', squad(5)));
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
    const data = await readWhole(file('q.json', squad(5, 'Rom', { is_impossible: true })));
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
    const data = await readWhole(file('a.parquet', new Uint8Array(bytes)));
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
      const data = await readWhole(file('a.parquet', new Uint8Array(bytes)));
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
