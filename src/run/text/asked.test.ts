/** What may be asked of a finished run on texts, where its answers belong, and what is told of texts that were not wholly read. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { csv, opinions, toyTexts } from '../../../test/support/toy-texts.js';
import {
  checkTable,
  evaluateRun,
  predictRun,
  type RunListener,
  writeTable,
} from '../index.node.js';
import { textsIn } from './asked.js';
import { openTextBase } from './base.js';
import { ReadTexts } from './read-texts.js';

const { at, write, adapt } = toyTexts();
const quick = () => ({ base: at('bert'), epochs: 1, maxLength: 16 });

beforeAll(async () => {
  await adapt({ ...quick(), data: at('opinions'), out: at('classes') });
});

describe('an input is a text, or a file of texts', () => {
  test.each([
    ['a file that is not there', 'reviews_new.csv', /There is no file .*reviews_new\.csv.*input -/],
    ['a mistyped ending in capitals', 'reviews_new.TXT', /There is no file/],
    ['a folder', '.', /is a folder\. Give files of texts \(\.csv, /],
    ['a file of another kind', 'tokens.bin', /tokens\.bin is no file of texts/],
  ])('%s is refused', async (_, name, message) => {
    const folder = write('some', { 'tokens.bin': 'x' });
    await expect(predictRun(at('classes'), [join(folder, name)])).rejects.toThrow(message);
    expect(await predictRun(at('classes'), ['the film. was today']).catch(String)).toMatchObject({
      predictions: [{ file: 'argument' }],
    });
  });

  test('as many texts as a file has, more than a call takes arguments', async () => {
    const lines = Array.from({ length: 150_000 }, (_, i) => `{"text":"the film ${i}"}`);
    const folder = write('many', { 'many.jsonl': lines.join('\n') });
    const { asked } = await textsIn([join(folder, 'many.jsonl')]);
    expect(asked).toHaveLength(150_000);
    expect(asked.at(-1)!.text).toBe('the film 149999');
    const some = lines
      .slice(0, 17_000)
      .map((line, i) => (i % 2 ? line : line.replace('film', 'saw')));
    const { predictions } = await predictRun(at('classes'), [
      join(write('some', { 'some.jsonl': some.join('\n') }), 'some.jsonl'),
    ]);
    expect(predictions.map((p) => p.text)).toEqual(some.map((line) => JSON.parse(line).text));
    expect(predictions.every((p) => p.answers?.length === 2)).toBe(true);
  });

  test('each line of standard input is a text, by its number', async () => {
    const stdin = Readable.from([Buffer.from('the film\n\nwas caf'), Buffer.from('é today\r\n')]);
    const { asked } = await textsIn(['-'], { stdin, pair: 'second' });
    expect(asked).toEqual([
      { id: '-:1', text: 'the film', text2: 'second' },
      { id: '-:3', text: 'was café today', text2: 'second' },
    ]);
    const empty = textsIn(['-'], { stdin: Readable.from([Buffer.from('\n')]) });
    await expect(empty).rejects.toThrow('There is no text in standard input.');
    const latin = textsIn(['-'], { stdin: Readable.from([Buffer.from([0x63, 0xe9, 0x0a])]) });
    await expect(latin).rejects.toMatchObject({ code: 'encoding' });
  });

  test('a row is named by its place in the file, whatever its format', async () => {
    const folder = write('places', {
      'a.csv': 'text,label\n"the\nfilm",good\n,bad\nwas,bad\n',
      'b.jsonl': '{"text":"the film"}\n\n{"text":"was"}\n',
      'c.txt': 'the film\nwas\n\ntoday\n',
      'd.conll': 'the O\nfilm O\n\nwas O\n',
    });
    const places = async (name: string) =>
      (await textsIn([join(folder, name)])).asked.map(({ id }) => id.slice(folder.length + 1));
    expect(await places('a.csv')).toEqual(['a.csv:2-3', 'a.csv:5']);
    expect(await places('b.jsonl')).toEqual(['b.jsonl:1', 'b.jsonl:3']);
    expect(await places('c.txt')).toEqual(['c.txt:1-2', 'c.txt:4']);
    expect(await places('d.conll')).toEqual(['d.conll:1-2', 'd.conll:4']);
  });
});

test('a model of class folders takes a .txt file as one text, as it was taught', async () => {
  const rows = opinions(24, 'folders');
  for (const [i, [text, label]] of rows.entries()) {
    mkdirSync(join(at('folders'), label!), { recursive: true });
    writeFileSync(join(at('folders'), label!, `${i}.txt`), `the film\n\n${text}\n`);
  }
  await adapt({ ...quick(), data: at('folders'), out: at('by folder') });
  const file = join(at('folders'), rows[0]![1]!, '0.txt');
  const { predictions } = await predictRun(at('by folder'), [file]);
  expect(predictions).toMatchObject([{ file, text: `the film\n\n${rows[0]![0]}` }]);
  // Of a model that was taught on rows, paragraphs are texts.
  expect((await predictRun(at('classes'), [file])).predictions).toHaveLength(2);
});

describe('texts that were not wholly read are told of', () => {
  const long = ['the film was today '.repeat(12), 'good'];
  const table = () => write('long', { 'all.csv': csv('text,label', [...opinions(20, 'n'), long]) });
  const cut = { texts: 1, tokens: 48 + 2 - 16, maxTokens: 16 };
  const said = '1 text is longer than 16 tokens and cut there (34 tokens in all)';

  test('by fit: in its notes, its summary, its record and its report', async () => {
    const out = at('cut');
    const notes: string[] = [];
    const listener: RunListener = (e) => e.type === 'note' && notes.push(e.text);
    const run = await adapt({ ...quick(), data: table(), out, listener });
    expect(notes).toContain(said);
    expect(run.summary).toMatchObject({ cut, notes: [said] });
    expect(run.text).toContain(said);
    const record = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
    expect(record.data).toMatchObject({ cut, notes: [said], pairs: false });
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain(said);
  });

  test('by evaluate and predict, where --strict makes it an error', async () => {
    const file = join(table(), 'all.csv');
    expect(await evaluateRun(at('classes'), file)).toMatchObject({ cut, notes: [said] });
    expect(await predictRun(at('classes'), [file])).toMatchObject({ cut, notes: [said] });
    // One after the other: a promise that nobody waits for yet must not be refused.
    for (const ask of [
      () => evaluateRun(at('classes'), file, { strict: true }),
      () => predictRun(at('classes'), [file], { strict: true }),
    ]) {
      const asked = ask();
      await expect(asked).rejects.toMatchObject({ code: 'too-long', data: cut });
      await expect(asked).rejects.toThrow(
        '1 text is longer than 16 tokens. Shorten them, or leave out --strict',
      );
    }
    expect(await predictRun(at('classes'), ['the film'])).not.toHaveProperty('cut');
  });

  test('words that the base cannot spell are counted; those of a text that writes too', async () => {
    const { unknownTokens, notes } = await predictRun(at('classes'), [
      'отличный фильм',
      'the film',
    ]);
    expect(unknownTokens).toBe(0.5);
    expect(notes).toEqual([
      '50 % of the tokens are unknown to the base; choose one that knows the script, such as FacebookAI/xlm-roberta-base',
    ]);
    expect(await predictRun(at('classes'), ['the film'])).not.toHaveProperty('notes');
  });
});

test('the embedded base spells Latin and Greek, and no other script, as its card says', async () => {
  const base = await openTextBase('graft/minilm');
  const shareOf = (text: string) => {
    const read = new ReadTexts(base, { maxTokens: 64 });
    read.add({ ids: Int32Array.from(base.tokenizer.encode(text).ids), truncated: 0 });
    return read.unknownShare;
  };
  expect(shareOf('Ein großartiger Film, très bien, ένα καλό βιβλίο 12 %')).toBe(0);
  for (const text of ['отличный фильм', '很好的电影', 'סרט נהדר', 'すばらしい'])
    expect(shareOf(text)).toBe(1);
});

describe('what means nothing to a model is refused', () => {
  test.each<[object, RegExp]>([
    [{ temperature: 0.5 }, /--temperature is for models that write; this model has the head sequ/],
    [{ noRepeatNgram: 2 }, /--no-repeat-ngram is for models that write/],
    [{ tta: true }, /--tta is for models of pictures/],
    [{ context: 'bob' }, /--context is for models that answer questions/],
  ])('%o', async (choices, message) => {
    await expect(predictRun(at('classes'), ['the film'], choices)).rejects.toThrow(message);
  });

  test('a second text by a model of single ones, and a single one by a model of pairs', async () => {
    const rows = opinions(24, 'p').map(([text, label]) => ['ann saw', text!, label!]);
    const pairs = join(
      write('pairs of texts', { 'train.csv': csv('text,text2,label', rows) }),
      'train.csv',
    );
    const single = write('single', { 'train.csv': csv('text,label', opinions(8, 's')) });
    await adapt({ ...quick(), data: pairs, out: at('of pairs') });
    const alone = /taught on single texts, and A text is given with a second one/;
    await expect(predictRun(at('classes'), ['a'], { pair: 'b' })).rejects.toThrow(alone);
    await expect(predictRun(at('classes'), [pairs])).rejects.toThrow(/train\.csv:2 is given with/);
    await expect(predictRun(at('of pairs'), ['a'])).rejects.toThrow(/taught on pairs.*--pair/);
    await expect(evaluateRun(at('of pairs'), single)).rejects.toMatchObject({ code: 'columns' });
    await expect(evaluateRun(at('classes'), pairs)).rejects.toMatchObject({ code: 'columns' });
    expect((await predictRun(at('of pairs'), [pairs])).predictions).toHaveLength(24);
  });

  test('test-time views of texts', async () => {
    const scored = evaluateRun(at('classes'), at('opinions'), { tta: true });
    await expect(scored).rejects.toThrow('--tta is for models of pictures');
  });
});

test('answers are written as a table that joins the data by its places', async () => {
  const folder = write('table', {
    'asked.csv': csv('text,label', [
      ['"the film, was"', 'x'],
      ['', 'x'],
      ['today', 'x'],
    ]),
  });
  const file = join(folder, 'asked.csv');
  const list = await predictRun(at('classes'), [file]);
  const out = (name: string) => join(folder, name);
  await writeTable(out('a.csv'), list);
  const [first, last] = list.predictions.map((p) => p.answers![0]!);
  expect(readFileSync(out('a.csv'), 'utf8')).toBe(
    `place,text,answer,probability\n${file}:2,"the film, was",${first!.label},${first!.probability}\n${file}:4,today,${last!.label},${last!.probability}\n`,
  );
  await writeTable(out('a.jsonl'), list);
  expect(
    readFileSync(out('a.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    {
      place: `${file}:2`,
      text: 'the film, was',
      answer: first!.label,
      probability: first!.probability,
    },
    { place: `${file}:4`, text: 'today', answer: last!.label, probability: last!.probability },
  ]);
  await writeTable(out('b.csv'), {
    ...{ run: 'r', skipped: [], several: true },
    predictions: [
      {
        file: 'x:1',
        text: 't',
        answers: [
          { label: 'a', probability: 0.75 },
          { label: 'b', probability: 0.5 },
        ],
      },
    ],
  });
  expect(readFileSync(out('b.csv'), 'utf8')).toBe(
    'place,text,answer,probability\nx:1,t,a|b,0.75|0.5\n',
  );
  await expect(checkTable(out('a.txt'), [])).rejects.toThrow('--out writes .csv or .jsonl');
  await expect(checkTable(file, [file])).rejects.toThrow('is what is asked about');
  await expect(checkTable(join(folder, 'no', 'a.csv'), [])).rejects.toMatchObject({ code: 'out' });
});
