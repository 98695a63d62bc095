/**
 * Ten steps of every optimizer against PyTorch's (LAMB's and Lion's formulas, which PyTorch lacks,
 * are written out in float64 in scripts/golden/optim.py).
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expectClose, type Tolerance } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { type Optimizer, TrainStep, type TrainStepOptions } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import {
  type HostTensor,
  hostTensor,
  input,
  scalar,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { add, matmul, mul, reshape, sub, sum } from '../ops/index.js';
import {
  adam,
  adamW,
  decayMatricesOnly,
  type LearningRate,
  lamb,
  lion,
  oneCycleRate,
  parameterGroups,
  sgd,
  stepRate,
} from './index.js';

interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Case {
  readonly name: string;
  readonly optimizer: keyof typeof makers;
  readonly options: { readonly lr: number | string };
  readonly clip?: { readonly norm?: number; readonly value?: number };
  readonly norms?: readonly number[];
  readonly start?: readonly Stored[];
  /** Elements of each parameter after the steps of `shown`. */
  readonly values: readonly (readonly (readonly number[])[])[];
}

const makers = { sgd, adam, adamW, lamb, lion };

const golden: {
  readonly parameters: readonly Stored[];
  readonly gradients: readonly (readonly Stored[])[];
  readonly shown: readonly number[];
  readonly cases: readonly Case[];
} = JSON.parse(
  readFileSync(new URL('../../test/golden/optim/optimizers.json', import.meta.url), 'utf8'),
);

// A step rounds a value of size 1 by some 1e-7 in single precision; ten steps keep within ten times that.
const SINGLE: Tolerance = { rtol: 1e-6, atol: 1e-6 };

const host = ({ shape, data }: Stored) => hostTensor('float32', shape, data);

/** Schedules by the name that a case gives in place of a learning rate. */
const schedules: Record<string, LearningRate> = {
  // PyTorch's run is one step longer, because it counts the rate after the last one too.
  oneCycle: oneCycleRate({ lr: 0.1, total: 11 }),
  steps: stepRate({ lr: 0.1, every: 3, factor: 0.5 }),
};

/**
 * A step whose gradient is exactly what is fed: the loss is the sum of parameter times feed.
 * @param items how many items the batch is said to hold; the loss is summed over as many
 */
async function stepOf(
  start: readonly Stored[],
  options: Pick<TrainStepOptions, 'optimizer' | 'clip'>,
  items = 1,
): Promise<TrainStep> {
  const parameters = start.map((value, i) => ({
    name: `p${i}`,
    tensor: input(`p${i}`, 'float32', value.shape),
    value: host(value),
  }));
  return TrainStep.create(await testEngine(), {
    ...options,
    parameters,
    trace: (batch) => {
      const one = parameters
        .map((p, i) => sum(mul(p.tensor, batch[`g${i}`]!)))
        .reduce((a, b) => add(a, b));
      return items === 1 ? { loss: one } : { loss: mul(one, items), weight: scalar(items) };
    },
  });
}

const feed = (gradients: readonly Stored[]) =>
  Object.fromEntries(gradients.map((g, i) => [`g${i}`, host(g)]));

describe('ten steps agree with PyTorch:', () => {
  const runs = golden.cases.flatMap((c) => [
    { ...c, items: 1 },
    // The mean over items is what is clipped and penalised. Times four and back is exact.
    ...(c.clip || c.name === 'l2' ? [{ ...c, items: 4 }] : []),
  ]);
  for (const c of runs) {
    test(`${c.optimizer}, ${c.name}, ${c.items} items`, async () => {
      const { lr } = c.options;
      const options = { ...c.options, lr: typeof lr === 'string' ? schedules[lr]! : lr };
      const start = c.start ?? golden.parameters;
      const step = await stepOf(
        start,
        { optimizer: makers[c.optimizer](options), ...(c.clip ? { clip: c.clip } : {}) },
        c.items,
      );
      for (const [t, gradients] of golden.gradients.entries()) {
        const { gradientNorm } = await step.step(feed(gradients));
        if (c.norms) expect(gradientNorm! / c.norms[t]!, `norm at step ${t + 1}`).toBeCloseTo(1, 5);
        else expect(gradientNorm).toBeUndefined();
        const at = golden.shown.indexOf(t + 1);
        if (at < 0) continue;
        const { tensors } = await step.save();
        for (const [i, { shape }] of start.entries()) {
          const want = { shape, data: c.values[at]![i]! };
          expectClose(`p${i} after step ${t + 1}`, tensors[`p${i}`]!, want, SINGLE);
        }
      }
      expect(step.steps).toBe(10);
      step.free();
    });
  }
});

test('every parameter of an elementwise optimizer is updated where it lies', async () => {
  for (const make of [sgd, adam, adamW, lion]) {
    const step = await stepOf(golden.parameters, { optimizer: make({ lr: 0.1 }) });
    expect(step.updatedInPlace, make.name).toEqual(expect.arrayContaining(['p0', 'p1']));
    step.free();
  }
});

