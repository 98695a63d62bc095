import { describe, expect, test } from 'vitest';
import { goldenJson, goldenModel } from '../../../test/support/tokenizer-configs.js';
import { ConfigError, WeightsError } from '../../errors.js';
import { loadTokenizer, type TokenizerSource, trainBpe, trainWordPiece } from './index.js';

type Content = string | Uint8Array | object;

/** A repository in memory. */
function source(files: Readonly<Record<string, Content>>): TokenizerSource {
  const get = (name: string) => files[name] ?? null;
  return {
    json: async (name) => get(name) as Record<string, unknown> | null,
    text: async (name) => get(name) as string | null,
    bytes: async (name) => get(name) as Uint8Array | null,
  };
}

const corpus = goldenJson<string[]>('corpus.json');
const wordPiece = trainWordPiece(corpus, { vocabularySize: 800 });
const bpe = trainBpe(corpus, {
  vocabularySize: 700,
  specialTokens: ['<s>', '<pad>', '</s>', '<unk>', '<mask>'],
});
const modelOf = (json: Readonly<Record<string, unknown>>) =>
  json.model as { vocab: Record<string, number>; merges: [string, string][] };
const vocabText = `${Object.keys(modelOf(wordPiece).vocab).join('\n')}\n`;
const mergesText = `#version: 0.2\n${modelOf(bpe)
  .merges.map((m) => m.join(' '))
  .join('\n')}\n`;
const tokensOf = async (files: Record<string, Content>, text: string) => {
  const tokenizer = await loadTokenizer(source(files));
  return tokenizer.ids(text).map((id) => tokenizer.tokenOf(id));
};

