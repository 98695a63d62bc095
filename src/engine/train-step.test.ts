/** What a training step refuses, how it resumes, and how it finds the origin of a NaN. */
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import { EngineError } from '../errors.js';
import {
  filled,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
  withScope,
} from '../graph/index.js';
import {
  add,
  dropout,
  exp,
  log,
  logicalNot,
  matmul,
  mul,
  softmax,
  sqrt,
  sub,
  sum,
  where,
} from '../ops/index.js';
import { adamW, type LearningRate, PlateauRate, sgd } from '../optim/index.js';
import { type TrainState, TrainStep, type TrainStepOptions } from './index.js';

const vector = (...data: number[]) => hostTensor('float32', [data.length], data);

/** A step on one parameter w [3] with running mean m of the feed x; more options may be given. */
async function make(options: Partial<TrainStepOptions> = {}): Promise<TrainStep> {
  const w = input('w', 'float32', [3]);
  const m = input('m', 'float32', [3]);
  return TrainStep.create(await testEngine(), {
    parameters: [{ name: 'w', tensor: w, value: vector(1, -2, 0.5) }],
    buffers: [{ name: 'm', tensor: m, value: vector(0, 0, 0) }],
    optimizer: adamW({ lr: 0.1 }),
    trace: ({ x }, key) => ({
      loss: sum(mul(dropout(w, 0.5, key), sub(mul(x!, w), m))),
      updates: new Map([[m, add(mul(m, 0.9), mul(x!, 0.1))]]),
    }),
    ...options,
  });
}

const batches = [vector(1, 2, 3), vector(-1, 0.5, 2), vector(0.1, -3, 1), vector(2, 2, -2)];
const bytesOf = ({ tensors }: TrainState) =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, toNumbers(t)]));

describe('refused when a step is made:', () => {
  const t = (name: string) => ({
    name,
    tensor: input(name, 'float32', [1]),
    value: filled('float32', [1], 0),
  });
  const cases: Record<string, [Partial<TrainStepOptions>, RegExp]> = {
    'nothing to train': [{ parameters: [] }, /no parameter to train/],
    'two parameters of one name': [{ parameters: [t('a'), t('b'), t('a')] }, /two .* named 'a'/],
    'a buffer named as a parameter': [{ parameters: [t('a')], buffers: [t('a')] }, /named 'a'/],
    "a parameter named as another one's state": [
      { parameters: [t('a'), t('optimizer:a:first')] },
      /named 'optimizer:a:first'/,
    ],
    'one placeholder under two names': [
      {
        parameters: [t('a'), { ...t('a'), name: 'b' }].map((v, _, [a]) => ({
          ...v,
          tensor: a!.tensor,
        })),
      },
      /'a' and 'b' are the same/,
    ],
    'a value of another shape': [
      { parameters: [{ ...t('a'), value: filled('float32', [2], 0) }] },
      /'a' is float32\[1\] but its value is float32\[2\]/,
    ],
    'a seed of more than 32 bits': [{ seed: 2 ** 40 }, /32-bit/],
    'a seed that is no integer': [{ seed: 0.5 }, /32-bit/],
    'a norm to clip by that is not positive': [{ clip: { norm: 0 } }, /clip\.norm/],
    'a value to clip by that is not a number': [{ clip: { value: Number.NaN } }, /clip\.value/],
  };
  for (const [name, [options, message]] of Object.entries(cases)) {
    test(name, async () => {
      await expect(make(options)).rejects.toThrow(message);
      await expect(make(options)).rejects.toMatchObject({ name: 'ConfigError' });
    });
  }
});

test('an empty window is refused', async () => {
  const step = await make();
  await expect(step.step([])).rejects.toThrow(/holds no batch/);
  step.free();
});

