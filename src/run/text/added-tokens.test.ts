/** Tokens that a base does not know are learned beside its own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { csv, opinions, toyTexts } from '../../../test/support/toy-texts.js';
import type { FitOptions, RunListener } from '../index.node.js';
import { exportRun, predictRun } from '../index.node.js';
import { withAddedTokens } from './added-tokens.js';
import { openTextFolder } from './base.js';
import { openTextRun } from './open-run.js';

const { at, write, adapt } = toyTexts();

/** A run, and what it said. */
async function told(options: Partial<FitOptions>) {
  const notes: string[] = [];
  const listener: RunListener = (e) => {
    if (e.type === 'note') notes.push(e.text);
    options.listener?.(e);
  };
  return { run: await adapt({ ...options, listener }), notes };
}

const tokensFile = (name: string, text: string) => {
  writeFileSync(at(name), text);
  return at(name);
};

/** The weights that are kept of a run. */
const weightsOf = (run: string) => readFileSync(join(at(run), 'model', 'model.safetensors'));

test('they are in the model that is kept, in its exports, and in a run that is gone on with', async () => {
  const rows = opinions(24, 'z').map(([text, label]) => [`${text} zyx-1`, label!]);
  const data = write('dated', {
    'train.csv': csv('text,label', rows),
    'valid.csv': csv('text,label', rows),
  });
  const addTokens = tokensFile('new.txt', 'zyx-1\r\n  two words \n\nfilm\nzyx-1\n');
  const made = { data, base: at('bert'), addTokens, epochs: 1, maxLength: 32 };
  const { notes } = await told({ ...made, out: at('added') });
  expect(notes).toContainEqual(expect.stringMatching(/^1 lines of .* twice/));
  expect(notes).toContainEqual(expect.stringMatching(/^1 tokens of .* known .*: film$/));
  expect(notes).toContain('2 tokens are added to the base: zyx-1, two words');

  const base = await openTextFolder(at('bert'));
  const opened = await openTextRun(at('added'));
  const { tokenizer } = opened.base;
  const size = base.tokenizer.vocabularySize;
  expect(tokenizer.vocabularySize).toBe(size + 2);
  expect(tokenizer.ids('zyx-1 two words', { addSpecialTokens: false })).toEqual([size, size + 1]);
  expect(opened.loaded.config.vocabularySize).toBe(size + 2);
  const table = 'bert.embeddings.word_embeddings.weight';
  expect(opened.loaded.weights.get(table)!.shape[0]).toBe(size + 2);
  expect((await predictRun(at('added'), ['the film was zyx-1'])).predictions).toHaveLength(1);
  await exportRun(at('added'), { to: 'huggingface', out: at('exported') });
  const again = await told({ ...made, base: at('exported'), out: at('again') });
  expect(again.notes).toContainEqual(expect.stringMatching(/^3 tokens of .* known/));

  const stop = new AbortController();
  const listener: RunListener = (e) => e.type === 'step' && e.step === 2 && stop.abort();
  const { run } = await told({ ...made, out: at('broken'), listener, signal: stop.signal });
  expect(run.interrupted).toBe(true);
  await adapt({ resume: true, out: at('broken') });
  expect(weightsOf('broken').equals(weightsOf('added'))).toBe(true);
});

test('rows that a base has to spare are taken first, and begin as other new ones do', async () => {
  const base = await openTextFolder(at('t5'));
  const size = base.tokenizer.vocabularySize;
  const padded = { ...base, config: { ...base.config, vocabularySize: size + 2 } };
  const one = await withAddedTokens(padded, tokensFile('one.txt', 'zyx-1'), () => {});
  expect(one.config.vocabularySize).toBe(size + 2);
  expect([...one.rowOf!.slice(size - 1)]).toEqual([size - 1, -1, size + 1]);
  const three = await withAddedTokens(padded, tokensFile('three.txt', 'x1\nx2\nx3'), () => {});
  expect([...three.rowOf!.slice(size - 1)]).toEqual([size - 1, -1, -1, -1]);
});

test.each([
  ['\n \n', {}, { code: 'no-data', message: expect.stringMatching(/holds no token/) }],
  ['a', { method: 'feature-extraction' }, { message: expect.stringMatching(/freezes them/) }],
])('%j with %o is refused', async (text, more, expected) => {
  const addTokens = tokensFile('refused.txt', text);
  const made = { data: at('opinions'), base: at('bert'), addTokens, out: at('none') };
  await expect(adapt({ ...made, ...more })).rejects.toMatchObject(expected);
  const missing = { ...made, addTokens: at('nowhere.txt') };
  await expect(adapt(missing)).rejects.toThrow(/nowhere.txt cannot be read/);
});
