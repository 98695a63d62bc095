/** Property tests of the readers: what is written comes back, and no bytes crash them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import { DataError } from '../../errors.js';
import { isMissing } from './missing.js';
import { readTextDataset } from './read-text-dataset.js';

const root = mkdtempSync(join(tmpdir(), 'texts-'));
afterAll(() => rmSync(root, { recursive: true }));
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(root, name);
  writeFileSync(path, content);
  return path;
};

/** Text that a person may write: any letters, quotes, commas, signs, white space within. */
const unit = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
  fc.constantFrom('"', ',', '|', "''", ' ', 'NULL', '日本', '\u00a0', '\u2028'),
);
const anyText = fc
  .array(unit, { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''))
  .filter((t) => t.trim() !== '' && !t.includes('\0') && !/\p{Surrogate}/u.test(t));
/** What a table can hold: a text that is NULL and nothing else stands for none there. */
const text = anyText.filter((t) => !isMissing(t.trim()));
/** The same with line ends, which quotes keep. */
const lines = fc
  .array(text, { minLength: 1, maxLength: 3 })
  .chain((parts) => fc.constantFrom('\n', '\r\n').map((end) => parts.join(end)));
const label = fc.constantFrom('good', 'bad', 'so, so');
const rows = (of: fc.Arbitrary<string>) =>
  fc.array(fc.record({ text: of, label }), { minLength: 1, maxLength: 8 });

/** The samples of a file with the names of their classes. */
async function back(path: string): Promise<{ text: string; label: string }[]> {
  const data = await readTextDataset(path, { split: false });
  expect(data.skipped).toEqual([]);
  if (data.kind !== 'single-label') throw new Error(data.kind);
  return data.train.map((s) => ({ text: s.text, label: data.classes[s.label]! }));
}

const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;

describe('what is written comes back:', () => {
  test('CSV', async () => {
    await fc.assert(
      fc.asyncProperty(rows(lines), fc.constantFrom('\n', '\r\n'), async (written, end) => {
        const table = written.map((r) => `${quoted(r.text)},${quoted(r.label)}`);
        const path = write('a.csv', ['text,label', ...table, ''].join(end));
        expect(await back(path)).toEqual(written);
      }),
    );
  });

  test('the lines of CSV records', async () => {
    await fc.assert(
      fc.asyncProperty(rows(lines), async (written) => {
        const records = written.map((r) => `${quoted(r.text)},${r.label === 'bad' ? 'x' : 'y'}`);
        const data = await readTextDataset(write('a.csv', ['text,label', ...records].join('\n')), {
          split: false,
        });
        let next = 2;
        for (const [i, sample] of data.train.entries()) {
          const last = next + records[i]!.split('\n').length - 1;
          expect(sample.id).toBe(`a.csv:${next === last ? next : `${next}-${last}`}`);
          next = last + 1;
        }
      }),
    );
  });

  test('TSV', async () => {
    // A text that begins and ends with a quote is written in quotes, as pandas does.
    const plain = text.filter((t) => !/[\t\r\n]/.test(t) && !/^"(""|[^"])*"$/.test(t));
    await fc.assert(
      fc.asyncProperty(rows(plain), async (written) => {
        const table = written.map((r) => `${r.text}\t${r.label}`);
        expect(await back(write('a.tsv', ['text\tlabel', ...table].join('\n')))).toEqual(written);
      }),
    );
  });

  test('JSON lines and JSON', async () => {
    await fc.assert(
      fc.asyncProperty(rows(lines), async (written) => {
        const path = write('a.jsonl', written.map((r) => JSON.stringify(r)).join('\n'));
        expect(await back(path)).toEqual(written);
        expect(await back(write('a.json', JSON.stringify(written, null, 1)))).toEqual(written);
      }),
    );
  });

  test('Parquet', async () => {
    await fc.assert(
      fc.asyncProperty(rows(lines), fc.integer({ min: 1, max: 4 }), async (written, group) => {
        const bytes = parquetWriteBuffer({
          columnData: [
            { name: 'text', data: written.map((r) => r.text), type: 'STRING' },
            { name: 'label', data: written.map((r) => r.label), type: 'STRING' },
          ],
          rowGroupSize: group,
        });
        expect(await back(write('a.parquet', new Uint8Array(bytes)))).toEqual(written);
      }),
    );
  });

  test('CoNLL', async () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 6 })
      .filter((w) => w.trim() === w && !/[ \t\r\n\0]|\p{Surrogate}/u.test(w) && !/^[#-]/.test(w));
    const sentence = fc.array(
      fc.record({ word, tag: fc.constantFrom('O', 'B-PER', 'I-PER', 'B-LOC') }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(sentence, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(' ', '\t', ' NN '),
        async (written, gap) => {
          const content = written.map((s) => s.map((w) => `${w.word}${gap}${w.tag}\n`).join(''));
          const data = await readTextDataset(write('a.conll', content.join('\n')), {
            split: false,
          });
          if (data.kind !== 'tags') throw new Error(data.kind);
          const got = data.train.map((s) =>
            s.words.map((w, i) => ({ word: w, tag: data.classes[s.tags[i]!]! })),
          );
          expect(got).toEqual(written);
        },
      ),
    );
  });
});

describe('random bytes are read or refused, never worse:', () => {
  /** Bytes with much of what formats are made of. */
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(
        fc.constantFrom(
          'text',
          'label',
          ',',
          '\t',
          '\n',
          '"',
          '{',
          '}',
          '[',
          ']',
          ':',
          '\r',
          'B-X',
          ' ',
          'é',
          '\ufeff',
          'PAR1',
          '1.5',
          '|',
        ),
        { maxLength: 40 },
      )
      .map((parts) => new Uint8Array(Buffer.from(parts.join('')))),
  );
  const attempt = async (path: string) => {
    try {
      await readTextDataset(path);
    } catch (error) {
      expect(error, String((error as Error).stack)).toBeInstanceOf(DataError);
    }
  };

  test.each(['csv', 'tsv', 'jsonl', 'json', 'conll', 'txt', 'parquet'])('.%s', async (ending) => {
    await fc.assert(
      fc.asyncProperty(bytes, (content) => attempt(write(`random.${ending}`, content))),
      { numRuns: 200 },
    );
  });

  test('Parquet with bytes changed', async () => {
    const whole = new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: 'text', data: ['one', 'two', 'three', 'two'], type: 'STRING' },
          { name: 'label', data: ['a', 'b', 'a', 'b'], type: 'STRING' },
        ],
      }),
    );
    const change = fc.record({
      at: fc.integer({ min: 0, max: whole.length - 1 }),
      to: fc.integer({ min: 0, max: 255 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const content = whole.slice();
        for (const { at, to } of changes) content[at] = to;
        await attempt(write('changed.parquet', content));
      }),
      { numRuns: 300 },
    );
  });
});
