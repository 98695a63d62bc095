/** Tables of which few rows move: the same training as with all of them, and words never seen stay. */
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { tinyBert, tokenizer, WORDS } from '../../test/support/tiny-bert.js';
import { constant, hostTensor, input } from '../graph/index.js';
import { scratch } from '../methods/index.js';
import { TEXT_INPUTS } from '../models/index.js';
import { initialize, type Weights } from '../nn/index.js';
import { add, gather, mul, sum } from '../ops/index.js';
import { singleLabelClassification } from '../tasks/index.js';
import { movingRows, putRows, readMoving, takeRows } from './moving-rows.js';
import { MemoryCheckpoints } from './state.js';
import type { BatchStream } from './stream.js';
import { TextStream } from './text-stream.js';
import { Trainer } from './trainer.js';
import type { TrainerOptions } from './trainer-options.js';

const tools = { tokenizer, maxTokens: 16 };
const task = singleLabelClassification({ classes: 2 });
const TABLE = 'bert.embeddings.word_embeddings.weight';

/** Texts over some of the words; the class is whether the first one is the first of all. */
function stream(words: readonly string[], count: number): TextStream<never, unknown> {
  const samples = Array.from({ length: count }, (_, i) => ({
    id: `${i}`,
    text: Array.from({ length: 2 + (i % 5) }, (__, k) => words[(i + k) % words.length]).join(' '),
    label: i % words.length === 0 ? 0 : 1,
  }));
  return new TextStream({
    task,
    samples,
    items: samples.map((sample) => task.item(sample, tools)),
    batchSize: 4,
    padToken: 0,
    inputs: [TEXT_INPUTS.ids, TEXT_INPUTS.mask],
    maxTokens: 16,
    seed: 3,
    fingerprint: words.join(),
  }) as unknown as TextStream<never, unknown>;
}

/** The same batches, without saying which ids there are. */
function silent(from: BatchStream): BatchStream {
  return {
    samples: from.samples,
    batchSize: from.batchSize,
    truth: from.truth,
    fingerprint: from.fingerprint,
    read: (options) => from.read(options),
    labelFeeds: (indices, training) => from.labelFeeds(indices, training),
  };
}

async function options(changes: Partial<TrainerOptions> = {}): Promise<TrainerOptions> {
  const model = await tinyBert('sequence-classification');
  return {
    engine: await testEngine(),
    model,
    structure: 'tiny',
    weights: initialize(model, 1),
    isHead: (path) => path.startsWith('classifier.'),
    task,
    phases: scratch.plan({
      model,
      hasRole: () => false,
      epochs: 3,
      lr: 0.01,
      modality: 'text',
    }),
    train: stream(WORDS.slice(0, 4), 22),
    // Words that training never sees are read in evaluation.
    valid: stream(WORDS, 15),
    optimizer: { name: 'adamw', weightDecay: 0 },
    clipNorm: 0.5,
    accumulate: 1,
    seed: 5,
    checkpoints: new MemoryCheckpoints(),
    ...changes,
  };
}

/** Shapes of the moments kept for the table of words. */
async function moments(made: TrainerOptions): Promise<readonly (readonly number[])[]> {
  const { optimizer } = (await made.checkpoints.latest())!;
  return [...optimizer].flatMap(([name, { shape }]) => (name.includes(TABLE) ? [shape] : []));
}

function difference(a: Weights, b: Weights): number {
  let most = 0;
  for (const [path, { data }] of a) {
    for (const [i, v] of b.get(path)!.data.entries()) {
      most = Math.max(most, Math.abs(Number(v) - Number(data[i])));
    }
  }
  return most;
}

