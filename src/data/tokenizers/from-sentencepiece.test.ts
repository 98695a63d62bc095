import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { goldenJson, goldenModel } from '../../../test/support/tokenizer-configs.js';
import { ConfigError, WeightsError } from '../../errors.js';
import {
  createTokenizer,
  fromMarian,
  fromSentencePiece,
  readSentencePiece,
  type SentencePieceModel,
} from './index.js';

interface Golden {
  readonly cases: { readonly text: string; readonly ids: number[] }[];
  readonly decoded: string[];
}
const golden = goldenJson<Record<'unigram' | 'bpe', Golden>>('sentencepiece.json');
const model = (name: 'unigram' | 'bpe') => readSentencePiece(goldenModel(name), name);
const made = (name: 'unigram' | 'bpe', kind = '') =>
  createTokenizer({ tokenizer: fromSentencePiece(model(name), { kind }) });

describe.each(['unigram', 'bpe'] as const)('as sentencepiece: %s', (name) => {
  test('ids', () => {
    const tokenizer = made(name);
    for (const { text, ids } of golden[name].cases) {
      expect({ text, ids: tokenizer.ids(text) }).toEqual({ text, ids });
    }
  });

  test('text of ids', () => {
    const tokenizer = made(name);
    golden[name].cases.forEach(({ ids }, i) => {
      // SentencePiece shows unknown tokens as ⁇ and keeps no spaces that it put there.
      if (ids.includes(0)) return;
      expect(tokenizer.decode(ids)).toBe(golden[name].decoded[i]);
    });
  });
});

interface Flagged {
  readonly model: string;
  readonly cases: { readonly text: string; readonly ids: number[]; readonly decoded: string }[];
}
const flagged = goldenJson<Record<string, Flagged>>('sentencepiece-flags.json');

describe.each(Object.keys(flagged))('as sentencepiece with its flags: %s', (name) => {
  const { model: file, cases } = flagged[name]!;
  const flags = readSentencePiece(Buffer.from(file, 'base64'), name);
  const tokenizer = createTokenizer({ tokenizer: fromSentencePiece(flags) });
  // SentencePiece finds no control pieces in texts; Hugging Face's tokenizers do.
  const plain = cases.filter(({ text }) => !text.includes('<s>'));

  test('ids of drawn texts', () => {
    for (const { text, ids } of plain)
      expect({ text, ids: tokenizer.ids(text) }).toEqual({ text, ids });
  });

  test('text of ids', () => {
    for (const { text, ids, decoded } of plain) {
      // SentencePiece cuts off the marks that a text began with.
      if (!ids.includes(0) && !/^ *▁/.test(text)) expect(tokenizer.decode(ids)).toBe(decoded);
    }
  });
});

test('T5: the end after each text, sentinels from the last to the first', () => {
  const tokenizer = made('unigram', 'T5Tokenizer');
  const plain = made('unigram');
  const size = plain.vocabularySize;
  const eos = tokenizer.idOf('</s>')!;
  expect(tokenizer.vocabularySize).toBe(size + 100);
  expect(tokenizer.idOf('<extra_id_99>')).toBe(size);
  expect(tokenizer.idOf('<extra_id_0>')).toBe(size + 99);
  const text = 'the networks <extra_id_0> learn';
  const ids = tokenizer.ids(text, { pair: 'more' });
  expect(ids).toContain(size + 99);
  expect(ids.filter((id) => id === eos)).toHaveLength(2);
  expect(ids.at(-1)).toBe(eos);
});

test('XLM-R: ids one higher, <s> A </s></s> B </s>, the mask last', () => {
  const tokenizer = made('unigram', 'xlm-roberta');
  const plain = made('unigram');
  for (const { text } of golden.unigram.cases) {
    const expected = plain.ids(text).map((id) => (id === 0 ? 3 : id + 1));
    expect(tokenizer.ids(text, { addSpecialTokens: false })).toEqual(expected);
  }
  expect(tokenizer.ids('', { pair: '' })).toEqual([0, 2, 2, 2]);
  expect(tokenizer.tokenOf(tokenizer.vocabularySize - 1)).toBe('<mask>');
});

