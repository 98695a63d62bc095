/** Language modelling from a file that is read piece by piece. */
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { testEngine } from '../../../test/support/engine.js';
import { temporaryFolder } from '../../../test/support/pictures.js';
import { writeTinyTextBase } from '../../../test/support/tiny-text-base.js';
import { type FitChoices, fitDefaults } from '../options.js';
import { openTextFolder } from './base.js';
import { isStreamed, openStreamedWorkload } from './streamed-workload.js';
import { tokenizedTexts } from './token-stream.js';

const { path: root, remove } = temporaryFolder();
afterAll(remove);
const file = join(root, 'lines.txt');
const words = ['ann', 'saw', 'the', 'dull', 'film', 'today', 'bob', 'left'];
const lines = Array.from(
  { length: 300 },
  (_, i) => `${words[i % 8]} ${words[(i * 3) % 8]} ${words[(i * 5 + 1) % 8]} film`,
);

const choices: FitChoices = {
  ...fitDefaults('language-modeling'),
  data: file,
  batch: 4,
  maxLength: 16,
  valid: 0.1,
};

beforeAll(async () => {
  process.env.TMPDIR = root; // where the token files go
  writeFileSync(file, lines.join('\n'));
  await writeTinyTextBase(join(root, 'gpt2'), lines, 'gpt2');
  await writeTinyTextBase(join(root, 'bert'), lines, 'bert');
});

async function open(base: string) {
  const opened = await openTextFolder(join(root, base));
  const context = { engine: await testEngine(), listener: () => {} };
  return {
    opened,
    workload: await openStreamedWorkload(choices, opened, { ...context, signal: undefined }),
  };
}

test('large plain text is streamed, a table only where the task was named, labelled folders never', async () => {
  expect(await isStreamed(choices, true, 100)).toBe(true);
  expect(await isStreamed(choices, true)).toBe(false);
  expect(await isStreamed(choices, false, 100)).toBe(true);
  expect(await isStreamed({ ...choices, task: 'translation' }, true, 100)).toBe(false);
  expect(await isStreamed({ ...choices, data: join(root, 'none.txt') }, true, 0)).toBe(false);
  const put = (name: string) => {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), `text\n${lines.join('\n')}`);
  };
  for (const name of ['table.csv', 'heap/a.txt', 'heap/b.txt', 'by/x/a.txt', 'by/y/b.txt'])
    put(name);
  for (const name of ['split/train.txt', 'split/valid.txt']) put(name);
  const streamed = (name: string, named: boolean) =>
    isStreamed({ ...choices, data: join(root, name) }, named, 100);
  expect([await streamed('table.csv', true), await streamed('table.csv', false)]).toEqual([
    true,
    false,
  ]);
  expect([await streamed('heap', true), await streamed('heap', false)]).toEqual([true, true]);
  expect([await streamed('by', true), await streamed('split', true)]).toEqual([false, false]);
});

test('a folder is one stream, tokenized once', async () => {
  const data = join(root, 'heap');
  const { tokenizer } = await openTextFolder(join(root, 'gpt2'));
  const marks = { lead: [], end: 0 };
  const whole = await tokenizedTexts(data, tokenizer, marks, () => {});
  const one = await tokenizedTexts(join(data, 'a.txt'), tokenizer, marks, () => {});
  expect(whole.tokens).toBe(2 * one.tokens);
  expect(await tokenizedTexts(data, tokenizer, marks, () => expect.fail())).toEqual(whole);
  writeFileSync(join(data, 'b.txt'), 'ann left');
  const changed = await tokenizedTexts(data, tokenizer, marks, () => {});
  expect(changed.fingerprint).not.toBe(whole.fingerprint);
  // Of texts that no run has asked for in a month none is left when another one is made.
  const old = new Date(Date.now() - 31 * 24 * 3600 * 1000);
  utimesSync(whole.path, old, old);
  writeFileSync(join(root, 'graft-tokens-mine.txt'), 'not one of them');
  utimesSync(join(root, 'graft-tokens-mine.txt'), old, old);
  writeFileSync(join(data, 'b.txt'), 'ann saw bob');
  await tokenizedTexts(data, tokenizer, marks, () => {});
  const left = [whole.path, one.path, changed.path, join(root, 'graft-tokens-mine.txt')];
  expect(left.map((path) => existsSync(path))).toEqual([false, true, true, true]);
  expect(changed.tokens).toBeLessThan(whole.tokens);
});

