/**
 * Operators that ONNX Runtime runs as they are, but that have a gradient through Graft operations:
 * the gradient must be that of what is run, so it is compared with differences of the forward pass.
 */
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../../test/support/engine.js';
import {
  type AttrValue,
  bytes,
  info,
  model,
  node,
  tensor,
} from '../../../test/support/onnx-models.js';
import { grad } from '../../autodiff/index.js';
import { importOnnx } from '../../engine/import.js';
import {
  constantOf,
  type HostTensor,
  hostTensor,
  type Tensor,
  toNumbers,
} from '../../graph/index.js';
import { addAll, mul, sum } from '../../ops/index.js';

/** Values between -1 and 1 that look like nothing in particular. */
function noise(seed: number, ...shape: readonly number[]): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = Array.from({ length: size }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed));
  return hostTensor('float32', shape, data);
}

function scaled(value: HostTensor, by: number): HostTensor {
  return hostTensor(
    'float32',
    value.shape,
    toNumbers(value).map((v) => v * by),
  );
}

interface Case {
  readonly op: string;
  readonly inputs: readonly (HostTensor | null)[];
  readonly outputs: readonly string[];
  readonly attrs?: Readonly<Record<string, AttrValue>>;
  readonly opset?: number;
}

/** Compares the gradient of a weighted sum of the outputs with central differences. */
async function check({ op, inputs, outputs, attrs = {}, opset = 17 }: Case): Promise<void> {
  const engine = await testEngine();
  const names = inputs.map((t, i) => (t ? `i${i}` : ''));
  const source = bytes(
    model(
      {
        output: outputs.filter((o) => o).map((o) => info(o)),
        initializer: inputs.flatMap((t, i) => (t ? [tensor(`i${i}`, t)] : [])),
        node: [node(op, names, outputs, attrs)],
      },
      { opset },
    ),
  );
  const net = await importOnnx(engine, source, { parameters: () => true });
  const results = Object.values(net.outputs).filter((t) => t.dtype === 'float32');
  const loss = addAll(results.map((y, i) => sum(mul(y, constantOf(noise(50 + i, ...y.shape))))));
  const parameters = Object.values(net.parameters);
  const feeds = new Map<Tensor, HostTensor>(
    parameters.map((p) => [p.tensor, { ...p.value, data: p.value.data.slice() }]),
  );
  const grads = await engine.evaluate(
    grad(
      loss,
      parameters.map((p) => p.tensor),
    ),
    feeds,
  );
  const at = async () => toNumbers((await engine.evaluate([loss], feeds))[0]!)[0]!;
  for (const [i, p] of parameters.entries()) {
    const data = feeds.get(p.tensor)!.data as Float32Array;
    const analytic = toNumbers(grads[i]!);
    expect(Math.max(...analytic.map(Math.abs)), `size of gradient ${i}`).toBeGreaterThan(0.02);
    for (let j = 0; j < data.length; j += Math.max(1, Math.floor(data.length / 6))) {
      const before = data[j]!;
      data[j] = before + 4e-3;
      const high = await at();
      data[j] = before - 4e-3;
      const low = await at();
      data[j] = before;
      expect(analytic[j], `input ${i}, element ${j}`).toBeCloseTo((high - low) / 8e-3, 2);
    }
  }
}

const T = 3;
const B = 2;
const I = 2;
const H = 3;

/** Operands of a recurrent layer: input, weights, bias, no lengths, states. */
function operands(gates: number, directions: number, states: number, bias = true) {
  return [
    noise(1, T, B, I),
    noise(2, directions, gates * H, I),
    noise(3, directions, gates * H, H),
    bias ? noise(4, directions, 2 * gates * H) : null,
    null,
    ...Array.from({ length: states }, (_, i) => noise(5 + i, directions, B, H)),
  ];
}

