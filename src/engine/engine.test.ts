import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { ConfigError } from '../errors.js';
import { constant, hostTensor, input, toNumbers } from '../graph/index.js';
import { add, batchNorm, conv2d, matmul, mul, relu } from '../ops/index.js';
import { nodeRuntime } from '../runtime/ort-node.js';
import { Engine } from './engine.js';

const exact = { rtol: 0, atol: 0 };

describe('Engine', () => {
  test('graphs of equal structure share a session, whatever their placeholders are called', async () => {
    const engine = new Engine(await nodeRuntime({ threads: 1 }));
    const build = (name: string, factor: number) => {
      const x = input(name, 'float32', [2]);
      return engine.program({ y: relu(mul(x, factor)) });
    };
    const first = await build('a', 2);
    const second = await build('b', 2);
    expect(engine.cachedSessions).toBe(1);
    await build('c', 3);
    expect(engine.cachedSessions).toBe(2);
    const feed = hostTensor('float32', [2], [1, -1]);
    for (const results of [await first.run({ a: feed }), await second.run({ b: feed })]) {
      expect(toNumbers(await engine.runtime.download(results.y!))).toEqual([2, 0]);
    }
    await engine.release();
    expect(engine.cachedSessions).toBe(0);
  });

  test('large constants are told apart though their graphs are equal', async () => {
    const engine = new Engine(await nodeRuntime({ threads: 1 }));
    const size = 4096;
    const of = (value: number) => constant(new Float32Array(size).fill(value), 'float32', [size]);
    const x = input('x', 'float32', [size]);
    const feed = new Map([[x, hostTensor('float32', [size], new Float32Array(size).fill(1))]]);
    const [one] = await engine.evaluate([add(x, of(1))], feed);
    const [two] = await engine.evaluate([add(x, of(2))], feed);
    expect([one!.data[0], two!.data[0]]).toEqual([2, 3]);
    expect(engine.cachedSessions).toBe(2);
  });

  test('compile traces a function for a signature', async () => {
    const engine = await testEngine();
    const type = { dtype: 'float32', shape: [2, 2] } as const;
    const f = await engine.compile((a, b) => [matmul(a, b), add(a, b)], [type, type]);
    const a = hostTensor('float32', [2, 2], [1, 2, 3, 4]);
    const [product, total] = await f(a, a);
    expect(toNumbers(product!)).toEqual([7, 10, 15, 22]);
    expect(toNumbers(total!)).toEqual([2, 4, 6, 8]);
    await expect(f(a)).rejects.toThrow(/expected 2 inputs, got 1/);
  });

  test('frozen parameters become initializers; batch norm is folded into the convolution', async () => {
    const engine = await testEngine();
    const x = input('x', 'float32', [1, 3, 5, 5]);
    const w = input('w', 'float32', [4, 3, 3, 3]);
    const stats = Object.fromEntries(
      ['scale', 'bias', 'mean', 'variance'].map((name) => [name, input(name, 'float32', [4])]),
    ) as Record<'scale' | 'bias' | 'mean' | 'variance', ReturnType<typeof input>>;
    const { y } = batchNorm(conv2d(x, w, { padding: 1 }), stats, { normalizeBy: 'running' });
    const wave = (n: number, shift: number) =>
      Float32Array.from({ length: n }, (_, i) => Math.sin(i + shift));
    const values = new Map([
      [w, hostTensor('float32', [4, 3, 3, 3], wave(108, 1))],
      [stats.scale, hostTensor('float32', [4], wave(4, 2))],
      [stats.bias, hostTensor('float32', [4], wave(4, 3))],
      [stats.mean, hostTensor('float32', [4], wave(4, 4))],
      [
        stats.variance,
        hostTensor(
          'float32',
          [4],
          wave(4, 5).map((v) => v * v + 0.5),
        ),
      ],
    ]);
    const image = hostTensor('float32', [1, 3, 5, 5], wave(75, 0));
    const [want] = await engine.evaluate([y], new Map([[x, image], ...values]));
    const program = await engine.program({ y }, { constants: values });
    expect(program.model.inputs.map((i) => i.name)).toEqual(['x']);
    const got = await engine.runtime.download((await program.run({ x: image })).y!);
    expectClose(
      'y',
      got,
      { shape: want!.shape, data: toNumbers(want!) },
      { rtol: 1e-5, atol: 1e-6 },
    );
  });

  test('a missing feed and a feed of another type are named', async () => {
    const engine = await testEngine();
    const x = input('pixels', 'float32', [2, 2]);
    const program = await engine.program({ y: relu(x) });
    await expect(program.run({})).rejects.toThrow(ConfigError);
    await expect(program.run({})).rejects.toThrow(/'pixels' \(float32\[2,2\]\) was not fed/);
    const wide = hostTensor('float32', [2, 3], new Float32Array(6));
    await expect(program.run({ pixels: wide })).rejects.toThrow(/float32\[2,2\].*float32\[2,3\]/s);
    await expect(
      engine.evaluate([relu(x)], new Map([[relu(x), hostTensor('float32', [2, 2], [1, 2, 3, 4])]])),
    ).rejects.toThrow(/not a placeholder/);
  });

  test('a program writes into the tensors it is given', async () => {
    const engine = await testEngine();
    const x = input('x', 'float32', [2]);
    const program = await engine.program({ y: mul(x, 2) });
    const target = await engine.runtime.upload(hostTensor('float32', [2], [0, 0]));
    const { y } = await program.run({ x: hostTensor('float32', [2], [1, 2]) }, { y: target });
    expect(y).toBe(target);
    const got = await engine.runtime.download(target);
    expectClose('y', got, { shape: [2], data: [2, 4] }, exact);
  });
});