test.each(['gpt2', 'bert'])(
  '%s: every block once in a pass, in another order in the next',
  async (base) => {
    const { opened, workload } = await open(base);
    const streams = await workload.streams();
    try {
      const { train } = streams;
      const passes: string[][] = [];
      for (const epoch of [0, 1, 0]) {
        const seen: number[] = [];
        for await (const { feeds, indices } of train.read({ epoch, training: true })) {
          expect(feeds.input_ids!.shape).toEqual([4, 16]);
          seen.push(...indices.filter((i) => i >= 0));
        }
        expect([...seen].sort((a, b) => a - b)).toEqual([...Array(train.samples).keys()]);
        passes.push(seen.map(String));
      }
      expect(passes[0]).toEqual(passes[2]);
      expect(passes[0]).not.toEqual(passes[1]);
      // Read in order, the blocks are the text.
      if (base !== 'gpt2') return;
      const ids: number[] = [];
      for await (const { feeds, indices } of train.read({ epoch: 0, training: false })) {
        const rows = indices.filter((i) => i >= 0).length;
        ids.push(...(feeds.input_ids!.data as Int32Array).subarray(0, rows * 16));
      }
      const text = opened.tokenizer.decode(ids, { skipSpecialTokens: true });
      const all = lines.join('').replaceAll(' ', '');
      expect(all.startsWith(text.replaceAll(' ', ''))).toBe(true);
      expect(workload.data.train + workload.data.valid).toBe(
        Math.floor((lines.flatMap((l) => opened.tokenizer.ids(l)).length + lines.length) / 16),
      );
    } finally {
      await streams.close();
    }
  },
);

test('what a tokenizer puts before a text stands before every document', async () => {
  const folder = await writeTinyTextBase(join(root, 'llama'), lines, 'llama');
  const place = join(folder, 'tokenizer.json');
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<pad>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { '<pad>': { id: '<pad>', ids: [0], tokens: ['<pad>'] } },
  };
  const tokenizer = JSON.parse(readFileSync(place, 'utf8'));
  writeFileSync(place, JSON.stringify({ ...tokenizer, post_processor: template }));
  const { opened, workload } = await open('llama');
  const { train, close } = await workload.streams();
  try {
    const ids: number[] = [];
    for await (const { feeds, indices } of train.read({ epoch: 0, training: false })) {
      const rows = indices.filter((i) => i >= 0).length;
      ids.push(...(feeds.input_ids!.data as Int32Array).subarray(0, rows * 16));
    }
    const whole = lines.flatMap((line) => [...opened.tokenizer.ids(line), 1]);
    expect(whole[0]).toBe(0);
    expect(ids).toEqual(whole.slice(0, ids.length));
  } finally {
    await close();
  }
});

test('a script that the base does not know is told of', async () => {
  const data = join(root, 'russian.txt');
  writeFileSync(
    data,
    Array.from({ length: 40 }, (_, i) => `${words[i % 8]} отличный фильм`).join('\n'),
  );
  const said: string[] = [];
  const { data: record } = await openStreamedWorkload(
    { ...choices, data },
    await openTextFolder(join(root, 'bert')),
    {
      engine: await testEngine(),
      listener: (event) => event.type === 'note' && said.push(event.text),
      signal: undefined,
    },
  );
  expect(said).toEqual([expect.stringMatching(/^67 % of the tokens are unknown to the base/)]);
  expect(record.notes).toEqual(said);
});