test('a gradient of zeros, clipped by its norm, moves nothing', async () => {
  const zeros = golden.parameters.map(({ shape, data }) => ({ shape, data: data.map(() => 0) }));
  for (const optimizer of [
    sgd({ lr: 0.1 }),
    adamW({ lr: 0.1, weightDecay: 0 }),
    lion({ lr: 0.1 }),
  ]) {
    const step = await stepOf(golden.parameters, { optimizer, clip: { norm: 1 } });
    expect((await step.step(feed(zeros))).gradientNorm).toBe(0);
    const { tensors } = await step.save();
    for (const [i, p] of golden.parameters.entries()) {
      expect(tensors[`p${i}`]!.data, optimizer.name).toEqual(host(p).data);
    }
    step.free();
  }
});

test('a gradient whose norm overflows is clipped to nothing and leaves the parameters finite', async () => {
  const huge = golden.parameters.map(({ shape, data }) => ({ shape, data: data.map(() => 1e25) }));
  const step = await stepOf(golden.parameters, {
    optimizer: adam({ lr: 0.01, weightDecay: 0.1 }),
    clip: { norm: 1 },
  });
  await step.step(feed(huge));
  const { tensors } = await step.save();
  for (const t of Object.values(tensors)) expect(toNumbers(t).every(Number.isFinite)).toBe(true);
  step.free();
});

describe('a window of batches', () => {
  const rows = 7;
  const w = { shape: [3, 2], data: [0.5, -0.2, 0.1, 0.7, -0.4, 0.3] };
  const x = Array.from({ length: rows * 3 }, (_, i) => Math.sin(3 * i + 1));
  const y = Array.from({ length: rows * 2 }, (_, i) => Math.cos(5 * i));

  /** Weighted squared error of rows, as a sum, with how much the rows weigh together. */
  async function make(optimizer: Optimizer, clip?: { norm: number }): Promise<TrainStep> {
    const tensor = input('w', 'float32', w.shape);
    return TrainStep.create(await testEngine(), {
      parameters: [{ name: 'w', tensor, value: host(w) }],
      optimizer,
      ...(clip ? { clip } : {}),
      trace: (batch) => {
        const error = sub(matmul(batch.x!, tensor), batch.y!);
        const weights = reshape(batch.weights!, [batch.weights!.size, 1]);
        return {
          loss: sum(mul(mul(error, error), weights)),
          weight: sum(batch.weights!),
          metrics: { error },
        };
      },
    });
  }
  const weights = [1, 0.5, 1, 2, 1, 0.25, 1];
  const part = (from: number, to: number): Record<string, HostTensor> => ({
    x: hostTensor('float32', [to - from, 3], x.slice(3 * from, 3 * to)),
    y: hostTensor('float32', [to - from, 2], y.slice(2 * from, 2 * to)),
    weights: hostTensor('float32', [to - from], weights.slice(from, to)),
  });

  for (const [name, optimizer, clip] of [
    ['sgd', () => sgd({ lr: 0.1, momentum: 0.9 }), undefined],
    ['adamW, clipped', () => adamW({ lr: 0.05 }), { norm: 0.5 }],
  ] as const) {
    test(`of different sizes and weights equals one batch of them all: ${name}`, async () => {
      const whole = await make(optimizer(), clip);
      const cut = await make(optimizer(), clip);
      for (let t = 0; t < 3; t++) {
        const a = await whole.step(part(0, rows));
        const b = await cut.step([part(0, 3), part(3, 4), part(4, 7)]);
        expect(b.weight).toBe(6.75);
        expect(b.weight).toBe(a.weight);
        expect(b.loss).toBeCloseTo(a.loss, 5);
        expect(b.metrics.error!.shape).toEqual([3, 2]);
        if (clip) expect(b.gradientNorm!).toBeCloseTo(a.gradientNorm!, 5);
      }
      const [a, b] = [await whole.save(), await cut.save()];
      expect([a.batches, b.batches]).toEqual([3, 9]);
      // The sums are taken in another order.
      const want = { shape: w.shape, data: [...(a.tensors.w!.data as Float32Array)] };
      expect(want.data).not.toEqual([...host(w).data]);
      expectClose('w', b.tensors.w!, want, { rtol: 1e-5, atol: 1e-6 });
      whole.free();
      cut.free();
    });
  }
});