describe('a tokenizer comes from', () => {
  test('tokenizer.json before anything else', async () => {
    const tokenizer = await loadTokenizer(
      source({
        'tokenizer.json': JSON.stringify(wordPiece),
        'tokenizer_config.json': { model_max_length: 512, cls_token: '[CLS]', pad_token: '[PAD]' },
        'special_tokens_map.json': { unk_token: { content: '[UNK]' } },
        'vocab.txt': 'not looked at',
      }),
    );
    expect(tokenizer.maxLength).toBe(512);
    expect(tokenizer.special).toEqual({ pad: 0, unk: 1, cls: 2 });
    expect(tokenizer.vocabularySize).toBe(800);
  });

  test('vocab.txt, as tokenizer_config.json wants it', async () => {
    const lower = await tokensOf({ 'vocab.txt': vocabText }, 'The É');
    expect(lower).toEqual(['[CLS]', 'the', 'e', '[SEP]']);
    const config = { do_lower_case: false, strip_accents: false };
    const cased = await tokensOf(
      { 'vocab.txt': vocabText.replaceAll('\n', '\r\n'), 'tokenizer_config.json': config },
      'The É',
    );
    expect(cased).toEqual(['[CLS]', '[UNK]', '[UNK]', '[SEP]']);
  });

  test('vocab.json and merges.txt: GPT-2 adds nothing, RoBERTa and BART do', async () => {
    const files = { 'vocab.json': modelOf(bpe).vocab, 'merges.txt': mergesText };
    expect(await tokensOf(files, 'the model')).toEqual(['the', 'Ġmodel']);
    for (const model_type of ['roberta', 'bart']) {
      const found = await tokensOf({ ...files, 'config.json': { model_type } }, 'a<mask>');
      expect(found).toEqual(['<s>', 'a', '<mask>', '</s>']);
      const repository = source({ ...files, 'config.json': { model_type } });
      const { special } = await loadTokenizer(repository);
      expect(special).toEqual({ bos: 0, pad: 1, eos: 2, unk: 3, mask: 4, cls: 0, sep: 2 });
    }
  });

  test('vocab.json and merges.txt of Qwen2, with its added tokens', async () => {
    const files = {
      'vocab.json': modelOf(bpe).vocab,
      'merges.txt': mergesText,
      'tokenizer_config.json': {
        tokenizer_class: 'Qwen2Tokenizer',
        eos_token: '<|im_end|>',
        added_tokens_decoder: {
          '700': { content: '<|im_start|>', special: true },
          '701': { content: '<|im_end|>', special: true },
        },
      },
    };
    // Digits stay apart, and composed characters are composed.
    expect(await tokensOf(files, '<|im_start|>12e\u0301<|im_end|>')).toEqual([
      '<|im_start|>',
      '1',
      '2',
      ...(await tokensOf(files, 'é')),
      '<|im_end|>',
    ]);
    expect((await loadTokenizer(source(files))).special).toEqual({ eos: 701 });
  });

  test("SentencePiece's file, by the kind of model", async () => {
    const spm = { 'spiece.model': goldenModel('unigram') };
    const t5 = await loadTokenizer(source({ ...spm, 'config.json': { model_type: 't5' } }));
    expect(t5.tokenOf(t5.ids('a').at(-1)!)).toBe('</s>');
    const bare = await loadTokenizer(source({ 'tokenizer.model': goldenModel('bpe') }));
    expect(bare.ids('a').map((id) => bare.tokenOf(id))).toEqual(['▁a']);
  });

  test("Marian's files, source and target", async () => {
    const vocabulary = Object.fromEntries(
      ['</s>', '<unk>', '▁', 'a', '<pad>'].map((t, i) => [t, i]),
    );
    const files = {
      'source.spm': goldenModel('unigram'),
      'target.spm': goldenModel('unigram'),
      'vocab.json': vocabulary,
    };
    const tokenizer = await loadTokenizer(source(files), { side: 'target' });
    expect(tokenizer.ids('aa')).toEqual([2, 3, 3, 0]);
    const { 'vocab.json': _, ...without } = files;
    await expect(loadTokenizer(source(without))).rejects.toThrow(/source\.spm' needs vocab\.json/);
  });

  test('nothing: an error that lists what is looked for', async () => {
    const attempt = loadTokenizer(source({ 'vocab.json': {} }));
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toMatchObject({ code: 'tokenizer-missing' });
  });
});

describe('damaged files name the field', () => {
  /** The tokenizer with something else in one place; undefined takes it away. */
  const damaged = (path: string, value: unknown): object => {
    const json = JSON.parse(JSON.stringify(wordPiece)) as Record<string, unknown>;
    const keys = path.split('/');
    const last = keys.pop()!;
    let at = json;
    for (const key of keys) at = at[key] as Record<string, unknown>;
    at[last] = value;
    return json;
  };
  const split = (Regex: string) => ({ type: 'Split', pattern: { Regex }, behavior: 'Removed' });
  const precompiled = (precompiled_charsmap: string) => ({
    type: 'Precompiled',
    precompiled_charsmap,
  });
  const single = [{ Sequence: { id: 'B', type_id: 0 } }];
  test.each<[RegExp, string, unknown]>([
    [/model\.type.*"Magic".*known are WordPiece/, 'model/type', 'Magic'],
    [/model\.vocab of.*expected an object/, 'model/vocab', [1]],
    [/model\.vocab\["the"\].*-1/, 'model/vocab/the', -1],
    [/model\.vocab of.* gives id 0 to/, 'model/vocab/the', 0],
    [/model\.vocab\["the"\]/, 'model/vocab/the', 2 ** 31],
    [/model\.unk_token.*not in the vocabulary/, 'model/unk_token', '<nothing>'],
    [/normalizer\.lowercase.*true or false/, 'normalizer/lowercase', 'yes'],
    [/pre_tokenizer\.type.*UnicodeScripts/, 'pre_tokenizer/type', 'UnicodeScripts'],
    [/post_processor\.single\[0\].*'\[CLS\]'/, 'post_processor/special_tokens', {}],
    [/post_processor\.single.*sequence A exactly once/, 'post_processor/single', single],
    [/added_tokens\[0\]\.id/, 'added_tokens/0/id', 'x'],
    [/pre_tokenizer\.pattern.*5000 characters/, 'pre_tokenizer', split('a'.repeat(5000))],
    [/pre_tokenizer\.pattern.*cannot be used/, 'pre_tokenizer', split('(')],
    [/normalizer\.precompiled_charsmap.*base64/, 'normalizer', precompiled('?')],
    [/normalizer\.precompiled_charsmap.*cut off/, 'normalizer', precompiled('AAAB')],
    [
      /model\.merges\[0\] of.* needs "zz"/,
      'model',
      { type: 'BPE', vocab: { a: 0 }, merges: [['a', 'zz']] },
    ],
    [
      /model\.vocab\[0\].*log probability/,
      'model',
      { type: 'Unigram', unk_id: 0, vocab: [['a', null]] },
    ],
    [/model\.unk_id.*9/, 'model', { type: 'Unigram', unk_id: 9, vocab: [['a', -1]] }],
  ])('%s', async (message, path, value) => {
    const json = damaged(path, value);
    const attempt = loadTokenizer(source({ 'tokenizer.json': JSON.stringify(json) }));
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toThrow(WeightsError);
  });

  test('tokenizer.json that is no JSON', async () => {
    await expect(loadTokenizer(source({ 'tokenizer.json': '{"a"' }))).rejects.toThrow(
      /tokenizer\.json of the tokenizer is no JSON/,
    );
  });

  test('vocabularies without the tokens that their kind needs', async () => {
    await expect(loadTokenizer(source({ 'vocab.txt': 'a\nb\n' }))).rejects.toThrow(/\[CLS\]/);
    const merges = { 'vocab.json': { a: 0 }, 'merges.txt': '#version\na b c\n' };
    await expect(loadTokenizer(source(merges))).rejects.toThrow(/line 2; expected two tokens/);
  });
});
