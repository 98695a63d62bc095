import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { grad } from '../autodiff/index.js';
import { Engine } from '../engine/index.js';
import { constant, hostTensor, input, type Tensor, toNumbers, toposort } from '../graph/index.js';
import { nodeRuntime } from '../runtime/ort-node.js';
import {
  add,
  batchNorm,
  channelAffine,
  conv2d,
  groupNorm,
  instanceNorm,
  layerNorm,
  layerNormWithStatistics,
  logSoftmax,
  mul,
  reshape,
  rmsNorm,
  rsqrt,
  softmax,
  sub,
  sum,
} from './index.js';

/** For two computations of one thing in single precision. */
const close = { rtol: 1e-4, atol: 1e-4 };

/** Placeholders after the first, in the order scale, bias, as far as the case has them. */
function affine(rest: readonly Tensor[], args: { scale?: boolean; bias?: boolean }) {
  const list = [...rest];
  return {
    ...(args.scale ? { scale: list.shift()! } : {}),
    ...(args.bias ? { bias: list.shift()! } : {}),
  };
}

describe('softmax', () => {
  opContract('softmax', ([x], { axis }) => softmax(x!, axis));
  opContract('logSoftmax', ([x], { axis }) => logSoftmax(x!, axis));
});

describe('norms of a sample', () => {
  opContract('channelAffine', ([x, scale, ...rest], args) =>
    channelAffine(x!, {
      scale: scale!,
      ...(args.shift ? { shift: rest[0]! } : {}),
      ...(args.residual ? { residual: rest.at(-1)! } : {}),
    }),
  );
  opContract('layerNorm', ([x, ...rest], args) =>
    layerNorm(x!, { ...affine(rest, args), axes: args.axes, epsilon: args.epsilon }),
  );
  opContract('layerNormWithStatistics', ([x, ...rest], args) => {
    const options = { ...affine(rest, args), axes: args.axes, epsilon: args.epsilon };
    const { y, mean, inverseDeviation } = layerNormWithStatistics(x!, options);
    return [y, mean, inverseDeviation];
  });
  opContract('rmsNorm', ([x, ...rest], args) =>
    rmsNorm(x!, { ...affine(rest, args), axes: args.axes, epsilon: args.epsilon }),
  );
  opContract('groupNorm', ([x, scale, bias], { groups }) =>
    groupNorm(x!, groups, scale && bias ? { scale, bias } : {}),
  );
  opContract('instanceNorm', ([x, scale, bias]) =>
    instanceNorm(x!, scale && bias ? { scale, bias } : {}),
  );
});