describe('recurrent layers have the gradient of what ONNX Runtime computes', () => {
  const directions = [
    ['forward', 1],
    ['reverse', 1],
    ['bidirectional', 2],
  ] as const;

  test.each(directions)('RNN, %s', (direction, d) =>
    check({
      op: 'RNN',
      inputs: operands(1, d, 1),
      outputs: ['y', 'h'],
      attrs: { hidden_size: H, direction },
    }),
  );

  test.each(directions)('GRU, %s', (direction, d) =>
    check({
      op: 'GRU',
      inputs: operands(3, d, 1),
      outputs: ['y', 'h'],
      attrs: { hidden_size: H, direction },
    }),
  );

  test('GRU with the linear part before the reset, without bias', () =>
    check({
      op: 'GRU',
      inputs: operands(3, 1, 1, false),
      outputs: ['', 'h'],
      attrs: { hidden_size: H, linear_before_reset: 1 },
    }));

  test('GRU with the linear part before the reset', () =>
    check({
      op: 'GRU',
      inputs: operands(3, 1, 0),
      outputs: ['y', ''],
      attrs: { hidden_size: H, linear_before_reset: 1 },
    }));

  test.each(directions)('LSTM, %s', (direction, d) =>
    check({
      op: 'LSTM',
      inputs: operands(4, d, 2),
      outputs: ['y', 'h', 'c'],
      attrs: { hidden_size: H, direction },
    }),
  );

  test('LSTM with peepholes, of which only the last state is read', () =>
    check({
      op: 'LSTM',
      inputs: [...operands(4, 1, 2), noise(9, 1, 3 * H)],
      outputs: ['', 'h', ''],
      attrs: { hidden_size: H },
    }));
});

describe('other operators have the gradient of what ONNX Runtime computes', () => {
  test('DequantizeLinear, to its scale', async () => {
    const ints = hostTensor('int8', [2, 3], [-100, 5, 7, 50, 0, 3]);
    const zero = hostTensor('int8', [3], [1, -2, 3]);
    await check({
      op: 'DequantizeLinear',
      inputs: [ints, noise(1, 3), zero],
      outputs: ['y'],
      attrs: { axis: 1 },
    });
    await check({ op: 'DequantizeLinear', inputs: [ints, noise(1)], outputs: ['y'] });
  });

  test('DFT, whole and half, there and back', async () => {
    const axis = hostTensor('int64', [], [1]);
    const length = (n: number) => hostTensor('int64', [], [n]);
    const outputs = ['y'];
    await check({ op: 'DFT', inputs: [noise(1, 2, 5, 3, 2), null, axis], outputs, opset: 20 });
    await check({
      op: 'DFT',
      inputs: [noise(2, 2, 5, 1), length(8), axis],
      outputs,
      attrs: { onesided: 1 },
      opset: 20,
    });
    await check({
      op: 'DFT',
      inputs: [noise(3, 2, 6, 2), length(4), axis],
      outputs,
      attrs: { inverse: 1 },
      opset: 20,
    });
  });

  test('STFT, to the signal and to the window', () =>
    check({
      op: 'STFT',
      inputs: [noise(1, 2, 14, 1), hostTensor('int64', [], [3]), noise(2, 6)],
      outputs: ['y'],
    }));

  test.each([
    ['zeros', 0],
    ['zeros', 1],
    ['border', 0],
  ])('GridSample, %s around the image, corners aligned: %s', (padding_mode, align_corners) =>
    check({
      op: 'GridSample',
      inputs: [noise(1, 2, 3, 4, 5), scaled(noise(2, 2, 3, 2, 2), 1.3)],
      outputs: ['y'],
      attrs: { padding_mode, align_corners },
    }),
  );

  test('MaxPool with indices', () =>
    check({
      op: 'MaxPool',
      inputs: [noise(1, 1, 2, 4, 4)],
      outputs: ['y', 'at'],
      attrs: { kernel_shape: [2, 2], strides: [2, 2] },
    }));

  test.each([
    ['linear', 'half_pixel', ''],
    ['linear', 'align_corners', ''],
    ['linear', 'pytorch_half_pixel', ''],
    ['linear', 'asymmetric', ''],
    ['nearest', 'asymmetric', 'floor'],
    ['nearest', 'half_pixel', 'round_prefer_floor'],
    ['nearest', 'half_pixel', 'round_prefer_ceil'],
  ])('Resize, %s, %s, %s', (mode, coordinates, rounding) =>
    check({
      op: 'Resize',
      inputs: [noise(1, 1, 1, 3, 4), null, null, hostTensor('int64', [4], [1, 1, 6, 10])],
      outputs: ['y'],
      attrs: {
        mode,
        coordinate_transformation_mode: coordinates,
        ...(rounding ? { nearest_mode: rounding } : {}),
      },
    }),
  );
});