test('the caller keeps its starting values', async () => {
  const value = vector(1, -2, 0.5);
  const tensor = input('w', 'float32', [3]);
  const step = await make({
    parameters: [{ name: 'w', tensor, value }],
    buffers: [],
    optimizer: sgd({ lr: 1 }),
    trace: ({ x }) => ({ loss: sum(mul(tensor, x!)) }),
  });
  await step.step({ x: vector(1, 2, 3) });
  expect([...value.data]).toEqual([1, -2, 0.5]);
  expect(toNumbers((await step.save()).tensors.w!)).toEqual([0, -4, -2.5]);
  step.free();
});

test('every batch has random numbers of its own, which seed and count decide', async () => {
  const w = input('w', 'float32', [64]);
  const drops = async (seed: number, skip: number) => {
    const step = await make({
      seed,
      parameters: [{ name: 'w', tensor: w, value: filled('float32', [64], 1) }],
      buffers: [],
      optimizer: sgd({ lr: 0 }),
      trace: ({ x }, key) => {
        const kept = dropout(w, 0.5, key);
        return { loss: sum(mul(kept, sum(x!))), metrics: { kept } };
      },
    });
    if (skip > 0) await step.load({ ...(await step.save()), batches: skip });
    const x = batches[0]!;
    const seen: string[] = [];
    // A window counts as many batches as it holds: this shows the first, the third and the fourth.
    for (const window of [[{ x }], [{ x }, { x }], [{ x }]]) {
      seen.push(toNumbers((await step.step(window)).metrics.kept!).join());
    }
    step.free();
    return seen;
  };
  const straight = await drops(1, 0);
  expect(new Set(straight).size).toBe(3);
  expect(await drops(1, 0)).toEqual(straight);
  expect((await drops(1, 2))[0]).toBe(straight[1]);
  expect((await drops(1, 3))[0]).toBe(straight[2]);
  const others = await drops(2, 0);
  expect(others.some((kept) => straight.includes(kept))).toBe(false);
});

describe('a saved state', () => {
  const rates: LearningRate = (step) => 0.1 / step;
  const options = (): Partial<TrainStepOptions> => ({
    seed: 7,
    optimizer: adamW({ lr: rates }),
    clip: { norm: 1 },
  });

  test('continues bit for bit in another step', async () => {
    const straight = await make(options());
    const first = await make(options());
    const results: number[] = [];
    for (const x of batches) results.push((await straight.step({ x })).loss);
    await first.step({ x: batches[0]! });
    await first.step({ x: batches[1]! });
    const saved = await first.save();
    const copy = bytesOf(saved);
    // What was saved is a copy: the run that goes on does not change it.
    await first.step({ x: batches[2]! });
    expect(bytesOf(saved)).toEqual(copy);
    const second = await make(options());
    await second.step({ x: batches[3]! });
    await second.load(saved);
    expect(second.steps).toBe(2);
    expect((await second.step({ x: batches[2]! })).loss).toBe(results[2]);
    expect((await second.step({ x: batches[3]! })).loss).toBe(results[3]);
    expect(await second.save()).toEqual(await straight.save());
    expect(bytesOf(saved), 'loading copies').toEqual(copy);
    // The third step is not the first: seed, count and running mean do matter.
    const fresh = await make(options());
    expect((await fresh.step({ x: batches[2]! })).loss).not.toBe(results[2]);
    for (const s of [straight, first, second, fresh]) s.free();
  });

  test('of another step changes nothing', async () => {
    const step = await make();
    await step.step({ x: batches[0]! });
    const before = await step.save();
    const { tensors } = before;
    const zero = filled('float32', [3], 0);
    const { 'optimizer:w:first': _, ...lacking } = tensors;
    const wrong: [Record<string, HostTensor>, RegExp][] = [
      [lacking, /Missing: optimizer:w:first\. Unexpected: none/],
      [{ ...tensors, w: zero, other: zero }, /Missing: none\. Unexpected: other/],
      [{ w: zero }, /Missing: m, optimizer:w:first, optimizer:w:second\./],
      [
        { ...tensors, w: zero, m: filled('float32', [2], 0) },
        /'m' is float32\[3\] here and float32\[2\]/,
      ],
      [
        { ...tensors, w: zero, m: filled('float64', [3], 0) },
        /'m' is float32\[3\] here and float64\[3\]/,
      ],
    ];
    for (const [state, message] of wrong) {
      await expect(step.load({ step: 9, batches: 9, tensors: state })).rejects.toThrow(message);
      expect(await step.save()).toEqual(before);
    }
    for (const [count, value] of [
      ['step', -1],
      ['step', 1.5],
      ['batches', Number.NaN],
    ] as const) {
      const state = { ...before, tensors: { ...tensors, w: zero }, [count]: value };
      await expect(step.load(state)).rejects.toThrow(new RegExp(`${count} must be`));
      expect(await step.save()).toEqual(before);
    }
    step.free();
  });
});