describe('batch norm', () => {
  opContract('batchNorm', ([x, scale, bias]) => {
    const made = batchNorm(x!, { scale: scale!, bias: bias! }, { normalizeBy: 'batch' });
    return [made.y, made.batchMean, made.batchVariance];
  });
  opContract('batchNormRunning', ([x, scale, bias], args) => {
    const { dtype } = x!;
    const running = (values: number[]) => constant(values, dtype, [values.length]);
    const [mean, variance] = [running(args.mean), running(args.variance)];
    const parameters = { scale: scale!, bias: bias!, mean, variance };
    return batchNorm(x!, parameters, { normalizeBy: 'running' }).y;
  });

  const x = input('x', 'float32', [2, 3, 5, 5]);
  const w = input('w', 'float32', [4, 3, 3, 3]);
  const bias = input('b', 'float32', [4]);
  const four = (...values: number[]) => constant(values, 'float32', [4]);
  const parameters = {
    scale: four(1, -2, 0.5, 3),
    bias: four(0.1, 0.2, -0.3, 0),
    mean: four(0.5, 0, -1, 2),
    variance: four(1, 0.25, 4, 2),
  };
  const wave = (shape: readonly number[], step: number) =>
    hostTensor(
      'float32',
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * step)),
    );
  const feeds = new Map([
    [x, wave(x.shape, 0.7)],
    [w, wave(w.shape, 1.3)],
    [bias, wave(bias.shape, 2)],
  ]);
  const ops = (t: Tensor) => toposort([t]).map((node) => node.op.name);

  test.each([[true], [false]])('is folded into a convolution before it (bias: %s)', async (has) => {
    const conv = conv2d(x, w, { padding: 1, stride: 2, ...(has ? { bias } : {}) });
    const folded = batchNorm(conv, parameters, { normalizeBy: 'running' }).y;
    expect(ops(folded).filter((name) => name === 'conv')).toHaveLength(1);
    expect(ops(folded)).not.toContain('channelAffine');
    // The same values, not seen to come from a convolution.
    const apart = batchNorm(mul(conv, 1), parameters, { normalizeBy: 'running' }).y;
    const loss = (y: Tensor) => sum(mul(y, y));
    const used = has ? feeds : new Map([...feeds].filter(([t]) => t !== bias));
    const results = await (await testEngine()).evaluate(
      [folded, apart, ...grad(loss(folded), [x, w]), ...grad(loss(apart), [x, w])],
      used,
    );
    const [y, want, dx, dw, wantDx, wantDw] = results;
    const pairs = { y: [y, want], dx: [dx, wantDx], dw: [dw, wantDw] };
    for (const [name, [a, b]] of Object.entries(pairs)) {
      expectClose(name, a!, { shape: b!.shape, data: toNumbers(b!) }, close);
    }
  });

  /** Batch norm as its definition says, of elementary operations. */
  const composedBatchNorm = (t: Tensor) => {
    const axes = [0, 2, 3];
    const share = t.shape[1]! / t.size;
    const centred = sub(t, mul(sum(t, { axes, keepDims: true }), share));
    const variance = mul(sum(mul(centred, centred), { axes, keepDims: true }), share);
    return mul(centred, rsqrt(add(variance, 1e-5)));
  };

  test('a convolution below takes the scale of the gradient on its weights', async () => {
    const conv = conv2d(x, w, { padding: 1, stride: 2, bias });
    const { scale } = parameters;
    const whole = batchNorm(conv, { scale }, { normalizeBy: 'batch' }).y;
    const composed = mul(composedBatchNorm(conv), reshape(scale, [4, 1, 1]));
    const dy = constant(wave(whole.shape, 2.3).data, 'float32', whole.shape);
    const gradients = (y: Tensor) => grad(sum(mul(y, dy)), [x, w, bias]);
    const got = gradients(whole);
    expect(ops(got[0]!).filter((name) => name === 'channelAffine')).toHaveLength(1);
    const want = gradients(composed);
    const results = await (await testEngine()).evaluate([...got, ...want], feeds);
    for (const [i, name] of ['x', 'w', 'bias'].entries()) {
      const data = toNumbers(results[i + 3]!);
      expectClose(`gradient of ${name}`, results[i]!, { shape: want[i]!.shape, data }, close);
    }
  });

  test('keeps the statistics of each layer where several have equally many channels', async () => {
    // ONNX Runtime's kernel writes the statistics over two of its inputs.
    const layers = (by: (t: Tensor) => Tensor) => by(mul(by(mul(by(x), 2)), x));
    const whole = layers((t) => batchNorm(t, {}, { normalizeBy: 'batch' }).y);
    const composed = layers(composedBatchNorm);
    const dy = constant(wave(x.shape, 2.3).data, 'float32', x.shape);
    const dx = (y: Tensor) => grad(sum(mul(y, dy)), [x])[0]!;
    const [got, want] = await (await testEngine()).evaluate(
      [dx(whole), dx(composed)],
      new Map([[x, feeds.get(x)!]]),
    );
    expectClose('gradient', got!, { shape: x.shape, data: toNumbers(want!) }, close);
  });

  test('by running statistics reads nothing of the batch, but offers its statistics', async () => {
    const parts = batchNorm(
      x,
      {
        mean: constant([0, 0, 0], 'float32', [3]),
        variance: constant([1, 1, 1], 'float32', [3]),
      },
      { normalizeBy: 'running', epsilon: 0 },
    );
    expect(ops(parts.y)).not.toContain('reduceSum');
    const ofBatch = batchNorm(x, {}, { normalizeBy: 'batch' });
    const [y, mean, variance, mean2, variance2] = await (await testEngine()).evaluate(
      [parts.y, parts.batchMean, parts.batchVariance, ofBatch.batchMean, ofBatch.batchVariance],
      new Map([[x, feeds.get(x)!]]),
    );
    expect(toNumbers(y!)).toEqual(toNumbers(feeds.get(x)!));
    for (const [a, b] of [
      [mean, mean2],
      [variance, variance2],
    ] as const) {
      for (const [i, v] of toNumbers(b!).entries()) expect(toNumbers(a!)[i]).toBeCloseTo(v, 5);
    }
  });
});

