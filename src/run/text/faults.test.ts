/** Runs that cannot go on and bases that are none: what a person is told to do. */
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testEngine } from '../../../test/support/engine.js';
import { toyTexts } from '../../../test/support/toy-texts.js';
import { loadBase } from '../index.node.js';

const { at, adapt } = toyTexts();
const made = () => ({ data: at('opinions'), base: at('bert'), epochs: 1, maxLength: 32 });

test('a run whose loss is no number has failed: it is not gone on with, and its folder is named', async () => {
  const options = { ...made(), lr: 1e30, out: at('wild') };
  await expect(adapt(options)).rejects.toThrow(/cannot go on; begin a new one with another --out/);
  expect(JSON.parse(readFileSync(join(at('wild'), 'run.json'), 'utf8')).status).toBe('failed');
  await expect(adapt({ resume: true, lr: 1e30, out: at('wild') })).rejects.toMatchObject({
    code: 'run-failed',
  });
  await expect(adapt(options)).rejects.toThrow(/holds a run that failed\. Choose another folder/);
});

test("a run's folder as a base: its model is named", async () => {
  await adapt({ ...made(), out: at('first') });
  const again = { ...made(), base: at('first'), out: at('second') };
  await expect(adapt(again)).rejects.toThrow(`Give that: --base ${at('first')}/model.`);
});

test('a base without a tokenizer is named', async () => {
  cpSync(at('bert'), at('mute'), { recursive: true });
  rmSync(join(at('mute'), 'tokenizer.json'));
  const asked = adapt({ ...made(), base: at('mute'), out: at('third') });
  await expect(asked).rejects.toMatchObject({ code: 'tokenizer-missing' });
  await expect(asked).rejects.toThrow(`${at('mute')}: There is no tokenizer: expected`);
});

test('a place where no folder can be made is refused', async () => {
  const file = join(at('bert'), 'config.json', 'run');
  await expect(adapt({ ...made(), out: file })).rejects.toMatchObject({ code: 'out' });
});

test('a run on pictures as a base is told of in the same words', async () => {
  const asked = loadBase(await testEngine(), at('first'));
  await expect(asked).rejects.toThrow('is a run, and its model lies in');
});
