/** What a model's own files say of how it writes, against transformers (scripts/golden/generation_config.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { generateGoldenModel, readGenerateGolden } from '../../test/support/generate-golden.js';
import type { RawConfig } from '../models/index.js';
import { generationDefaults } from './generation-config.js';
import { generate, TextGenerator } from './text-generator.js';

interface Case {
  readonly model: string;
  readonly case: string;
  readonly generation: RawConfig | null;
  readonly config: RawConfig;
  readonly prompts: number;
  readonly texts: readonly (readonly number[])[];
}

const file = new URL('../../test/golden/generate/generation-config.json', import.meta.url);
const cases: Case[] = JSON.parse(readFileSync(file, 'utf8'));

/** A stored model beside such files. */
async function model(name: string, generation: RawConfig | null, raw: RawConfig = {}) {
  const text = await generateGoldenModel(name);
  return { ...text, raw, ...(generation ? { generation } : {}) };
}

test.each(cases)('$model, $case: token by token what transformers writes', async (golden) => {
  const text = await model(golden.model, golden.generation, golden.config);
  const prompts = readGenerateGolden(golden.model).prompts.slice(0, golden.prompts);
  expect(await generate(await testEngine(), text, prompts)).toEqual(golden.texts);
});

describe('what is given', () => {
  const prompts = readGenerateGolden('llama').prompts.slice(0, 4);

  test('overrides what the files say', async () => {
    const engine = await testEngine();
    const told = { do_sample: true, top_k: 5, temperature: 1.7, max_new_tokens: 9, min_length: 30 };
    const drawn = await TextGenerator.create(engine, await model('llama', told));
    const plain = await TextGenerator.create(engine, await model('llama', null));
    const greedy = await plain.generate(prompts, { maxNewTokens: 9, eosTokens: [] });
    const as = (options: object) => drawn.generate(prompts, { eosTokens: [], ...options });
    expect(await as({})).not.toEqual(greedy);
    expect(await as({})).toEqual(await as({ sample: true, seed: 0 }));
    // Who names beams wants no draws.
    expect(await as({ numBeams: 1 })).toEqual(greedy);
    expect(await as({ sample: false })).toEqual(greedy);
    expect((await as({ maxNewTokens: 2 })).map((ids) => ids.length)).toEqual([2, 2, 2, 2]);
    await drawn.free();
    const beams = await TextGenerator.create(engine, await model('llama', { num_beams: 3 }));
    const options = { maxNewTokens: 4, temperature: 1.7, seed: 3, eosTokens: [] };
    const sampled = { ...options, sample: true };
    expect(await beams.generate(prompts, sampled)).toEqual(await plain.generate(prompts, sampled));
    await expect(beams.stream(prompts[0]!).next()).rejects.toThrow(
      "The model's generation_config.json asks for 3; with 1 it is streamed.",
    );
    await beams.free();
    await plain.free();
  });

  test('a length that leaves no room says which file sets it', async () => {
    const text = await model('llama', { max_length: 2 });
    const long = prompts.find((prompt) => prompt.length > 2)!;
    await expect(generate(await testEngine(), text, [long])).rejects.toThrow(
      /generation_config.json ends texts at 2 \(max_length\)/,
    );
    const [written] = await generate(await testEngine(), text, [long], { maxNewTokens: 1 });
    expect(written).toHaveLength(1);
  });
});

describe('a file that is wrong', () => {
  test.each([
    [
      { num_beams: 'four' },
      /generation_config.json of a llama: 'num_beams' must be a whole number/,
    ],
    [{ num_beams: 1e9 }, /'num_beams'/],
    [{ max_length: 0 }, /'max_length'/],
    [{ temperature: -1 }, /'temperature'/],
    [{ top_p: 1.5 }, /'top_p'/],
    [{ repetition_penalty: 0 }, /'repetition_penalty'/],
    [{ length_penalty: '2' }, /'length_penalty'/],
    [{ early_stopping: 'soon' }, /true, false or 'never'/],
    [{ do_sample: 'yes' }, /true or false/],
    [{ eos_token_id: 61 }, /'eos_token_id'/],
    [{ eos_token_id: [2, 61] }, /'eos_token_id' must be a list of the vocabulary's ids, 0 to 60/],
    [{ forced_bos_token_id: 61 }, /'forced_bos_token_id'/],
    [{ suppress_tokens: [1.5] }, /'suppress_tokens'/],
    [{ bad_words_ids: [[]] }, /'bad_words_ids' must be a list of lists/],
    [{ bad_words_ids: [3] }, /'bad_words_ids'/],
    [{ stop_strings: [''] }, /'stop_strings'/],
  ])('%j is refused', async (generation, reason) => {
    const text = await model('llama', generation);
    expect(() => generationDefaults(text)).toThrow(reason);
    await expect(TextGenerator.create(await testEngine(), text)).rejects.toThrow(reason);
  });

  test('what is not known is left out and named; what changes nothing is not', async () => {
    const told = {
      typical_p: 0.9,
      encoder_no_repeat_ngram_size: 0,
      guidance_scale: null,
      some_day: 3,
      use_cache: true,
      transformers_version: '4.40.0',
      _from_model_config: true,
      pad_token_id: -1,
      do_sample: true,
      num_beams: 2,
    };
    const { leftOut, options, padToken } = generationDefaults(await model('llama', told));
    expect(leftOut).toEqual(['typical_p', 'some_day', 'do_sample']);
    expect(options).toMatchObject({ sample: false, numBeams: 2 });
    expect(padToken).toBeUndefined();
    // A config.json is of the model; only what is of generation is looked at.
    const older = await model('llama', null, { hidden_size: 16, typical_p: 0.9, max_length: 20 });
    const found = generationDefaults(older);
    expect(found).toMatchObject({ file: 'config.json', leftOut: ['typical_p'] });
    // What older versions wrote where nothing was chosen.
    expect(found.maxLength).toBeUndefined();
  });
});
