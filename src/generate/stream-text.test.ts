/** Pieces of text: whole characters, nothing twice, nothing lost. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { generateGoldenModel, readGenerateGolden } from '../../test/support/generate-golden.js';
import { createTokenizer, trainBpe, trainWordPiece } from '../data/index.js';
import { streamText, textPieces } from './stream-text.js';
import { TextGenerator } from './text-generator.js';

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

const bytes = createTokenizer({ tokenizer: trainBpe(['ab'], { vocabularySize: 258 }) });
const words = createTokenizer({
  tokenizer: trainWordPiece(["ann did n't see bob 's film . ' do not '"], { vocabularySize: 90 }),
  config: { unk_token: '[UNK]', clean_up_tokenization_spaces: true },
});

test('characters of several bytes come whole', async () => {
  const text = 'ä 😀漢e\u0301 ok';
  const ids = bytes.ids(text);
  expect(ids.length).toBeGreaterThan(text.length);
  const pieces = await collect(textPieces(ids, (some) => bytes.decode(some)));
  expect(pieces.join('')).toBe(text);
  expect(pieces.join('|')).toBe('ä| |😀|漢|e|\u0301| |o|k');
});

test.each([
  ['bytes', bytes],
  ['words whose spaces are cleaned', words],
])('any tokens: the pieces are the text: %s', async (_, tokenizer) => {
  const ids = fc.array(fc.nat(tokenizer.vocabularySize - 1), { maxLength: 20 });
  const decode = (some: readonly number[]) => tokenizer.decode(some);
  await fc.assert(
    fc.asyncProperty(ids, async (some) => {
      const pieces = await collect(textPieces(some, decode));
      expect(pieces.join('')).toBe(decode(some));
      expect(pieces).not.toContain('');
    }),
    { numRuns: 200, seed: 1 },
  );
});

test('a text is given while it is written', async () => {
  const generator = await TextGenerator.create(
    await testEngine(),
    await generateGoldenModel('gpt2'),
  );
  const [prompt] = readGenerateGolden('gpt2').prompts;
  const decode = (ids: readonly number[]) => ids.map((id) => ` w${id}`).join('');
  const options = { maxNewTokens: 6, eosTokens: [], decode };
  const pieces = await collect(streamText(generator, prompt!, options));
  const [whole] = await generator.generate([prompt!], options);
  expect(pieces.join('')).toBe(decode(whole!));
  expect(pieces.length).toBeGreaterThan(3);
  await expect(collect(streamText(generator, prompt!, { decode, numBeams: 2 }))).rejects.toThrow(
    /streamed/,
  );
  await generator.free();
});
