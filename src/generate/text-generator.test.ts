/** The same tokens as transformers, and what a caller may rely on. */
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import {
  GENERATE_GOLDEN,
  generateGoldenModel,
  readGenerateGolden,
} from '../../test/support/generate-golden.js';
import { DecoderSession, feedWeights } from './decoder-session.js';
import { generate, generateStream, TextGenerator } from './text-generator.js';

describe.each(GENERATE_GOLDEN)('%s', (name) => {
  const { prompts, cases, maxNewTokens, suppressTokens } = readGenerateGolden(name);

  test.each(Object.keys(cases))('%s: token by token what transformers writes', async (key) => {
    const engine = await testEngine();
    const text = await generateGoldenModel(name);
    const { options, texts } = cases[key]!;
    const got = await generate(engine, text, prompts, { ...options, maxNewTokens, suppressTokens });
    expect(got).toEqual(texts);
  });

  test.each([true, false])(
    'every buffer of the cache is written in place, packed %s',
    async (packed) => {
      const engine = await testEngine();
      const text = await generateGoldenModel(name);
      const shape = { prompts: 2, copies: 1, tokens: 16, capacity: 24 };
      const session = await DecoderSession.open(
        engine,
        text,
        await feedWeights(engine, text),
        shape,
        { packed },
      );
      // Keys and values of two layers each.
      expect(session.updatedInPlace).toHaveLength(4);
      await session.free();
    },
  );
});

