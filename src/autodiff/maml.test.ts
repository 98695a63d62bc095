/**
 * MAML's meta-gradient: the gradient of a loss after two steps of gradient descent, taken through
 * the steps, equals PyTorch's with create_graph=True.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  type DType,
  type HostTensor,
  hostTensor,
  input,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import {
  add,
  batchNorm,
  conv2d,
  crossEntropy,
  gelu,
  matmul,
  maxPool2d,
  mean,
  mul,
  relu,
  stopGradient,
  sub,
  transpose,
} from '../ops/index.js';
import { grad } from './grad.js';

interface Golden {
  readonly lr: number;
  readonly steps: number;
  readonly data: Readonly<Record<string, GoldenTensor>>;
  readonly parameters: Readonly<Record<string, GoldenTensor>>;
  readonly loss: number;
  readonly secondOrder: Readonly<Record<string, GoldenTensor>>;
  readonly firstOrder: Readonly<Record<string, GoldenTensor>>;
}

interface GoldenTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('../../test/golden/maml.json', import.meta.url), 'utf8'),
);

type Parameters = Readonly<Record<string, Tensor>>;

function forward(p: Parameters, x: Tensor): Tensor {
  const h = conv2d(x, p['conv.weight']!, { bias: p['conv.bias']!, padding: 1 });
  const { y } = batchNorm(
    h,
    { scale: p['norm.weight']!, bias: p['norm.bias']! },
    { normalizeBy: 'batch' },
  );
  const low = maxPool2d(relu(y), 2);
  const high = gelu(conv2d(low, p['conv2.weight']!, { stride: 2, padding: 1 }));
  const features = mean(high, { axes: [2, 3] });
  return add(matmul(features, transpose(p['head.weight']!)), p['head.bias']!);
}

function metaGradient(order: 'first' | 'second') {
  const placeholders = (values: Readonly<Record<string, GoldenTensor>>) =>
    Object.fromEntries(
      Object.entries(values).map(([name, v]) => [name, input(name, v.dtype, v.shape)] as const),
    );
  const data = placeholders(golden.data);
  const parameters = placeholders(golden.parameters);
  let fast: Parameters = parameters;
  for (let i = 0; i < golden.steps; i++) {
    const loss = crossEntropy(forward(fast, data.supportX!), data.supportY!);
    const entries = Object.entries(fast);
    const grads = grad(
      loss,
      entries.map(([, t]) => t),
    );
    fast = Object.fromEntries(
      entries.map(([name, t], j) => {
        const g = order === 'first' ? stopGradient(grads[j]!) : grads[j]!;
        return [name, sub(t, mul(g, golden.lr))] as const;
      }),
    );
  }
  const loss = crossEntropy(forward(fast, data.queryX!), data.queryY!);
  const feeds = new Map<Tensor, HostTensor>();
  const feed = (tensors: Parameters, values: Readonly<Record<string, GoldenTensor>>) => {
    for (const [name, t] of Object.entries(tensors)) {
      const v = values[name]!;
      feeds.set(t, hostTensor(v.dtype, v.shape, v.data));
    }
  };
  feed(data, golden.data);
  feed(parameters, golden.parameters);
  return { loss, gradients: grad(loss, Object.values(parameters)), feeds };
}

/** A gradient that is exactly zero (a bias before batch norm) comes out as rounding in float32. */
const ROUNDING = 1e-7;

/** Relative to the largest element of a gradient, as single elements may be near zero. */
function largest(t: GoldenTensor): number {
  return Math.max(...t.data.map(Math.abs));
}

describe('MAML', () => {
  test.each(['second', 'first'] as const)('%s-order meta-gradient', async (order) => {
    const engine = await testEngine();
    const { loss, gradients, feeds } = metaGradient(order);
    const [value, ...got] = await engine.evaluate([loss, ...gradients], feeds);
    expect(toNumbers(value!)[0]).toBeCloseTo(golden.loss, 4);
    const want = order === 'second' ? golden.secondOrder : golden.firstOrder;
    for (const [i, [name, t]] of Object.entries(want).entries()) {
      expectClose(name, got[i]!, t, { rtol: 1e-4, atol: Math.max(1e-4 * largest(t), ROUNDING) });
    }
  });

  test('the two orders differ, so neither test passes for the other', () => {
    for (const [name, t] of Object.entries(golden.secondOrder)) {
      // A bias before batch norm has no gradient of either order.
      if (name === 'conv.bias') continue;
      const other = golden.firstOrder[name]!;
      const gap = Math.max(...t.data.map((v, i) => Math.abs(v - other.data[i]!)));
      expect(gap, name).toBeGreaterThan(0.01 * largest(t));
    }
  });
});