describe('the forms for other devices', () => {
  // Their operators exist on the CPU too, so that a processor can check what they compute.
  const onGpuForms = async () => {
    const runtime = await nodeRuntime({ threads: 1 });
    return new Engine(Object.create(runtime, { device: { value: 'webgpu' } }));
  };
  test('compute the same', async () => {
    const x = input('x', 'float32', [2, 2, 7, 7]);
    const value = hostTensor(
      'float32',
      x.shape,
      Array.from({ length: 196 }, (_, i) => Math.sin(i)),
    );
    const vector = (a: number, b: number) => constant([a, b], 'float32', [2]);
    const scale = vector(2, -1);
    const { y, batchMean, batchVariance } = batchNorm(x, { scale }, { normalizeBy: 'batch' });
    const shifted = channelAffine(x, { scale, shift: vector(3, 4) });
    const all = channelAffine(x, { scale, shift: vector(3, 4), residual: y });
    const rms = rmsNorm(x, { scale: constant([1, 2, 3, 4, 5, 6, 7], 'float32', [7]) });
    const [dRms] = grad(sum(mul(rms, y)), [x]);
    const outputs = [y, batchMean, batchVariance, shifted, all, rms, dRms!];
    const feeds = new Map([[x, value]]);
    const want = await (await testEngine()).evaluate(outputs, feeds);
    const got = await (await onGpuForms()).evaluate(outputs, feeds);
    for (const [i, w] of want.entries()) {
      expectClose(`output ${i}`, got[i]!, { shape: w.shape, data: toNumbers(w) }, close);
    }
  });
});

describe('mistakes', () => {
  const x = input('x', 'float32', [2, 6, 4]);
  const v = input('v', 'float32', [5]);
  test('name the tensors and what to do', () => {
    expect(() => softmax(x, 3)).toThrow(/axis 3 is out of range/);
    expect(() => softmax(input('i', 'int64', [2]))).toThrow(/floating-point/);
    expect(() => layerNorm(x, { scale: v })).toThrow(
      /normalised axes of float32\[2,6,4\] are \[4\]/,
    );
    expect(() => layerNorm(x, { axes: 4 })).toThrow(/from 1 to 3/);
    expect(() => groupNorm(x, 4)).toThrow(/4 equal groups/);
    expect(() => instanceNorm(input('m', 'float32', [2, 3]))).toThrow(/no spatial axis/);
    expect(() => batchNorm(x, { scale: v }, { normalizeBy: 'batch' })).toThrow(/has 6 channels/);
    expect(() => batchNorm(x, {}, { normalizeBy: 'running' })).toThrow(/running mean and variance/);
    const one = input('one', 'float32', [1, 3]);
    expect(() => batchNorm(one, {}, { normalizeBy: 'batch' })).toThrow(/no variance/);
    expect(() => channelAffine(x, { scale: v })).toThrow(/one value for each of the channels/);
  });
});