test('Llama: <s> before each text', () => {
  const { ids } = made('bpe', 'LlamaTokenizer').encode('a', { pair: 'b' });
  const tokenizer = made('bpe', 'llama');
  expect(ids.map((id) => tokenizer.tokenOf(id))).toEqual(['<s>', '▁a', '<s>', '▁b']);
});

test('Marian: ids of vocab.json; pieces of the other language only where nothing else fits', () => {
  const { pieces } = model('unigram');
  const tokens = [
    '</s>',
    '<unk>',
    ...pieces
      .slice(3)
      .map((p) => p.piece)
      .reverse(),
    'の',
    '▁netznetz',
  ];
  const vocabulary = Object.fromEntries([...tokens, '<pad>'].map((token, id) => [token, id]));
  const tokenizer = createTokenizer({ tokenizer: fromMarian(model('unigram'), vocabulary) });
  const plain = made('unigram');
  const texts = golden.unigram.cases.map((c) => c.text).filter((t) => !plain.ids(t).includes(0));
  expect(texts.length).toBeGreaterThan(8);
  for (const text of texts) {
    const expected = plain.ids(text).map((id) => vocabulary[plain.tokenOf(id)!]!);
    expect(tokenizer.ids(text)).toEqual([...expected, 0]);
  }
  expect(tokenizer.ids('netznetz')).not.toContain(vocabulary['▁netznetz']);
  expect(tokenizer.ids('のの')).toContain(vocabulary.の);
  expect(() => fromMarian(model('unigram'), { a: 0, b: 2 })).toThrow(/no token with id 1/);
  expect(() => fromMarian(model('unigram'), { a: 0 })).toThrow(/lacks '<\/s>'/);
});

test('models that cannot be used are refused', () => {
  expect(() => made('unigram', 'camembert')).toThrow(/'camembert'.*save_pretrained/);
  const words: SentencePieceModel = { ...model('unigram'), modelType: 3 };
  expect(() => fromSentencePiece(words)).toThrow(ConfigError);
  const suffixed = { ...model('unigram'), treatWhitespaceAsSuffix: true };
  expect(() => fromSentencePiece(suffixed)).toThrow(/treat_whitespace_as_suffix = true/);
  const bare = { ...model('bpe'), escapeWhitespaces: false };
  expect(() => fromSentencePiece(bare)).toThrow(/escape_whitespaces = false/);
  const blind = { ...model('unigram'), pieces: [{ piece: 'a', score: 0, type: 1 }] };
  expect(() => fromSentencePiece(blind)).toThrow(/no unknown piece/);
  expect(() => readSentencePiece(new Uint8Array(0), 'x.model')).toThrow(/'x.model'.*no pieces/);
});

test('long texts without spaces are cut at graphemes as short ones are', () => {
  const tokenizer = made('unigram');
  // Every grapheme of three parts, so that windows of any even size end within one.
  const unit = 'e\u0301👍🏽\u{1f1e9}\u{1f1ea}ﬁ';
  const one = tokenizer.encode(unit.repeat(2), { addSpecialTokens: false });
  const many = tokenizer.encode(unit.repeat(700), { addSpecialTokens: false });
  const pieces = (e: typeof one) => e.ids.map((id) => tokenizer.tokenOf(id));
  const period = (one.ids.length - 1) / 2;
  expect(pieces(many).slice(0, one.ids.length)).toEqual(pieces(one));
  for (let i = 1; i + period < many.ids.length; i++) {
    expect(many.ids[i + period]).toBe(many.ids[i]);
  }
  expect(many.offsets.at(-1)![1]).toBe(unit.length * 700);
});

test('damaged files are refused or read, never worse', () => {
  const bytes = goldenModel('unigram');
  fc.assert(
    fc.property(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(bytes.length),
      (at, change, length) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at]! ^= change;
        try {
          const json = fromSentencePiece(readSentencePiece(damaged.subarray(0, length), 'm'));
          createTokenizer({ tokenizer: json }).encode('the network');
        } catch (error) {
          if (!(error instanceof WeightsError || error instanceof ConfigError)) throw error;
        }
      },
    ),
    { numRuns: 150 },
  );
});
