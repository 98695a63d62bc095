/** Heads that answer for each token, on a frozen trunk: what training the head inside the whole model gives. */
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { tinyBert, tokenizer, WORDS } from '../../test/support/tiny-bert.js';
import type { TaggedWords } from '../data/index.js';
import { featureExtraction, type Phase } from '../methods/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { initialize } from '../nn/index.js';
import { type TaggedTruth, tokenClassification } from '../tasks/index.js';
import { MemoryCheckpoints } from './state.js';
import { TextStream } from './text-stream.js';
import { Trainer } from './trainer.js';
import type { TrainerOptions } from './trainer-options.js';

const task = tokenClassification(['O', 'B-PER']);
const isHead = (path: string) => path.startsWith('classifier.');

/** A stream whose samples might differ from pass to pass, for all that it says. */
class Restless extends TextStream<TaggedWords, TaggedTruth> {
  override get steadyTokens(): Int32Array | undefined {
    return undefined;
  }
}

/** Sentences of two to seven words, of which the names are tagged. */
function stream(count: number, first: number, Stream = TextStream<TaggedWords, TaggedTruth>) {
  const samples = Array.from({ length: count }, (_, i) => {
    const words = Array.from(
      { length: 2 + (i % 6) },
      (__, k) => WORDS[(first + i + k) % WORDS.length]!,
    );
    return { id: `${i}`, words, tags: words.map((word) => Number(['ann', 'joe'].includes(word))) };
  });
  return new Stream({
    task,
    samples,
    items: samples.map((sample) => task.item(sample, { tokenizer, maxTokens: 16 })),
    batchSize: 4,
    padToken: 0,
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
    maxTokens: 16,
    seed: 3,
    fingerprint: `${first}`,
  });
}

async function options(
  runs: Phase['runs'],
  { dropout = 0, Stream = TextStream }: { dropout?: number; Stream?: typeof Restless } = {},
): Promise<TrainerOptions> {
  const model = await tinyBert('token-classification', {
    hidden_dropout_prob: dropout,
    attention_probs_dropout_prob: dropout,
  });
  const phases = featureExtraction.plan({
    model,
    hasRole: isHead,
    epochs: 3,
    lr: 0.05,
    modality: 'text',
  });
  return {
    engine: await testEngine(),
    model,
    structure: 'tiny',
    weights: initialize(model, 1),
    isHead,
    task,
    phases: phases.map((phase) => ({ ...phase, runs })),
    train: stream(22, 0, Stream),
    valid: stream(15, 3, Stream),
    optimizer: { name: 'adamw', weightDecay: 0 },
    clipNorm: 1,
    accumulate: 1,
    seed: 5,
    checkpoints: new MemoryCheckpoints(),
  };
}

const flat = (weights: ReadonlyMap<string, { data: ArrayLike<number | bigint> }>) =>
  [...weights].flatMap(([path, { data }]) =>
    Array.from(data, (v, i) => [`${path}:${i}`, Number(v)] as const),
  );

describe('a frozen trunk with a head on tokens', () => {
  // A window of several batches shows features that a later batch overwrote.
  test.each([
    ['computed in each pass', 1, Restless],
    ['computed in each pass', 3, Restless],
    ['kept', 1, TextStream],
    ['kept', 3, TextStream],
  ] as const)(
    'is the whole model with all but the head held still: %s, windows of %i',
    async (how, accumulate, Stream) => {
      const live = await options('head', { Stream });
      const whole = await options('all');
      const computed: number[] = [];
      const listener: TrainerOptions['listener'] = (e) => {
        if (e.type === 'features' && e.done === e.total) computed.push(e.total);
      };
      const a = await new Trainer({ ...live, accumulate, listener }).run();
      const b = await new Trainer({ ...whole, accumulate }).run();
      expect(computed).toEqual(how === 'kept' ? [22, 15] : []);
      for (const [i, [place, value]] of flat(a.weights).entries()) {
        expect(Math.abs(value - flat(b.weights)[i]![1]), place).toBeLessThan(1e-5);
      }
      expect(a.best!.metrics).toEqual(b.best!.metrics);
      const before = new Map(flat(live.weights));
      const moved = flat(a.weights).filter(([place, value]) => before.get(place) !== value);
      expect(moved.length).toBeGreaterThan(16);
      expect(moved.every(([place]) => isHead(place))).toBe(true);
    },
  );

  test('goes on to the bits of the straight run, dropout of the head too', async () => {
    const straight = await options('head', { dropout: 0.5 });
    const result = await new Trainer(straight).run();
    const stop = new AbortController();
    const checkpoints = new MemoryCheckpoints();
    const broken = { ...(await options('head', { dropout: 0.5 })), checkpoints };
    let steps = 0;
    const listener: TrainerOptions['listener'] = (e) => {
      if (e.type === 'step' && ++steps === 8) stop.abort();
    };
    const cut = await new Trainer({ ...broken, signal: stop.signal, listener }).run();
    expect(cut.interrupted).toBe(true);
    const rest = await new Trainer({ ...broken, resume: true }).run();
    expect(flat(rest.weights)).toEqual(flat(result.weights));
  });
});