describe('groups', () => {
  const tensorOf = (shape: number[]): Tensor => input('t', 'float32', shape);

  test('the first that matches decides', async () => {
    const choose = parameterGroups([
      { match: (name) => name === 'p1', optimizer: sgd({ lr: 0 }) },
      { match: () => true, optimizer: sgd({ lr: 0.1 }) },
    ]);
    const step = await stepOf(golden.parameters, { optimizer: choose });
    await step.step(feed(golden.gradients[0]!));
    const { tensors } = await step.save();
    const plain = golden.cases.find((c) => c.optimizer === 'sgd' && c.name === 'plain')!;
    const [p0, p1] = golden.parameters;
    expectClose('p0', tensors.p0!, { shape: p0!.shape, data: plain.values[0]![0]! }, SINGLE);
    expect(tensors.p1!.data).toEqual(host(p1!).data);
    step.free();
  });

  test('optimizers of different kinds keep their own state and scalars', async () => {
    const optimizer = parameterGroups([
      { match: (name) => name === 'p0', optimizer: adamW({ lr: 0.01 }) },
      { match: () => true, optimizer: sgd({ lr: 0.1, momentum: 0.9 }) },
    ]);
    const step = await stepOf(golden.parameters, { optimizer });
    for (const gradients of golden.gradients) await step.step(feed(gradients));
    const { tensors } = await step.save();
    expect(Object.keys(tensors).sort()).toEqual([
      'optimizer:p0:first',
      'optimizer:p0:second',
      'optimizer:p1:momentum',
      'p0',
      'p1',
    ]);
    const find = (optimizer: string, name: string) =>
      golden.cases.find((c) => c.optimizer === optimizer && c.name === name)!.values.at(-1)!;
    const [p0, p1] = golden.parameters;
    expectClose(
      'p0',
      tensors.p0!,
      { shape: p0!.shape, data: find('adamW', 'defaults')[0]! },
      SINGLE,
    );
    expectClose('p1', tensors.p1!, { shape: p1!.shape, data: find('sgd', 'momentum')[1]! }, SINGLE);
    step.free();
  });

  test('a parameter that no group matches is named', () => {
    const choose = parameterGroups([{ match: (n) => n === 'a', optimizer: sgd({ lr: 1 }) }]);
    expect(() => choose('layer.bias', tensorOf([2]))).toThrow(ConfigError);
    expect(() => choose('layer.bias', tensorOf([2]))).toThrow(/layer\.bias/);
  });

  test('decay for matrices and kernels only', () => {
    const [yes, no] = [adamW({ lr: 1 }), adamW({ lr: 1, weightDecay: 0 })];
    const choose = decayMatricesOnly(yes, no);
    expect(choose('weight', tensorOf([3, 2]))).toBe(yes);
    expect(choose('conv', tensorOf([3, 2, 1, 1]))).toBe(yes);
    expect(choose('bias', tensorOf([3]))).toBe(no);
    expect(choose('scale', tensorOf([]))).toBe(no);
  });
});

describe('wrong options are refused where they are given:', () => {
  const nan = Number.NaN;
  const cases: Record<string, () => Optimizer> = {
    'momentum of 1': () => sgd({ lr: 1, momentum: 1 }),
    'negative momentum': () => sgd({ lr: 1, momentum: -0.1 }),
    'Nesterov without momentum': () => sgd({ lr: 1, nesterov: true }),
    'beta of 1': () => adam({ lr: 1, betas: [1, 0.9] }),
    'beta that is not a number': () => adamW({ lr: 1, betas: [0.9, nan] }),
    'epsilon of 0': () => adamW({ lr: 1, epsilon: 0 }),
    'negative epsilon': () => lamb({ lr: 1, epsilon: -1e-8 }),
    'negative beta': () => lamb({ lr: 1, betas: [-0.1, 0.9] }),
    'beta of Lion': () => lion({ lr: 1, betas: [0.9, 1.5] }),
    'negative decay of SGD': () => sgd({ lr: 1, weightDecay: -1 }),
    'negative decay of Adam': () => adam({ lr: 1, weightDecay: -1 }),
    'negative decay of AdamW': () => adamW({ lr: 1, weightDecay: -1 }),
    'endless decay of LAMB': () => lamb({ lr: 1, weightDecay: Number.POSITIVE_INFINITY }),
    'decay of Lion that is not a number': () => lion({ lr: 1, weightDecay: nan }),
    'negative rate of SGD': () => sgd({ lr: -0.1 }),
    'negative rate of Adam': () => adam({ lr: -0.1 }),
    'rate of AdamW that is not a number': () => adamW({ lr: nan }),
    'endless rate of LAMB': () => lamb({ lr: Number.POSITIVE_INFINITY }),
    'negative rate of Lion': () => lion({ lr: -1 }),
  };
  for (const [name, make] of Object.entries(cases)) {
    test(name, () => expect(make).toThrow(ConfigError));
  }

  test('a schedule that leaves the numbers, at the step where it does, before a parameter moves', async () => {
    const optimizer = sgd({ lr: (step) => (step < 3 ? 0.1 : nan) });
    const step = await stepOf(golden.parameters, { optimizer });
    await step.step(feed(golden.gradients[0]!));
    await step.step(feed(golden.gradients[1]!));
    const before = await step.save();
    await expect(step.step(feed(golden.gradients[2]!))).rejects.toThrow(/rate at step 3 is NaN/);
    expect((await step.save()).tensors).toEqual(before.tensors);
    expect(step.steps).toBe(2);
    step.free();
  });
});
