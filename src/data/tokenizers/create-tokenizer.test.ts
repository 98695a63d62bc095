import { describe, expect, test } from 'vitest';
import { goldenJson, goldenModel } from '../../../test/support/tokenizer-configs.js';
import { ConfigError } from '../../errors.js';
import {
  createTokenizer,
  fromSentencePiece,
  meanRow,
  NEW_ROW,
  readSentencePiece,
  trainBpe,
  trainWordPiece,
  vocabularyMap,
} from './index.js';

const corpus = goldenJson<string[]>('corpus.json');
const wordPiece = trainWordPiece(corpus, { vocabularySize: 800 });
const bpe = trainBpe(corpus, { vocabularySize: 500 });

describe('ranges', () => {
  const tokenizer = createTokenizer({ tokenizer: wordPiece });

  test('count UTF-16 units of the text as it was given', () => {
    const text = '😀 É the\u00ad model';
    const { ids, offsets, wordIds } = tokenizer.encode(text);
    const spans = offsets.map((o) => o && text.slice(...o));
    expect(spans).toEqual([null, '😀', 'É', 'the', 'model', null]);
    expect(wordIds).toEqual([null, 0, 1, 2, 3, null]);
    expect(ids).toHaveLength(6);
  });

  test('of words count in the word', () => {
    const words = ['The', 'unlearnable', '', 'É!'];
    const found = tokenizer.encodeWords(words);
    for (const [i, span] of found.offsets.entries()) {
      const word = found.wordIds[i];
      if (span && word !== null) expect(words[word!]!.slice(...span)).not.toBe('');
    }
    expect(new Set(found.wordIds)).toEqual(new Set([null, 0, 1, 3]));
  });
});

describe('lengths', () => {
  const tokenizer = createTokenizer({ tokenizer: wordPiece });

  test('what does not fit is counted', () => {
    const whole = tokenizer.encode('the model the model the model');
    const cut = tokenizer.encode('the model the model the model', { maxLength: 5 });
    expect(cut.ids).toHaveLength(5);
    expect(cut.truncated).toBe(whole.ids.length - 5);
    expect(cut.ids.at(-1)).toBe(tokenizer.special.sep);
    expect(whole.truncated).toBe(0);
    expect(tokenizer.encode('the model', { maxLength: 2 }).ids).toEqual([2, 3]);
    const words = tokenizer.encodeWords(['the', 'model', 'the'], { maxLength: 4 });
    expect(words.wordIds).toEqual([null, 0, 1, null]);
  });

  test('no room for the special tokens is an error', () => {
    expect(() => tokenizer.encode('a', { maxLength: 1 })).toThrow(ConfigError);
    expect(() => tokenizer.encode('a', { maxLength: 2, pair: 'b' })).toThrow(/adds 3 special/);
    expect(() => tokenizer.encode('a', { truncate: 'second' })).toThrow(/no second text/);
    expect(() =>
      tokenizer.encode('a', { pair: 'the the the the', maxLength: 5, truncate: 'first' }),
    ).toThrow(/cannot give up 3/);
  });
});

describe('tokens that are added', () => {
  test('come at the end, are found in texts, and survive saving', () => {
    const old = createTokenizer({ tokenizer: bpe });
    const tokenizer = old
      .withTokens(['<a>', 'zyx', 'Ġthe', '<a>', ''])
      .withTokens(['[SPK]'], { special: true });
    // "Ġthe" is in the vocabulary already.
    expect(tokenizer.vocabularySize).toBe(503);
    expect(tokenizer.ids('<a>zyx[SPK]')).toEqual([500, 501, 502]);
    expect(tokenizer.decode([500, 502], { skipSpecialTokens: true })).toBe('<a>');
    const files = tokenizer.files();
    expect([...files.keys()]).toEqual([
      'tokenizer.json',
      'tokenizer_config.json',
      'special_tokens_map.json',
    ]);
    const again = createTokenizer({
      tokenizer: JSON.parse(files.get('tokenizer.json')!),
      config: JSON.parse(files.get('tokenizer_config.json')!),
    });
    expect(again.ids('<a> and zyx')).toEqual(tokenizer.ids('<a> and zyx'));
    expect(again.special).toEqual(tokenizer.special);
    expect(tokenizer.special.eos).toBe(0);
  });

  test('are found within words, though a normalizer puts a mark before each', () => {
    const llama = fromSentencePiece(readSentencePiece(goldenModel('bpe'), 'bpe'));
    const tokenizer = createTokenizer({ tokenizer: llama }).withTokens(['<x>']);
    const id = tokenizer.vocabularySize - 1;
    expect(tokenizer.ids('<x>the<x>').filter((found) => found === id)).toHaveLength(2);
    // Where it changes letters, it changes those of the token.
    const lower = createTokenizer({ tokenizer: wordPiece }).withTokens(['Zyx']);
    expect(lower.ids('the zYx')).toContain(lower.vocabularySize - 1);
  });

  test('are new rows in the map of a vocabulary; the others keep theirs', () => {
    const old = createTokenizer({ tokenizer: bpe });
    const map = vocabularyMap(old, old.withTokens(['<a>']));
    expect([...map.subarray(0, 500)]).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(map[500]).toBe(NEW_ROW);
    const smaller = createTokenizer({ tokenizer: trainBpe(corpus, { vocabularySize: 400 }) });
    const pruned = vocabularyMap(old, smaller);
    expect(pruned).toHaveLength(400);
    pruned.forEach((row, id) => {
      expect(old.tokenOf(row)).toBe(smaller.tokenOf(id));
    });
    expect([...meanRow(Float32Array.of(1, 2, 3, 6), 2)]).toEqual([2, 4]);
  });
});

test('ids outside the vocabulary are passed over', () => {
  const tokenizer = createTokenizer({ tokenizer: bpe });
  expect(tokenizer.decode([9999, ...tokenizer.ids('the'), -1])).toBe('the');
  expect(tokenizer.decode([])).toBe('');
  expect(tokenizer.tokenOf(9999)).toBeUndefined();
});