test('a learning rate that follows a metric compiles nothing anew', async () => {
  const plateau = new PlateauRate({ lr: 1, patience: 0, factor: 0.5 });
  const step = await make({
    optimizer: sgd({ lr: plateau.rate }),
    trace: ({ x }) => ({ loss: sum(x!) }),
    buffers: [],
  });
  await step.step({ x: batches[0]! });
  const sessions = step.engine.cachedSessions;
  plateau.observe(1);
  plateau.observe(2);
  await step.step({ x: batches[0]! });
  expect(step.engine.cachedSessions).toBe(sessions);
  step.free();
});

describe('debug names the origin of what is not finite:', () => {
  const w = input('parameter:w', 'float32', [2, 2]);
  const table = (...data: number[]) => hostTensor('float32', [2, 2], data);
  const good = table(1, 2, 3, 4);
  const NEVER = Number.NEGATIVE_INFINITY;

  async function run(
    trace: TrainStepOptions['trace'],
    {
      value = good,
      batch = { x: good },
      ...more
    }: Partial<TrainStepOptions> & { value?: HostTensor; batch?: Record<string, HostTensor> } = {},
  ): Promise<EngineError | null> {
    const step = await TrainStep.create(await testEngine(), {
      parameters: [{ name: 'layer.weight', tensor: w, value }],
      optimizer: sgd({ lr: 0.1 }),
      debug: true,
      trace,
      ...more,
    });
    try {
      await step.step(batch);
      return null;
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      expect((error as EngineError).code).toBe('non-finite');
      // Nothing was updated with it.
      expect(step.steps).toBe(0);
      return error as EngineError;
    } finally {
      step.free();
    }
  }

  test('the logarithm of a negative number, by its scope', async () => {
    const error = await run(({ x }) => {
      const h = withScope('encoder', () => matmul(x!, w));
      const y = withScope('decoder', () => withScope('entropy', () => log(sub(h, 8))));
      return { loss: sum(withScope('head', () => exp(mul(y, 2)))) };
    });
    expect(error!.message).toMatch(/^log#\d+ in decoder[/.]entropy made the first NaN/);
    expect(error!.data).toMatchObject({ op: 'log', kind: 'NaN' });
  });

  test('an overflow behind a NaN', async () => {
    const error = await run(({ x }) => {
      const far = withScope('scores', () => exp(mul(matmul(x!, w), 1000)));
      return { loss: sum(sub(far, far)), metrics: {} };
    });
    expect(error!.data).toMatchObject({ op: 'exp', scope: 'scores', kind: 'infinity' });
  });

  test('a gradient that is not finite though the loss is', async () => {
    // w^(1/2) is 0 at 0, where its slope is infinite.
    const error = await run(({ x }) => ({ loss: sum(withScope('root', () => sqrt(mul(w, x!)))) }), {
      batch: { x: table(0, 1, 1, 1) },
    });
    expect(error!.message).toMatch(/made the first (NaN|infinity)/);
  });

  test('a damaged parameter, by its name', async () => {
    const error = await run(({ x }) => ({ loss: sum(log(matmul(x!, w))) }), {
      value: table(1, Number.NaN, 3, 4),
    });
    expect(error!.message).toMatch(/^Input or parameter 'layer\.weight' .* holds NaN/);
  });

  test('a damaged batch, by its name', async () => {
    const error = await run(({ x }) => ({ loss: sum(matmul(x!, w)) }), {
      batch: { x: table(1, 2, Number.POSITIVE_INFINITY, 4) },
    });
    expect(error!.message).toMatch(/'x' .* holds infinity/);
  });

  test('a damaged batch is not hidden behind the running statistics that it damages', async () => {
    const m = input('m', 'float32', [2, 2]);
    const error = await run(
      ({ x }) => ({
        loss: sum(mul(sub(w, m), x!)),
        updates: new Map([[m, add(mul(m, 0.9), mul(x!, 0.1))]]),
      }),
      {
        buffers: [{ name: 'm', tensor: m, value: table(0, 0, 0, 0) }],
        batch: { x: table(1, Number.NaN, 3, 4) },
      },
    );
    expect(error!.message).toMatch(/'x' .* holds NaN/);
  });

  const attention = (x: Tensor, scores: Tensor) =>
    sum(
      mul(
        withScope('attention', () => softmax(scores)),
        x,
      ),
    );

  test('an attention mask with -infinity is no fault', async () => {
    const batch = { x: good, mask: table(0, NEVER, 0, 0) };
    expect(
      await run(({ x, mask }) => ({ loss: attention(x!, add(matmul(x!, w), mask!)) }), { batch }),
    ).toBeNull();
  });

  test('and is not blamed for what others do', async () => {
    const batch = { x: good, mask: table(0, NEVER, 0, 0) };
    const before = await run(
      ({ x, mask }) => {
        const scores = withScope('query', () => log(sub(matmul(x!, w), 8)));
        return { loss: attention(x!, add(scores, mask!)) };
      },
      { batch },
    );
    expect(before!.data).toMatchObject({ op: 'log', scope: 'query', kind: 'NaN' });
    const after = await run(
      ({ x, mask }) => {
        const y = attention(x!, add(matmul(x!, w), mask!));
        return { loss: withScope('loss', () => log(sub(y, 1000))) };
      },
      { batch },
    );
    expect(after!.data).toMatchObject({ op: 'log', scope: 'loss', kind: 'NaN' });
  });

  test('a constant -infinity that is put in where a mask says so is no fault either', async () => {
    const keep = { dtype: 'bool', shape: [2, 2], data: Uint8Array.of(1, 0, 1, 1) } as HostTensor;
    const batch = { x: good, keep };
    const masked = (scores: Tensor, mask: Tensor) => where(logicalNot(mask), NEVER, scores);
    expect(
      await run(({ x, keep: k }) => ({ loss: attention(x!, masked(matmul(x!, w), k!)) }), {
        batch,
      }),
    ).toBeNull();
    const error = await run(
      ({ x, keep: k }) => {
        const y = attention(x!, masked(matmul(x!, w), k!));
        return { loss: withScope('loss', () => log(sub(y, 1000))) };
      },
      { batch },
    );
    expect(error!.data).toMatchObject({ op: 'log', scope: 'loss', kind: 'NaN' });
  });

  test('a mask that leaves nothing is reported where its infinities become NaN', async () => {
    const keep = { dtype: 'bool', shape: [2, 2], data: Uint8Array.of(1, 0, 0, 0) } as HostTensor;
    const error = await run(
      ({ x, keep: k }) => ({ loss: attention(x!, where(k!, matmul(x!, w), NEVER)) }),
      { batch: { x: good, keep } },
    );
    expect(error!.message).toMatch(/^softmax#\d+ in attention made the first NaN.*a mask/);
  });

  test('without debug a step goes on', async () => {
    const step = await TrainStep.create(await testEngine(), {
      parameters: [{ name: 'w', tensor: w, value: good }],
      optimizer: sgd({ lr: 0.1 }),
      trace: ({ x }) => ({ loss: sum(log(sub(matmul(x!, w), 8))) }),
    });
    expect((await step.step({ x: good })).loss).toBeNaN();
    step.free();
  });
});
