/** Layers against PyTorch's with the same weights: values, and the gradient of all that moves them. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { vjp } from '../autodiff/index.js';
import { TrainStep } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import {
  type DType,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { mul, sum } from '../ops/index.js';
import { sgd } from '../optim/index.js';
import {
  BatchNorm,
  Context,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  Dropout,
  Embedding,
  GroupNorm,
  Lambda,
  LayerNorm,
  Linear,
  type Module,
  RmsNorm,
  Sequential,
  variablesOf,
} from './index.js';

interface Stored {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const makers = {
  Linear,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  LayerNorm,
  RmsNorm,
  GroupNorm,
  Embedding,
};

interface BatchNormCase {
  readonly byBatch: boolean;
  readonly update: boolean;
  readonly conv: boolean;
  readonly start: readonly Stored[];
  readonly steps: readonly { readonly x: Stored; readonly dy: Stored; readonly loss: number }[];
  readonly end: readonly Stored[];
  readonly evaluated: Stored;
}

const golden: {
  readonly layers: readonly {
    readonly name: string;
    readonly layer: readonly [keyof typeof makers, ...unknown[]];
    readonly weights: Readonly<Record<string, Stored>>;
    readonly x: Stored;
    readonly y: Stored;
    readonly dy: Stored;
    readonly grads: Readonly<Record<string, Stored>>;
    readonly dx: Stored | null;
  }[];
  readonly batchNorm: readonly BatchNormCase[];
} = JSON.parse(readFileSync(new URL('../../test/golden/nn.json', import.meta.url), 'utf8'));

const host = ({ dtype, shape, data }: Stored) => hostTensor(dtype, shape, data);
const training = () => new Context({ training: true });
const evaluating = () => new Context({ training: false });

describe('as PyTorch:', () => {
  for (const c of golden.layers) {
    test(c.name, async () => {
      const [name, ...args] = c.layer;
      // The arguments come from the golden file; each class checks its own.
      const make = makers[name] as unknown as new (...args: unknown[]) => Module;
      const layer = new make(...args);
      const x = input('x', c.x.dtype, c.x.shape);
      const dy = input('dy', 'float32', c.dy.shape);
      const y = layer.forward(x, training());
      const parameters = [...layer.parameters()];
      expect(parameters.map(([path]) => path)).toEqual(Object.keys(c.weights));
      const wrt = parameters.map(([, p]) => p.tensor);
      const grads = vjp([y], [dy], c.dx ? [...wrt, x] : wrt);
      const feeds = new Map<Tensor, HostTensor>([
        [x, host(c.x)],
        [dy, host(c.dy)],
      ]);
      for (const [path, p] of parameters) feeds.set(p.tensor, host(c.weights[path]!));
      const [value, ...got] = await (await testEngine()).evaluate([y, ...grads], feeds);
      expectClose('output', value!, c.y, { rtol: 1e-5, atol: 1e-6 });
      const want = [...parameters.map(([path]) => c.grads[path]!), ...(c.dx ? [c.dx] : [])];
      for (const [i, w] of want.entries()) {
        const what = parameters[i]?.[0] ?? 'x';
        expectClose(`gradient of ${what}`, got[i]!, w, { rtol: 1e-4, atol: 1e-5 });
      }
    });
  }
});

/** A layer with a batch norm on top, in the mode of a case, with its starting values. */
function normed(c: BatchNormCase) {
  const below = c.conv ? new Conv1d(2, 3, 2) : new Linear(2, 3);
  const norm = new BatchNorm(3);
  norm.normalizeByBatch = c.byBatch;
  norm.updateStatistics = c.update;
  const net = new Sequential(below, norm);
  const paths = [...net.parameters().keys()];
  const weights = new Map(paths.map((path, i) => [path, host(c.start[i]!)] as const));
  return { net, norm, paths, weights };
}

async function stepOf(net: Sequential, weights: ReadonlyMap<string, HostTensor>) {
  return TrainStep.create(await testEngine(), {
    ...variablesOf(net, weights),
    optimizer: sgd({ lr: 0.5 }),
    trace: (batch) => {
      const context = training();
      const y = net.forward(batch.x!, context);
      return { loss: sum(mul(y, batch.dy!)), updates: context.updates };
    },
  });
}

