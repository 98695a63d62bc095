/** Paths, checks and starting values of modules. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { filled, type HostTensor, type Tensor, toNumbers } from '../graph/index.js';
import { relu } from '../ops/index.js';
import { makeKey } from '../util/index.js';
import {
  BatchNorm,
  type Context,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  checkWeights,
  Embedding,
  fanInUniform,
  GroupNorm,
  type Initializer,
  initialize,
  kaimingNormal,
  kaimingUniform,
  Lambda,
  LayerNorm,
  Linear,
  Module,
  normalInit,
  onesInit,
  RmsNorm,
  Sequential,
  truncatedNormalInit,
  uniformInit,
  xavierUniform,
  zerosInit,
} from './index.js';

const golden: { readonly state: readonly (readonly [string, readonly number[]])[] } = JSON.parse(
  readFileSync(new URL('../../test/golden/nn.json', import.meta.url), 'utf8'),
);

class Block extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm;
  readonly downsample: Sequential;

  constructor(channels: number) {
    super();
    this.conv1 = new Conv2d(channels, channels, 3, { padding: 1, bias: false });
    this.bn1 = new BatchNorm(channels);
    this.downsample = new Sequential(new Conv2d(channels, channels, 1), new GroupNorm(2, channels));
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.bn1.forward(this.conv1.forward(x, context), context);
  }
}

/** The twin of `Net` in scripts/golden/nn.py. */
class Net extends Module {
  readonly embeddings = new Embedding(7, 4);
  readonly layer1 = new Sequential(new Block(4), new Lambda(relu), new Block(4));
  readonly heads = [new Linear(4, 2), new Linear(4, 3, { bias: false })];
  readonly up = new ConvTranspose2d(4, 2, 2);
  readonly stem = new Conv1d(2, 4, 3, { groups: 2 });
  readonly norm = new LayerNorm(4);
  readonly rms = new RmsNorm(4);

  override forward(x: Tensor, context: Context): Tensor {
    return this.layer1.forward(x, context);
  }
}

test("paths, shapes and order of parameters are those of PyTorch's state_dict", () => {
  const found = [...new Net().parameters()].map(([path, p]) => [path, p.tensor.shape]);
  expect(found).toEqual(golden.state);
});

test('a module is set trainable by path; running statistics never are', () => {
  const net = new Net();
  const moving = () => [...net.parameters()].filter(([, p]) => p.trainable).map(([path]) => path);
  const all = [...net.parameters().keys()];
  const weights = all.filter((path) => !path.includes('running_'));
  expect(moving()).toEqual(weights);
  net.setTrainable(false);
  expect(moving()).toEqual([]);
  net.setTrainable(true, (path) => path.startsWith('heads.') || path.includes('running_'));
  expect(moving()).toEqual(['heads.0.weight', 'heads.0.bias', 'heads.1.weight']);
  net.setTrainable(true);
  expect(moving()).toEqual(weights);
});

test('a parameter that two modules share is listed once, and so are modules that are', () => {
  class Tied extends Module {
    readonly embeddings = new Embedding(5, 3);
    readonly head = new Linear(3, 5);
    readonly alias = this.embeddings;

    constructor() {
      super();
      Object.assign(this.head, { weight: this.embeddings.weight });
    }

    override forward(x: Tensor, context: Context): Tensor {
      return this.head.forward(this.embeddings.forward(x, context), context);
    }
  }
  const net = new Tied();
  expect([...net.parameters().keys()]).toEqual(['embeddings.weight', 'head.bias']);
  const weights = initialize(net, 1);
  expect(() => checkWeights(net, weights)).not.toThrow();
});

test('weights that do not fit are refused with everything that is wrong', () => {
  const net = new Sequential(new Linear(2, 3), new Linear(3, 2));
  const weights = initialize(net, 1);
  expect(() => checkWeights(net, weights)).not.toThrow();
  weights.delete('0.bias');
  weights.delete('1.weight');
  weights.set('classifier.weight', filled('float32', [1], 0));
  weights.set('extra', filled('float32', [1], 0));
  weights.set('0.weight', filled('float32', [2, 3], 0));
  weights.set('1.bias', filled('float64', [2], 0));
  try {
    checkWeights(net, weights);
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    const { message, data } = error as ConfigError;
    expect(data).toEqual({
      missing: ['0.bias', '1.weight'],
      unexpected: ['classifier.weight', 'extra'],
      misshapen: [
        '0.weight is float32[2,3], expected float32[3,2]',
        '1.bias is float64[2], expected float32[2]',
      ],
    });
    for (const name of ['0.bias', '1.weight', 'classifier.weight', 'extra', 'float32[3,2]']) {
      expect(message).toContain(name);
    }
  }
});