describe('TextGenerator', () => {
  const { prompts } = readGenerateGolden('gpt2');

  test('a text does not depend on those beside it, nor on what was written before', async () => {
    const engine = await testEngine();
    const generator = await TextGenerator.create(engine, await generateGoldenModel('gpt2'));
    const options = { maxNewTokens: 6, eosTokens: [] };
    const together = await generator.generate(prompts.slice(0, 20), options);
    const unpacked = await TextGenerator.create(engine, await generateGoldenModel('gpt2'), {
      packed: false,
    });
    expect(await unpacked.generate(prompts.slice(0, 20), options)).toEqual(together);
    await unpacked.free();
    for (const i of [0, 7, 19]) {
      expect(await generator.generate([prompts[i]!], options)).toEqual([together[i]]);
    }
    expect(await generator.generate(prompts.slice(0, 20), options)).toEqual(together);
    await generator.free();
  });

  test.each([1, 3])('limits of one text are its own: %i beams', async (numBeams) => {
    const engine = await testEngine();
    const generator = await TextGenerator.create(engine, await generateGoldenModel('bart'));
    const some = prompts.slice(0, 6);
    const limits = [9, 2, 5, 1, 12, 3];
    const options = { numBeams, eosTokens: [], forcedEosTokens: [7] };
    const together = await generator.generate(some, { ...options, maxNewTokens: limits });
    expect(together.map((ids) => ids.length)).toEqual(limits);
    for (const [i, prompt] of some.entries()) {
      const alone = await generator.generate([prompt], { ...options, maxNewTokens: limits[i]! });
      expect(alone).toEqual([together[i]]);
    }
    await generator.free();
  });

  test('texts that cannot differ are the same ones', async () => {
    const engine = await testEngine();
    const options = { maxNewTokens: 1, numBeams: 3, numReturnSequences: 2, forcedEosTokens: [7] };
    const text = await generateGoldenModel('bart');
    expect(await generate(engine, text, [prompts[0]!], options)).toEqual([[7], [7]]);
  });

  test('drawn texts: the same seed writes the same, another one another, whatever the batch', async () => {
    const engine = await testEngine();
    const text = await generateGoldenModel('gpt2');
    const options = { maxNewTokens: 8, eosTokens: [], sample: true, temperature: 1.5, seed: 3 };
    const some = await generate(engine, text, prompts.slice(0, 18), options);
    expect(await generate(engine, text, prompts.slice(0, 18), options)).toEqual(some);
    expect(await generate(engine, text, prompts.slice(4, 6), options)).toEqual(some.slice(4, 6));
    expect(await generate(engine, text, prompts.slice(0, 18), { ...options, seed: 4 })).not.toEqual(
      some,
    );
    const three = await generate(engine, text, prompts.slice(0, 2), {
      ...options,
      numReturnSequences: 3,
    });
    expect(three).toHaveLength(6);
    expect(new Set(three.map(String)).size).toBeGreaterThan(4);
  });

  test('a stream gives the tokens of generate one by one, and may be left early', async () => {
    const engine = await testEngine();
    const generator = await TextGenerator.create(engine, await generateGoldenModel('t5'));
    const [want] = await generator.generate([prompts[3]!], { maxNewTokens: 9 });
    const got: number[] = [];
    for await (const token of generator.stream(prompts[3]!, { maxNewTokens: 9 })) got.push(token);
    expect(got).toEqual(want);
    for await (const token of generator.stream(prompts[3]!, { maxNewTokens: 9 })) {
      expect(token).toBe(want![0]);
      break;
    }
    expect(await generator.generate([prompts[3]!], { maxNewTokens: 9 })).toEqual([want]);
    await generator.free();
    const once: number[] = [];
    const text = await generateGoldenModel('t5');
    for await (const token of generateStream(engine, text, prompts[3]!, { maxNewTokens: 9 })) {
      once.push(token);
    }
    expect(once).toEqual(want);
  });

  test('a stop string ends a text with the token that completes it', async () => {
    const engine = await testEngine();
    const text = await generateGoldenModel('gpt2');
    const options = { maxNewTokens: 10, eosTokens: [] };
    const [whole] = await generate(engine, text, [prompts[0]!], options);
    const decode = (ids: readonly number[]) => ids.map((id) => ` w${id}`).join('');
    const stop = decode(whole!.slice(2, 4));
    const at = decode(whole!).indexOf(stop);
    const [stopped] = await generate(engine, text, [prompts[0]!], {
      ...options,
      stopStrings: ['never', stop],
      decode,
    });
    expect(decode(stopped!)).toBe(decode(whole!).slice(0, at + stop.length));
  });

  test('what does not fit is refused with its reason', async () => {
    const engine = await testEngine();
    const text = await generateGoldenModel('gpt2');
    const generator = await TextGenerator.create(engine, text);
    const refused = async (prompt: number[], options: object, reason: RegExp) => {
      await expect(generator.generate([prompt], options)).rejects.toThrow(reason);
    };
    await refused([], {}, /prompt 0 is empty/);
    await refused([5, 61], {}, /holds 61/);
    await refused(Array(30).fill(5), { maxNewTokens: 20 }, /do not fit the model's 40 positions/);
    await refused([5], { maxNewTokens: 0 }, /maxNewTokens must be/);
    await refused([5], { numBeams: 2, sample: true }, /do not sample/);
    await refused([5], { numReturnSequences: 2 }, /as many beams/);
    await refused([5], { stopStrings: ['x'] }, /need decode/);
    await refused([5], { stopStrings: [''], decode: String }, /empty/);
    await refused([5], { sample: true, temperature: 0 }, /temperature/);
    await refused([5], { sample: true, topP: 2 }, /top-p/);
    await refused([5], { sample: true, topK: 1.5 }, /top-k/);
    await refused([5], { sample: true, minP: -1 }, /min-p/);
    for (const minNewTokens of [Number.NaN, 1.5, -1]) {
      await refused([5], { minNewTokens }, /minNewTokens must be a whole number from 0/);
    }
    await refused([5], { suppressTokens: [-1] }, /whole numbers/);
    for (const beyond of [
      { suppressTokens: [61] },
      { beginSuppressTokens: [61] },
      { forcedEosTokens: [61] },
      { forcedBosToken: 61 },
      { badWords: [[3, 61]] },
      { eosTokens: [61] },
    ]) {
      await refused([5], beyond, /whole numbers from 0 to 60.*got 61/);
    }
    await refused([5], { lengthPenalty: Number.NaN }, /lengthPenalty/);
    await refused([5], { maxNewTokens: [3, 4] }, /2 numbers for 1 prompts/);
    await refused([5], { maxNewTokens: [0] }, /maxNewTokens must be/);
    const beams = generator.stream([5], { numBeams: 2 });
    await expect(beams.next()).rejects.toThrow(/streamed/);
    const open = generator.stream([5], { eosTokens: [] });
    await open.next();
    await expect(generator.generate([[5]])).rejects.toThrow(/still being written/);
    await open.return(undefined);
    expect(await generator.generate([[5]], { maxNewTokens: 1 })).toHaveLength(1);
    await generator.free();
    const bare = { ...text, headName: 'base' as const };
    await expect(TextGenerator.create(engine, bare)).rejects.toThrow(/writes no text/);
  });
});