describe('training with few moving rows', () => {
  test.each([undefined, 0.9])('is training with the whole table (average %s)', async (ema) => {
    const few = await options({ ema });
    const all = await options({ ema, train: silent(few.train) });
    const [a, b] = [await new Trainer(few).run(), await new Trainer(all).run()];
    const ids = few.train.trainingIds!.ids;
    expect(ids.length).toBeLessThan(0.75 * tokenizer.vocabularySize);
    expect(await moments(few)).toEqual([
      [ids.length, 16],
      [ids.length, 16],
    ]);
    expect(await moments(all)).toEqual([
      [tokenizer.vocabularySize, 16],
      [tokenizer.vocabularySize, 16],
    ]);
    expect(difference(a.weights, b.weights)).toBeLessThan(1e-5);
    // A hundred times as far as the two may lie apart.
    expect(difference(a.weights, few.weights as Weights)).toBeGreaterThan(1e-3);
    expect(a.best!.metrics.accuracy).toBe(b.best!.metrics.accuracy);
    expect(a.best!.metrics.logLoss).toBeCloseTo(b.best!.metrics.logLoss!, 5);
  });

  test('decays the words that are seen and leaves the others as they were', async () => {
    const made = await options({ optimizer: { name: 'adamw', weightDecay: 0.5 } });
    const { weights } = await new Trainer({ ...made, valid: null }).run();
    const [before, after] = [made.weights, weights].map((w) => w.get(TABLE)!.data);
    const seen = new Set(made.train.trainingIds!.ids);
    for (let id = 0; id < tokenizer.vocabularySize; id++) {
      const row = (data: typeof before) => Array.from(data!.slice(id * 16, (id + 1) * 16), Number);
      if (seen.has(id)) expect(row(after)).not.toEqual(row(before));
      else expect(row(after)).toEqual(row(before));
    }
  });

  test('goes on after an interruption to the same bits', async () => {
    const straight = await new Trainer(await options({ ema: 0.9 })).run();
    const abort = new AbortController();
    const made = await options({
      ema: 0.9,
      signal: abort.signal,
      listener: (e) => e.type === 'step' && e.step === 8 && abort.abort(),
    });
    expect((await new Trainer(made).run()).interrupted).toBe(true);
    const { checkpoints } = made;
    const resumed = await new Trainer(await options({ ema: 0.9, checkpoints, resume: true })).run();
    expect(difference(resumed.weights, straight.weights)).toBe(0);
  });

  test.each(['sgd', 'lion', 'lamb'] as const)('is left to AdamW: %s moves all', async (name) => {
    const made = await options({ optimizer: { name, weightDecay: 0.01 } });
    await new Trainer(made).run();
    const whole = await options({
      optimizer: { name, weightDecay: 0.01 },
      train: silent(made.train),
    });
    await new Trainer(whole).run();
    expect(await moments(made)).toEqual(await moments(whole));
  });
});

describe('rows of a table', () => {
  const table = input('table', 'float32', [8, 2]);
  const ids = input('ids', 'int32', [3]);
  const chosen = Int32Array.of(1, 4, 5);

  test('are found where ids alone read it', () => {
    const y = sum(mul(gather(table, ids), gather(table, ids)));
    expect(movingRows([y], table, ids, chosen)?.moving.shape).toEqual([3, 2]);
  });

  test.each([
    ['the table itself', () => add(sum(table), sum(gather(table, ids)))],
    ['other ids', () => sum(gather(table, constant([7], 'int32', [1])))],
    ['another axis', () => sum(gather(table, ids, 1))],
    ['nothing', () => sum(gather(input('other', 'float32', [8, 2]), ids))],
  ])('are not when it is read by %s', (_, make) => {
    expect(movingRows([make()], table, ids, chosen)).toBeNull();
  });

  test.each([
    ['most of its rows', [0, 1, 2, 3, 4, 5, 6]],
    ['none', []],
    ['a row that it has not', [1, 9]],
    ['a negative one', [-1, 2]],
  ])('are not when %s would move', (_, rows) => {
    const y = sum(gather(table, ids));
    expect(movingRows([y], table, ids, Int32Array.from(rows))).toBeNull();
  });

  test('are read at their new places, and an id that was not foreseen is reported', async () => {
    const engine = await testEngine();
    const y = mul(gather(table, ids), 10);
    const rows = movingRows([y], table, ids, chosen)!;
    const [read] = readMoving([y], [rows], ids);
    const program = await engine.program({ read: read! });
    const values = hostTensor(
      'float32',
      [8, 2],
      Float32Array.from({ length: 16 }, (_, i) => i),
    );
    const feeds = { 'table:rows': takeRows(rows, values) };
    const result = await program.run({ ...feeds, ids: hostTensor('int32', [3], [5, 1, 4]) });
    const { data } = await engine.runtime.download(result.read!);
    expect([...data]).toEqual([100, 110, 20, 30, 80, 90]);
    const wrong = { ...feeds, ids: hostTensor('int32', [3], [5, 2, 4]) };
    await expect(program.run(wrong)).rejects.toThrow(/out of|bounds/);
  });

  test('come back to where they were taken', () => {
    const y = sum(gather(table, ids));
    const rows = movingRows([y], table, ids, chosen)!;
    const values = hostTensor(
      'float32',
      [8, 2],
      Float32Array.from({ length: 16 }, (_, i) => i),
    );
    const moved = { ...takeRows(rows, values), data: Float32Array.of(-1, -2, -3, -4, -5, -6) };
    const put = [...putRows(rows, values, moved).data];
    expect(put).toEqual([0, 1, -1, -2, 4, 5, 6, 7, -3, -4, -5, -6, 12, 13, 14, 15]);
    expect([...values.data]).toEqual(Array.from({ length: 16 }, (_, i) => i));
  });
});