describe('starting values', () => {
  const shape = [64, 8, 5];
  const drawn = (init: Initializer, seed = 1) => toNumbers(init(makeKey(seed), shape, 'float32'));
  const count = 64 * 8 * 5;
  const [fanIn, fanOut] = [8 * 5, 64 * 5];

  /** Five standard errors, so that a right distribution fails once in a million seeds. */
  const SURE = 5;

  for (const [name, init, bound] of [
    ['uniformInit', uniformInit(0.3), 0.3],
    ['fanInUniform', fanInUniform(25), 1 / 5],
    ['kaimingUniform of layers', kaimingUniform(), 1 / Math.sqrt(fanIn)],
    ['kaimingUniform for relu', kaimingUniform(0), Math.sqrt(6 / fanIn)],
    ['xavierUniform', xavierUniform(), Math.sqrt(6 / (fanIn + fanOut))],
  ] as const) {
    test(`${name} fills its bounds evenly`, () => {
      const values = drawn(init);
      const deviation = bound / Math.sqrt(3);
      expect(Math.max(...values)).toBeLessThanOrEqual(bound);
      expect(Math.min(...values)).toBeGreaterThanOrEqual(-bound);
      // The largest of n uniform numbers falls short by bound times 2/n on average.
      expect(Math.max(...values)).toBeGreaterThan(bound * (1 - 40 / count));
      expect(Math.min(...values)).toBeLessThan(-bound * (1 - 40 / count));
      const mean = values.reduce((a, b) => a + b) / count;
      expect(Math.abs(mean)).toBeLessThan((SURE * deviation) / Math.sqrt(count));
      const variance = values.reduce((a, b) => a + b * b, 0) / count;
      // The fourth moment of a uniform number is 9/5 of its squared variance.
      const error = SURE * Math.sqrt((9 / 5 - 1) / count);
      expect(Math.abs(variance / deviation ** 2 - 1)).toBeLessThan(error);
    });
  }

  // Deviation and kurtosis of a standard normal number cut off at two deviations.
  const CUT = { deviation: 0.87962566, kurtosis: 2.3655 };
  for (const [name, init, deviation, kurtosis] of [
    ['normalInit', normalInit(0.3), 0.3, 3],
    ['kaimingNormal', kaimingNormal(), Math.sqrt(2 / fanOut), 3],
    ['kaimingNormal of the forward pass', kaimingNormal('fanIn'), Math.sqrt(2 / fanIn), 3],
    ['truncatedNormalInit', truncatedNormalInit(0.02), 0.02 * CUT.deviation, CUT.kurtosis],
  ] as const) {
    test(`${name} has its mean and deviation`, () => {
      const values = drawn(init);
      const mean = values.reduce((a, b) => a + b) / count;
      expect(Math.abs(mean)).toBeLessThan((SURE * deviation) / Math.sqrt(count));
      const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / count;
      const error = SURE * Math.sqrt((kurtosis - 1) / count);
      expect(Math.abs(variance / deviation ** 2 - 1)).toBeLessThan(error);
    });
  }

  test('truncatedNormalInit stays within two deviations and reaches far towards them', () => {
    const size = Math.max(...drawn(truncatedNormalInit(0.5)).map(Math.abs));
    expect(size).toBeLessThanOrEqual(1);
    expect(size).toBeGreaterThan(0.98);
  });

  test('zeros and ones', () => {
    expect(new Set(drawn(zerosInit()))).toEqual(new Set([0]));
    expect(new Set(drawn(onesInit()))).toEqual(new Set([1]));
  });

  const bits = (weights: ReadonlyMap<string, HostTensor>) =>
    new Map([...weights].map(([path, { data }]) => [path, [...(data as Float32Array)]] as const));

  test('the same seed gives the same bits, another seed others', () => {
    const [a, b, c] = [1, 1, 2].map((seed) => bits(initialize(new Net(), seed)));
    expect(a).toEqual(b);
    expect(c!.get('heads.0.weight')).not.toEqual(a!.get('heads.0.weight'));
    const net = new Net();
    expect([...a!.keys()]).toEqual([...net.parameters().keys()]);
    expect(() => checkWeights(net, initialize(net, 1))).not.toThrow();
  });

  test('equal layers start from different values', () => {
    const weights = bits(initialize(new Sequential(new Linear(4, 4), new Linear(4, 4)), 1));
    expect(weights.get('0.weight')).not.toEqual(weights.get('1.weight'));
  });

  test('a layer more leaves the others as they were', () => {
    class Larger extends Net {
      readonly adapter = new Linear(4, 4);
    }
    const small = bits(initialize(new Net(), 5));
    const large = bits(initialize(new Larger(), 5));
    expect(large.size).toBe(small.size + 2);
    for (const [path, values] of small) expect(large.get(path), path).toEqual(values);
  });

  test("layers start within PyTorch's bounds", () => {
    const weights = bits(initialize(new Net(), 3));
    const within = (path: string, bound: number) => {
      const size = Math.max(...weights.get(path)!.map(Math.abs));
      expect(size, path).toBeLessThanOrEqual(bound);
      // A few values reach past half of the bound, save once in 2^n.
      expect(size, path).toBeGreaterThan(bound * 0.5);
    };
    within('heads.0.weight', 1 / Math.sqrt(4));
    within('layer1.0.conv1.weight', 1 / Math.sqrt(4 * 9));
    within('stem.weight', 1 / Math.sqrt(1 * 3));
    within('stem.bias', 1 / Math.sqrt(1 * 3));
    // PyTorch counts the fan of a transposed convolution along its second axis, [in, out, h, w].
    within('up.weight', 1 / Math.sqrt(2 * 4));
    const many = bits(
      initialize(
        new Sequential(
          new Linear(16, 64),
          new Conv2d(8, 64, [2, 3], { groups: 2 }),
          new ConvTranspose2d(4, 128, [2, 3], { groups: 2 }),
        ),
        3,
      ),
    );
    for (const [path, values] of many) weights.set(path, values);
    within('0.bias', 1 / Math.sqrt(16));
    within('1.bias', 1 / Math.sqrt(4 * 6));
    within('2.bias', 1 / Math.sqrt(64 * 6));
    expect(new Set(weights.get('norm.weight'))).toEqual(new Set([1]));
    expect(new Set(weights.get('norm.bias'))).toEqual(new Set([0]));
    expect(new Set(weights.get('layer1.0.bn1.running_var'))).toEqual(new Set([1]));
    expect(new Set(weights.get('layer1.0.bn1.running_mean'))).toEqual(new Set([0]));
  });
});
