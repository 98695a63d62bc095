import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { goldenFolder } from '../../../test/support/tokenizer-configs.js';
import { createTokenizer, loadTokenizer, type Tokenizer, type TokenizerSource } from './index.js';

interface Case {
  readonly text: string;
  readonly source: number[];
  readonly target: number[];
  readonly decoded: string;
}

const folder = resolve(goldenFolder, 'marian');
const read = (name: string) => readFileSync(resolve(folder, name));
const cases = JSON.parse(read('cases.json').toString()) as Case[];

/** A repository of files by name. */
function repository(files: ReadonlyMap<string, string | Uint8Array>): TokenizerSource {
  const bytes = async (name: string) => {
    const found = files.get(name);
    return found === undefined ? null : Uint8Array.from(Buffer.from(found));
  };
  const text = async (name: string) => {
    const found = await bytes(name);
    return found && new TextDecoder().decode(found);
  };
  const json = async (name: string) => JSON.parse((await text(name)) ?? 'null');
  return { bytes, text, json };
}

const FILES = ['source.spm', 'target.spm', 'vocab.json', 'tokenizer_config.json'];
const published = new Map(FILES.map((name) => [name, read(name)]));
const all = (t: Tokenizer) =>
  new Map<string, string | Uint8Array>([...t.files(), ...t.binaryFiles()]);

function expectCases(tokenizer: Tokenizer): void {
  for (const { text, source, target } of cases) {
    const ids = { source: tokenizer.ids(text), target: tokenizer.target?.ids(text) };
    expect({ text, ...ids }).toEqual({ text, source, target });
  }
}

describe("as transformers' MarianTokenizer", () => {
  test('ids of both languages, codes of a language at the beginning alone', async () => {
    expectCases(await loadTokenizer(repository(published)));
  });

  test('the target alone', async () => {
    const tokenizer = await loadTokenizer(repository(published), { side: 'target' });
    expect(tokenizer.target).toBeUndefined();
    for (const { text, target } of cases) expect(tokenizer.ids(text)).toEqual(target);
  });

  test('text of ids', async () => {
    const tokenizer = await loadTokenizer(repository(published));
    for (const { text, source, decoded } of cases) {
      // Spaces stay between the marks that were in a text and around special tokens; they are cut off there.
      if (/[▁<]/.test(text)) continue;
      expect(tokenizer.decode(source, { skipSpecialTokens: true }).trim()).toBe(decoded);
    }
  });
});

describe('what is saved', () => {
  test('gives the same ids again, though a tokenizer.json is with it', async () => {
    const files = all(await loadTokenizer(repository(published)));
    expect([...files.keys()]).toEqual(expect.arrayContaining([...FILES, 'tokenizer.json']));
    const config = JSON.parse(files.get('tokenizer_config.json') as string);
    expect(config).toMatchObject({ tokenizer_class: 'MarianTokenizer', source_lang: 'en' });
    expectCases(await loadTokenizer(repository(files)));
  });

  test('has tokens that were added', async () => {
    const tokenizer = (await loadTokenizer(repository(published))).withTokens(['<x>', 'dogs']);
    const again = await loadTokenizer(repository(all(tokenizer)));
    for (const { target, ids, vocabularySize } of [tokenizer, again]) {
      expect(vocabularySize).toBe(70);
      expect(ids('<x>dogs')).toEqual([68, 69, 0]);
      expect(target!.ids('dogs')).toEqual([69, 0]);
    }
  });

  test('knows languages by its class, where tokenizer.json is all there is', async () => {
    const files = (await loadTokenizer(repository(published))).files();
    const kept = ['tokenizer.json', 'tokenizer_config.json'];
    const alone = new Map([...files].filter(([name]) => kept.includes(name)));
    const tokenizer = await loadTokenizer(repository(alone));
    const { text, source } = cases[2]!;
    expect(tokenizer.ids(text)).toEqual(source);
    expect(tokenizer.encode(text).offsets[0]).toEqual([0, '>>deu<<'.length]);
  });
});

test('a vocabulary of its own for the target', async () => {
  const vocabulary = JSON.parse(read('vocab.json').toString()) as Record<string, number>;
  const last = Object.keys(vocabulary).length - 1;
  const turned = Object.fromEntries(
    Object.entries(vocabulary).map(([token, id]) => [token, id < 2 ? id : last + 2 - id]),
  );
  const files = new Map<string, string | Uint8Array>([
    ...published,
    ['target_vocab.json', JSON.stringify(turned)],
    ['tokenizer_config.json', JSON.stringify({ separate_vocabs: true })],
  ]);
  const tokenizer = await loadTokenizer(repository(files));
  const { source, target } = cases[1]!;
  expect(tokenizer.ids(cases[1]!.text)).toEqual(source);
  const expected = target.map((id) => (id < 2 ? id : last + 2 - id));
  expect(tokenizer.target!.ids(cases[1]!.text)).toEqual(expected);
  expect(all(tokenizer).has('target_vocab.json')).toBe(true);
});

test('a tokenizer.json of another class is read before what lies beside it', async () => {
  const bert = createTokenizer({
    tokenizer: {
      model: { type: 'WordLevel', vocab: { '[UNK]': 0, the: 1 }, unk_token: '[UNK]' },
      pre_tokenizer: { type: 'Whitespace' },
    },
  });
  const both = new Map<string, string | Uint8Array>([...published, ...bert.files()]);
  const tokenizer = await loadTokenizer(repository(both));
  expect(tokenizer.ids('the')).toEqual([1]);
});