describe('batch norm over three steps of SGD, as PyTorch:', () => {
  for (const c of golden.batchNorm) {
    const name = `normalises by ${c.byBatch ? 'batch' : 'running'} statistics, ${c.update ? 'moves' : 'keeps'} the running ones, over ${c.conv ? 'Conv1d' : 'Linear'}`;
    test(name, async () => {
      const { net, paths, weights } = normed(c);
      expect(paths.slice(2)).toEqual(['1.weight', '1.bias', '1.running_mean', '1.running_var']);
      const step = await stepOf(net, weights);
      for (const { x, dy, loss } of c.steps) {
        const result = await step.step({ x: host(x), dy: host(dy) });
        // The sum of terms of either sign loses some digits.
        expect(result.loss).toBeCloseTo(loss, 4);
      }
      const { tensors } = await step.save();
      const ended = (path: string) => tensors[path] ?? weights.get(path)!;
      for (const [i, path] of paths.entries()) {
        // Three steps, each with a backward pass in single precision.
        expectClose(path, ended(path), c.end[i]!, { rtol: 1e-4, atol: 1e-5 });
      }

      const x = input('x', 'float32', c.steps[2]!.x.shape);
      const y = net.forward(x, evaluating());
      const feeds = new Map([[x, host(c.steps[2]!.x)]]);
      for (const [path, p] of net.parameters()) feeds.set(p.tensor, ended(path));
      const [value] = await step.engine.evaluate([y], feeds);
      expectClose('evaluated', value!, c.evaluated, { rtol: 1e-4, atol: 1e-5 });
      step.free();
    });
  }

  test('evaluation leaves no new statistics, whatever the switches say', () => {
    const norm = new BatchNorm(3);
    const context = evaluating();
    norm.forward(input('x', 'float32', [4, 3]), context);
    expect(context.updates.size).toBe(0);
  });

  for (const conv of [false, true]) {
    test(`a frozen one over ${conv ? 'Conv1d' : 'Linear'} stays as it is, bit for bit, while the rest moves`, async () => {
      const c = golden.batchNorm.find((b) => b.conv === conv)!;
      const { net, norm, weights } = normed(c);
      norm.freeze();
      const { parameters, constants } = variablesOf(net, weights);
      expect(parameters.map((p) => p.name)).toEqual(['0.weight', '0.bias']);
      const before = new Map([...weights].map(([path, v]) => [path, v.data.slice()] as const));
      const step = await stepOf(net, weights);
      for (const { x, dy } of c.steps) await step.step({ x: host(x), dy: host(dy) });
      const { tensors } = await step.save();
      for (const path of ['0.weight', '0.bias']) {
        expect(tensors[path]!.data, path).not.toEqual(before.get(path));
      }
      for (const path of ['1.weight', '1.bias', '1.running_mean', '1.running_var']) {
        const value = tensors[path] ?? constants.get(net.parameters().get(path)!.tensor)!;
        expect(value.data, path).toEqual(before.get(path));
      }
      step.free();
    });
  }
});

describe('dropout', () => {
  const size = 4000;
  const x = input('x', 'float32', [size]);
  const feeds = (seed: number, step: number) =>
    new Map<Tensor, HostTensor>([
      [x, hostTensor('float32', [size], new Float32Array(size).fill(3))],
      [key, hostTensor('int32', [2], [seed, step])],
    ]);
  const key = input('key', 'int32', [2]);
  const trained = () => new Context({ training: true, key });

  test('drops its share while training, scales the rest, and each place and step drops others', async () => {
    const context = trained();
    const layer = new Dropout(0.25);
    const both = [layer.forward(x, context), layer.forward(x, context)];
    const engine = await testEngine();
    const [a, b] = await engine.evaluate(both, feeds(1, 0));
    const [again] = await engine.evaluate(both, feeds(1, 0));
    const [next] = await engine.evaluate(both, feeds(1, 1));
    const kept = toNumbers(a!).filter((v) => v !== 0);
    expect(new Set(kept)).toEqual(new Set([4]));
    // Five standard deviations of a binomial number: sqrt(4000 0.25 0.75) = 27.
    expect(Math.abs(kept.length - 0.75 * size)).toBeLessThan(137);
    expect(again!.data).toEqual(a!.data);
    const differing = (other: HostTensor) =>
      toNumbers(a!).filter((v, i) => v !== Number(other.data[i])).length;
    // Two independent masks differ in 2 0.25 0.75 of the places.
    expect(differing(b!)).toBeGreaterThan(0.3 * size);
    expect(differing(next!)).toBeGreaterThan(0.3 * size);
  });

  test('is nothing in evaluation, and at rate 0', () => {
    expect(new Dropout(0.9).forward(x, evaluating())).toBe(x);
    expect(new Dropout(0).forward(x, training())).toBe(x);
  });

  test('needs a key', () => {
    expect(() => new Dropout().forward(x, training())).toThrow(ConfigError);
    expect(() => new Dropout().forward(x, training())).toThrow(/no key/);
  });

  test('refuses rates that are no share', () => {
    for (const rate of [1.5, -0.1, Number.NaN]) {
      expect(() => new Dropout(rate), String(rate)).toThrow(ConfigError);
    }
  });
});

test('a function stands among layers and owns nothing', async () => {
  const net = new Sequential(new Lambda((x) => mul(x, 2)), new Lambda((x) => mul(x, 3)));
  const x = input('x', 'float32', [2]);
  const y = net.forward(x, training());
  expect(net.parameters().size).toBe(0);
  const feeds = new Map([[x, hostTensor('float32', [2], [1, -2])]]);
  const [value] = await (await testEngine()).evaluate([y], feeds);
  expect([...value!.data]).toEqual([6, -12]);
});

test('convolutions refuse channels that their groups do not divide', () => {
  expect(() => new Conv1d(3, 4, 3, { groups: 2 })).toThrow(ConfigError);
  expect(() => new Conv2d(4, 3, 3, { groups: 2 })).toThrow(ConfigError);
  expect(() => new ConvTranspose2d(4, 3, 3, { groups: 2 })).toThrow(/groups/);
  expect(() => new GroupNorm(2, 3)).toThrow(ConfigError);
});
