/** Every decoder gives word by word, from its cache, what it gives for whole texts at once. */
import { describe, expect, test } from 'vitest';
import { StatefulProgram, Variables } from '../../src/engine/index.js';
import {
  filled,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { loadTextDefinition, type TextModel, textModelTypes } from '../../src/models/index.js';
import { AttentionCache, Context, type Weights } from '../../src/nn/index.js';
import { expectClose } from '../support/compare.js';
import { testEngine } from '../support/engine.js';
import {
  buildTextGolden,
  readTextGolden,
  textAnswer,
  textGoldenNames,
} from '../support/text-golden.js';

/** Prompts of unlike lengths, padded on the right, and words that follow them. */
const PROMPTS = [
  [11, 23, 5, 42],
  [7, 31],
  [19, 3, 27],
];
const FOLLOWING = [
  [8, 17, 50],
  [44, 9, 12],
  [30, 6, 21],
];
const WIDTH = 4;
const STEPS = 3;
/** More than is used: what lies beyond must stay unseen. */
const CAPACITY = 9;
const BATCH = PROMPTS.length;
const PAD = 0;

const ints = (shape: readonly number[], data: readonly number[]) =>
  hostTensor('int32', shape, data as number[]);

/** Rows of one length, filled up on the right. */
const rows = (lists: readonly (readonly number[])[], width: number, fill: number) =>
  ints(
    [lists.length, width],
    lists.flatMap((list) => Array.from({ length: width }, (_, i) => list[i] ?? fill)),
  );

/** Logits after the first `step` following words, at the last word of each text: [batch, vocabulary]. */
async function fromWholeTexts(model: TextModel, weights: Weights, step: number) {
  const texts = PROMPTS.map((prompt, i) => [...prompt, ...FOLLOWING[i]!.slice(0, step)]);
  const width = WIDTH + step;
  const logits = await textAnswer(model, weights, {
    input_ids: rows(texts, width, PAD),
    attention_mask: rows(
      texts.map((t) => t.map(() => 1)),
      width,
      0,
    ),
  });
  const words = logits.shape[2]!;
  const values = toNumbers(logits);
  return texts.flatMap((text, i) => {
    const at = (i * width + text.length - 1) * words;
    return values.slice(at, at + words);
  });
}

/** The two programs of generation: the prompt, and one word after the other. */
async function programs(model: TextModel, weights: Weights) {
  const engine = await testEngine();
  const variables = new Variables(engine.runtime);
  for (const [path, { tensor }] of model.parameters()) {
    await variables.create(tensor, weights.get(path)!);
  }
  const cache = new AttentionCache(CAPACITY);
  const compile = async (tokens: number, seen: number, position: Tensor | null) => {
    const pass = cache.pass(position);
    const batch = {
      input_ids: input('ids', 'int32', [BATCH, tokens]),
      attention_mask: input('mask', 'int32', [BATCH, seen]),
      position_ids: input('positions', 'int32', [BATCH, tokens]),
    };
    const logits = model.through(batch, new Context({ training: false, cache: pass }));
    for (const slot of pass.updates.keys()) {
      if (!variables.has(slot)) await variables.create(slot, filled('float32', slot.shape, 0));
    }
    return StatefulProgram.compile(engine, variables, { logits }, pass.updates);
  };
  const prefill = await compile(WIDTH, WIDTH, null);
  const step = await compile(1, CAPACITY, input('position', 'int32', []));
  const run = async (program: StatefulProgram, feeds: Record<string, HostTensor>) =>
    engine.runtime.download((await program.run(feeds)).logits!);
  return { prefill, step, run, slots: 2 * cache.slots.length };
}

async function check(name: string) {
  const { model, weights, config } = await buildTextGolden(await readTextGolden(name));
  const { prefill, step, run, slots } = await programs(model, weights);
  expect(slots).toBe(2 * config.layers);
  expect(step.updatedInPlace).toHaveLength(slots);
  const words = config.vocabularySize;
  const close = async (what: string, got: HostTensor, after: number) => {
    const data = await fromWholeTexts(model, weights, after);
    const flat = { ...got, shape: [BATCH, words] };
    expectClose(`${name} ${what}`, flat, { shape: flat.shape, data }, { rtol: 1e-3, atol: 1e-4 });
  };

  const counted = Array.from({ length: WIDTH }, (_, i) => i);
  const first = await run(prefill, {
    ids: rows(PROMPTS, WIDTH, PAD),
    mask: rows(
      PROMPTS.map((p) => p.map(() => 1)),
      WIDTH,
      0,
    ),
    positions: rows(
      PROMPTS.map(() => counted),
      WIDTH,
      0,
    ),
  });
  const values = toNumbers(first);
  const last = PROMPTS.flatMap((prompt, i) => {
    const at = (i * WIDTH + prompt.length - 1) * words;
    return values.slice(at, at + words);
  });
  await close('prompt', hostTensor('float32', [BATCH, words], last), 0);

  for (let i = 0; i < STEPS; i++) {
    // Words of all texts are written to one slot; the mask leaves out what padding took before it.
    const mask = PROMPTS.map((prompt) =>
      Array.from({ length: CAPACITY }, (_, slot) =>
        Number(slot < prompt.length || (slot >= WIDTH && slot <= WIDTH + i)),
      ),
    );
    const logits = await run(step, {
      ids: rows(
        FOLLOWING.map((f) => [f[i]!]),
        1,
        PAD,
      ),
      mask: rows(mask, CAPACITY, 0),
      positions: rows(
        PROMPTS.map((prompt) => [prompt.length + i]),
        1,
        0,
      ),
      position: ints([], [WIDTH + i]),
    });
    await close(`step ${i}`, logits, i + 1);
  }
}

const decoders: string[] = [];
for (const type of textModelTypes()) {
  if ((await loadTextDefinition(type)).kind === 'decoder') decoders.push(type);
}

describe.each(decoders)('%s', (modelType) => {
  test.each(textGoldenNames(modelType).filter((name) => name.includes('causal-lm')))(
    '%s: the cache and whole texts agree',
    check,
  );
});
