import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { goldenJson, hardText } from '../../../test/support/tokenizer-configs.js';
import { ConfigError, DataError } from '../../errors.js';
import {
  createTokenizer,
  type TokenizerFiles,
  trainBpe,
  trainUnigram,
  trainWordPiece,
} from './index.js';
import { repeatedSubstrings } from './seed-pieces.js';

type Json = TokenizerFiles['tokenizer'];
type Scored = [token: string, score: number][];

const texts = goldenJson<string[]>('corpus.json');
const golden = goldenJson<{ bpe: [string, string][]; wordPiece: string[]; unigram: Scored }>(
  'trained.json',
);
const modelOf = (json: Json) => json.model as Record<string, unknown>;

describe('byte-level BPE', () => {
  test('merges are those of the reference', () => {
    expect(modelOf(trainBpe(texts, { vocabularySize: 1200 })).merges).toEqual(golden.bpe);
  });

  test('every text comes back', () => {
    const tokenizer = createTokenizer({ tokenizer: trainBpe(texts, { vocabularySize: 600 }) });
    expect(tokenizer.vocabularySize).toBe(600);
    fc.assert(
      fc.property(hardText, (text) => {
        expect(tokenizer.decode(tokenizer.ids(text))).toBe(text);
      }),
    );
  });

  test('rare pairs are not merged, however large the vocabulary', () => {
    const { merges } = modelOf(trainBpe(['ab abc ab xy'], { vocabularySize: 1000 }));
    expect(merges).toEqual([
      ['a', 'b'],
      ['Ġ', 'ab'],
    ]);
  });
});

describe('WordPiece', () => {
  test('vocabulary is that of the reference', () => {
    // Ids of ##characters, which break ties, come from the order of a hash table there: on this
    // corpus it makes no difference to which tokens there are.
    const { vocab } = modelOf(trainWordPiece(texts, { vocabularySize: 1200 }));
    const ours = new Set(Object.keys(vocab as object));
    expect(ours.size).toBe(1200);
    expect(golden.wordPiece.filter((token) => !ours.has(token)).length).toBeLessThanOrEqual(6);
  });

  test('words of the corpus come back in lower case', () => {
    const tokenizer = createTokenizer({
      tokenizer: trainWordPiece(texts, { vocabularySize: 900 }),
    });
    const { ids } = tokenizer.encode('Networks learn Representations');
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(
      'networks learn representations',
    );
    expect(tokenizer.special).toEqual({ pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });
  });
});

describe('Unigram', () => {
  const json = trainUnigram(texts, { vocabularySize: 1000 });

  /** Log likelihood of the corpus, each text by its best path. */
  const likelihood = (vocab: Scored): number => {
    const tokenizer = createTokenizer({
      tokenizer: { ...json, model: { ...modelOf(json), vocab } },
    });
    let sum = 0;
    for (const text of texts) {
      for (const id of tokenizer.ids(text, { addSpecialTokens: false })) sum += vocab[id]![1];
    }
    return sum;
  };

  test('is as likely as the reference, to 1 %', () => {
    const vocab = modelOf(json).vocab as Scored;
    expect(vocab).toHaveLength(golden.unigram.length);
    const [ours, theirs] = [likelihood(vocab), likelihood(golden.unigram)];
    expect(Math.abs(ours / theirs - 1)).toBeLessThan(0.01);
    const theirTokens = new Set(golden.unigram.map(([token]) => token));
    const shared = vocab.filter(([token]) => theirTokens.has(token)).length;
    expect(shared / vocab.length).toBeGreaterThan(0.8);
  });

  test('probabilities sum to one', () => {
    const vocab = modelOf(json).vocab as Scored;
    const sum = vocab.slice(3).reduce((total, [, score]) => total + Math.exp(score), 0);
    // The last pruning takes the tail of the distribution away.
    expect(sum).toBeGreaterThan(0.85);
    expect(sum).toBeLessThanOrEqual(1.001);
  });

  test('texts of the corpus come back', () => {
    const tokenizer = createTokenizer({ tokenizer: json });
    for (const text of texts.slice(0, 50)) {
      const { ids } = tokenizer.encode(text);
      const normal = text.normalize('NFKC').trim().split(/\s+/).join(' ');
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(normal);
    }
  });

  test('more characters than entries are an error', () => {
    expect(() => trainUnigram(['abcdefgh'], { vocabularySize: 8 })).toThrow(
      /9 different characters, more than the 5/,
    );
  });
});

test('seeds are the substrings that repeat and branch', () => {
  const found = repeatedSubstrings(['banana', 'band'], 3);
  const counts = Object.fromEntries(found.map(({ piece, weight }) => [piece, weight]));
  expect(counts).toEqual({ an: 6, ana: 6, ban: 6, na: 4 });
  expect(repeatedSubstrings(['😀😁😀😁', '😀😂'], 4).map((s) => s.piece)).toEqual(['😀😁']);
});

test.each([
  ['BPE', trainBpe],
  ['WordPiece', trainWordPiece],
  ['Unigram', trainUnigram],
] as const)('%s: the same texts give the same tokenizer; wrong wishes are errors', (_, train) => {
  const few = texts.slice(-20);
  const make = () => JSON.stringify(train(few, { vocabularySize: 400 }));
  expect(make()).toBe(make());
  expect(() => train([], { vocabularySize: 400 })).toThrow(DataError);
  expect(() => train(few, { vocabularySize: 3 })).toThrow(ConfigError);
  expect(() => train(few, { vocabularySize: 300.5 })).toThrow(/expected a whole number/);
});
