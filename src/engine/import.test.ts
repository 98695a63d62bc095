import * as ort from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import {
  assorted,
  bytes,
  graph,
  info,
  model,
  nested,
  node,
  ramp,
  shapeArithmetic,
  tensor,
  tinyCnn,
} from '../../test/support/onnx-models.js';
import { grad } from '../autodiff/index.js';
import { GradientError } from '../errors.js';
import {
  constantOf,
  constantValue,
  type HostTensor,
  hostTensor,
  input,
  print,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import { encode, type ImportOptions, type OnnxModel } from '../onnx/index.js';
import {
  add,
  batchNorm,
  conv2d,
  matmul,
  maxPool2d,
  mul,
  relu,
  reshape,
  softmax,
  sum,
  transpose,
} from '../ops/index.js';
import { importOnnx } from './import.js';

async function load(source: Uint8Array | OnnxModel, options: ImportOptions = {}) {
  return importOnnx(await testEngine(), source, options);
}

async function evaluate(outputs: readonly Tensor[], feeds: readonly [Tensor, HostTensor][]) {
  return (await testEngine()).evaluate(outputs, new Map(feeds));
}

/** Imports a model of one input `x` and one output `y` and runs it on `x`. */
async function run(source: Uint8Array, x: HostTensor, options: ImportOptions = {}) {
  const net = await load(source, options);
  return (await evaluate([net.outputs.y!], [[net.inputs.x!, x]]))[0]!;
}

const float = (shape: readonly number[], data: readonly number[]) =>
  hostTensor('float32', shape, data);
const ints = (...values: number[]) => hostTensor('int64', [values.length], values);
const xy = (
  n: ReturnType<typeof node>,
  shape: number[] = [4],
  opset = 17,
  more: ReturnType<typeof tensor>[] = [],
) =>
  bytes(
    model(
      { input: [info('x', 'float32', shape)], output: [info('y')], node: [n], initializer: more },
      { opset },
    ),
  );

describe('a small CNN', () => {
  const weights = Object.fromEntries(
    tinyCnn().graph!.initializer.map((t) => [
      t.name,
      hostTensor('float32', t.dims.map(Number), new Float32Array(t.rawData.slice().buffer)),
    ]),
  );

  /** The same net, written in Graft. */
  function direct(x: Tensor, w: (name: string) => Tensor): Tensor {
    const c = conv2d(x, w('conv.w'), { bias: w('conv.b'), padding: 1 });
    const n = batchNorm(
      c,
      { scale: w('bn.scale'), bias: w('bn.bias'), mean: w('bn.mean'), variance: w('bn.var') },
      { normalizeBy: 'running' },
    ).y;
    const f = reshape(maxPool2d(relu(n), 2), [x.shape[0]!, -1]);
    return softmax(add(matmul(f, transpose(w('fc.w'))), w('fc.b')));
  }

  test('gives the values of the same net written directly', async () => {
    const net = await load(bytes(tinyCnn()), { dims: { batch: 2 } });
    expect(Object.keys(net.parameters)).toEqual([]);
    const x = input('x', 'float32', [2, 2, 6, 6]);
    const y = direct(x, (name) => constantOf(weights[name]!));
    const value = ramp(2, 2, 6, 6);
    const [got] = await evaluate([net.outputs.y!], [[net.inputs.x!, value]]);
    const [want] = await evaluate([y], [[x, value]]);
    expectClose('y', got!, { shape: [2, 3], data: toNumbers(want!) }, { rtol: 1e-5, atol: 1e-6 });
  });

  test('gives the gradients of the same net written directly, for all trainable weights', async () => {
    const net = await load(bytes(tinyCnn()), { dims: { batch: 2 }, parameters: true });
    const names = ['conv.w', 'conv.b', 'bn.scale', 'bn.bias', 'fc.w', 'fc.b'];
    expect(Object.keys(net.parameters).sort()).toEqual([...names].sort());
    const target = constantOf(float([2, 3], [1, 0, 2, -1, 3, 1]));
    const value = ramp(2, 2, 6, 6);
    const imported = grad(
      sum(mul(net.outputs.y!, target)),
      names.map((n) => net.parameters[n]!.tensor),
    );
    const feeds = names.map((n): [Tensor, HostTensor] => [
      net.parameters[n]!.tensor,
      net.parameters[n]!.value,
    ]);
    const got = await evaluate(imported, [[net.inputs.x!, value], ...feeds]);

    const x = input('x', 'float32', [2, 2, 6, 6]);
    const placeholders = new Map(names.map((n) => [n, input(n, 'float32', weights[n]!.shape)]));
    const y = direct(x, (n) => placeholders.get(n) ?? constantOf(weights[n]!));
    const want = await evaluate(grad(sum(mul(y, target)), [...placeholders.values()]), [
      [x, value],
      ...names.map((n): [Tensor, HostTensor] => [placeholders.get(n)!, weights[n]!]),
    ]);
    for (const [i, name] of names.entries()) {
      const { shape } = weights[name]!;
      expect(Math.max(...toNumbers(want[i]!).map(Math.abs)), name).toBeGreaterThan(1e-4);
      expectClose(name, got[i]!, { shape, data: toNumbers(want[i]!) }, { rtol: 1e-4, atol: 1e-6 });
    }
  });

  test('lets the caller choose parameters by what reads them', async () => {
    const net = await load(bytes(tinyCnn()), {
      dims: { batch: 1 },
      parameters: ({ uses }) => uses.some((u) => u.opType === 'Gemm'),
    });
    expect(Object.keys(net.parameters)).toEqual(['fc.w', 'fc.b']);
  });

  test('encodes, and comes back from its own encoding with equal results', async () => {
    const first = await load(bytes(tinyCnn()), { dims: { batch: 2 } });
    const encoded = encode({ outputs: first.outputs, keepNames: true });
    const data = new Map(encoded.external.map((e) => [e.path, e.data]));
    const second = await load(encoded.bytes, {
      external: (path, offset, length) => data.get(path)!.subarray(offset, offset + length),
    });
    const value = ramp(2, 2, 6, 6);
    const [a] = await evaluate([first.outputs.y!], [[first.inputs.x!, value]]);
    const [b] = await evaluate([second.outputs.y!], [[second.inputs.x!, value]]);
    expect(b).toEqual(a);
  });
});

describe('sizes', () => {
  test('that the file leaves open must be given, by input or by name', async () => {
    const source = bytes(tinyCnn());
    await expect(load(source)).rejects.toThrow(/axis 0 \('batch'\) of input 'x' has no size/);
    expect((await load(source, { inputs: { x: [3, 2, 6, 6] } })).outputs.y!.shape).toEqual([3, 3]);
    await expect(load(source, { inputs: { x: [3, 2, 6, 7] } })).rejects.toThrow(
      /has size 6 in the file/,
    );
    await expect(load(source, { inputs: { x: [3, 2, 6] } })).rejects.toThrow(/has 4 axes/);
    await expect(load(source, { inputs: { z: [1] }, dims: { batch: 1 } })).rejects.toThrow(
      /no input 'z'/,
    );
  });

  test('worked out by shape arithmetic leave no trace in the graph', async () => {
    const net = await load(bytes(shapeArithmetic()), { dims: { n: 2, c: 3 } });
    expect(net.outputs.y!.shape).toEqual([2, 12]);
    expect(print([net.outputs.y!])).toMatch(/^%0 = input.*\n%1 = reshape.*\nreturn %1$/);
  });

  test('that depend on an input name it, and take a constant for it', async () => {
    const source = bytes(
      model({
        input: [info('x', 'float32', [2, 3]), info('to', 'int64', [1])],
        output: [info('y')],
        node: [node('Add', ['to', 'to'], ['twice']), node('Reshape', ['x', 'twice'], ['y'])],
      }),
    );
    const error = await load(source).catch((e) => e);
    expect(error.code).toBe('onnx-dynamic');
    expect(error.data.inputs).toEqual(['to']);
    const net = await load(source, { constants: { to: ints(3) } });
    expect(net.outputs.y!.shape).toEqual([6]);
    expect(Object.keys(net.inputs)).toEqual(['x']);
  });

  test('worked out by operators without a fold are evaluated by the runtime', async () => {
    const source = bytes(
      model({
        input: [info('x', 'float32', [2, 3])],
        output: [info('y')],
        initializer: [tensor('a', float([2], [1.2, 5.9])), tensor('b', float([1, 2], [2, 1]))],
        node: [
          node('MatMul', ['b', 'a'], ['m']),
          node('Cast', ['m'], ['to'], { to: 7 }),
          node('Add', ['to', 'minus2'], ['less']),
          node('Reshape', ['x', 'less'], ['y']),
          node('Constant', [], ['minus2'], { value: { t: ints(-2) } }),
        ],
      }),
    );
    expect((await load(source)).outputs.y!.shape).toEqual([6]);
  });
});

describe('opsets', () => {
  const x = float([4], [-3, -0.5, 0.5, 3]);

  test('clip takes its bounds from attributes, then from inputs', async () => {
    const old = await run(
      xy(node('Clip', ['x'], ['y'], { min: { f: -1 }, max: { f: 1 } }), [4], 7),
      x,
    );
    expect(toNumbers(old)).toEqual([-1, -0.5, 0.5, 1]);
    const bounds = [tensor('lo', float([], [-1])), tensor('hi', float([], [1]))];
    const now = await run(xy(node('Clip', ['x', 'lo', 'hi'], ['y']), [4], 13, bounds), x);
    expect(toNumbers(now)).toEqual([-1, -0.5, 0.5, 1]);
    const open = await run(xy(node('Clip', ['x', '', 'hi'], ['y']), [4], 13, bounds), x);
    expect(toNumbers(open)).toEqual([-3, -0.5, 0.5, 1]);
  });

  test('softmax before opset 13 runs over all axes from its own', async () => {
    const ones = float([1, 2, 2], [1, 1, 1, 1]);
    const old = await run(xy(node('Softmax', ['x'], ['y']), [1, 2, 2], 11), ones);
    expect(toNumbers(old)).toEqual([0.25, 0.25, 0.25, 0.25]);
    const now = await run(xy(node('Softmax', ['x'], ['y']), [1, 2, 2], 13), ones);
    expect(toNumbers(now)).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  test('axes move from attributes to inputs', async () => {
    const axes = [tensor('axes', ints(0))];
    for (const [n, opset] of [
      [node('ReduceSum', ['x'], ['y'], { axes: [0], keepdims: 0 }), 11],
      [node('ReduceSum', ['x', 'axes'], ['y'], { keepdims: 0 }), 13],
      [node('ReduceMean', ['x'], ['y'], { axes: [0], keepdims: 0 }), 13],
      [node('ReduceMean', ['x', 'axes'], ['y'], { keepdims: 0 }), 18],
    ] as const) {
      const made = await load(xy(n, [2, 3], opset, opset >= 13 ? axes : []));
      expect(made.outputs.y!.shape, `${n.opType} of opset ${opset}`).toEqual([3]);
    }
    const slice7 = node('Slice', ['x'], ['y'], { starts: [1], ends: [2n ** 63n - 1n] });
    expect((await load(xy(slice7, [4], 7))).outputs.y!.shape).toEqual([3]);
    const unsqueeze = node('Unsqueeze', ['x'], ['y'], { axes: [0, 2] });
    expect((await load(xy(unsqueeze, [4], 11))).outputs.y!.shape).toEqual([1, 4, 1]);
  });

  test('upsampling and resizing of all ages agree where they mean the same', async () => {
    const image = float([1, 1, 2, 2], [1, 2, 3, 4]);
    const scales = [tensor('s', float([4], [1, 1, 2, 2])), tensor('none', float([0], []))];
    const want = [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4];
    const forms: [ReturnType<typeof node>, number][] = [
      [node('Upsample', ['x'], ['y'], { scales: { floats: [1, 1, 2, 2] } }), 7],
      [node('Upsample', ['x', 's'], ['y']), 9],
      [node('Resize', ['x', 's'], ['y']), 10],
      [
        node('Resize', ['x', 'none', 's'], ['y'], {
          coordinate_transformation_mode: 'asymmetric',
          nearest_mode: 'floor',
        }),
        13,
      ],
    ];
    for (const [n, opset] of forms) {
      const y = await run(xy(n, [1, 1, 2, 2], opset, opset >= 9 ? scales : []), image);
      expect(toNumbers(y), `${n.opType} of opset ${opset}`).toEqual(want);
    }
  });

  test('an operator that the file is too old for, or that does not exist, is refused by name', async () => {
    await expect(load(xy(node('Gelu', ['x'], ['y']), [4], 17))).rejects.toThrow(
      /Gelu 'Gelu:y' of opset 17: ONNX has no such operator at this opset/,
    );
    await expect(load(xy(node('constructor', ['x'], ['y'])))).rejects.toThrow(/no such operator/);
    await expect(load(xy(node('BatchNormalization', ['x'], ['y']), [4], 6))).rejects.toThrow(
      /has changed since/,
    );
  });
});

describe('functions, branches and loops', () => {
  const x = float([3], [1, -2, 3]);

  test('are written out where the choice is known, and carried where it is not', async () => {
    const open = await load(bytes(nested()));
    for (const flag of [1, 0]) {
      const value = hostTensor('bool', [], [flag]);
      const feeds: [Tensor, HostTensor][] = [
        [open.inputs.x!, x],
        [open.inputs.flag!, value],
      ];
      const [y, z] = await evaluate([open.outputs.y!, open.outputs.z!], feeds);
      const fixed = await load(bytes(nested()), { constants: { flag: value } });
      const [y2, z2] = await evaluate([fixed.outputs.y!, fixed.outputs.z!], [[fixed.inputs.x!, x]]);
      const start = flag ? [2, -4, 6] : [-1, 2, -3];
      expect(toNumbers(z!)).toEqual([2, 4, 8, 16].flatMap((k) => start.map((v) => k * v)));
      expect(toNumbers(y!)).toEqual(start.map((v) => (v < 0 ? 8 * v : 32 * v)));
      expect([y2, z2]).toEqual([y, z]);
    }
  });

  test('pass gradients when they are written out, and say why not when they are carried', async () => {
    const fixed = await load(bytes(nested()), { constants: { flag: hostTensor('bool', [], [1]) } });
    const [dx] = grad(sum(fixed.outputs.y!), [fixed.inputs.x!]);
    expect(toNumbers((await evaluate([dx!], [[fixed.inputs.x!, x]]))[0]!)).toEqual([64, 16, 64]);
    const open = await load(bytes(nested()));
    expect(() => grad(sum(open.outputs.y!), [open.inputs.x!])).toThrow(
      /ONNX operator If of opset 17, node 'If:b'/,
    );
  });

  test('a scan over another axis, backwards, with its gradient', async () => {
    const body = graph({
      input: [info('s', 'float32', [2]), info('slice', 'float32', [2])],
      node: [node('Mul', ['s', 'slice'], ['s2']), node('Identity', ['s2'], ['each'])],
      output: [info('s2', 'float32', [2]), info('each', 'float32', [2])],
    });
    const source = bytes(
      model({
        input: [info('x', 'float32', [2, 3])],
        output: [info('last'), info('y')],
        initializer: [tensor('start', float([2], [1, 2]))],
        node: [
          node('Scan', ['start', 'x'], ['last', 'y'], {
            num_scan_inputs: 1,
            scan_input_axes: [1],
            scan_input_directions: [1],
            scan_output_axes: [1],
            body: { g: body },
          }),
        ],
      }),
    );
    const net = await load(source);
    const [dx] = grad(sum(net.outputs.last!), [net.inputs.x!]);
    const value = float([2, 3], [2, 3, 4, 5, 6, 7]);
    const results = [net.outputs.last!, net.outputs.y!, dx!];
    const [last, y, gradient] = await evaluate(results, [[net.inputs.x!, value]]);
    expect(toNumbers(last!)).toEqual([24, 420]);
    // The running products of each row, from its end: one column a step.
    expect([y!.shape, toNumbers(y!)]).toEqual([
      [2, 3],
      [4, 12, 24, 14, 84, 420],
    ]);
    expect(toNumbers(gradient!)).toEqual([12, 8, 6, 84, 70, 60]);
  });

  test('a loop of 2^40 rounds is never run to find a size', async () => {
    const body = graph({
      input: [info('i', 'int64', []), info('c', 'bool', []), info('v', 'int64', [1])],
      node: [node('Neg', ['v'], ['v2']), node('Identity', ['c'], ['c2'])],
      output: [info('c2', 'bool', []), info('v2', 'int64', [1])],
    });
    const source = bytes(
      model({
        input: [info('x', 'float32', [4])],
        output: [info('y')],
        initializer: [tensor('trips', hostTensor('int64', [], [2 ** 40])), tensor('four', ints(4))],
        node: [
          node('Loop', ['trips', '', 'four'], ['size'], { body: { g: body } }),
          node('Reshape', ['x', 'size'], ['y']),
        ],
      }),
    );
    await expect(load(source)).rejects.toThrow(/might not end/);
  });

  test('a loop without a known end stays a loop', async () => {
    // Doubles v until it exceeds 100; the number of rounds depends on v.
    const body = graph({
      input: [info('i', 'int64', []), info('c', 'bool', []), info('v', 'float32', [1])],
      node: [
        node('Add', ['v', 'v'], ['v2']),
        node('ReduceMax', ['v2'], ['top'], { keepdims: 0 }),
        node('Less', ['top', 'limit'], ['again']),
      ],
      output: [info('again', 'bool', []), info('v2', 'float32', [1])],
    });
    const source = bytes(
      model({
        input: [info('x', 'float32', [1])],
        output: [info('y', 'float32', [1])],
        initializer: [tensor('limit', float([], [100])), tensor('go', hostTensor('bool', [], [1]))],
        node: [node('Loop', ['', 'go', 'x'], ['y'], { body: { g: body } })],
      }),
    );
    expect(toNumbers(await run(source, float([1], [3])))).toEqual([192]);
    expect(toNumbers(await run(source, float([1], [60])))).toEqual([120]);
  });
});

describe('operators without a gradient', () => {
  test('run, and are named with node and opset when a gradient is asked through them', async () => {
    const net = await load(bytes(assorted()));
    const value = float([2, 1, 4], [0.1, 0.25, -0.31, 0.4, 1, 2, -3, 0]);
    const [q, h, t] = await evaluate(Object.values(net.outputs), [[net.inputs.x!, value]]);
    expectClose(
      'q',
      q!,
      { shape: [2, 1, 4], data: [0.1, 0.2, -0.3, 0.4, 1, 2, -3, 0] },
      { rtol: 1e-5, atol: 1e-6 },
    );
    expect(h!.shape).toEqual([1, 1, 3]);
    expect(toNumbers(t!)).toEqual([0.25, 1].map(Math.fround));
    const [dt] = grad(sum(net.outputs.t!), [net.inputs.x!]);
    expect(toNumbers((await evaluate([dt!], [[net.inputs.x!, value]]))[0]!)).toEqual([
      0, 1, 0, 0, 1, 0, 0, 0,
    ]);
    // 0.1 a step around 128: what lies beyond -12.8 and 12.7 is cut off.
    const beyond = float([2, 1, 4], [0.1, 13, -12.7, -13, 1, 2, -3, 0]);
    const [dq] = grad(sum(net.outputs.q!), [net.inputs.x!]);
    const passed = (await evaluate([dq!], [[net.inputs.x!, beyond]]))[0]!;
    expect(toNumbers(passed)).toEqual([1, 0, 1, 0, 1, 1, 1, 1]);
    const hard = await load(xy(node('Hardmax', ['x'], ['y']), [2, 2]));
    expect(() => grad(sum(hard.outputs.y!), [hard.inputs.x!])).toThrow(
      /ONNX operator Hardmax of opset 17, node 'Hardmax:y'.*Freeze everything/,
    );
  });

  test('of a foreign domain are carried as they are; the runtime tells their types', async () => {
    const source = bytes(
      model(
        {
          input: [info('x', 'float32', [2, 2])],
          output: [info('y')],
          node: [
            node('Inverse', ['x'], ['g'], {}, { domain: 'com.microsoft', name: 'head.inv' }),
            node('Relu', ['g'], ['y']),
          ],
        },
        { domains: { 'com.microsoft': 1 } },
      ),
    );
    const net = await load(source);
    expect(net.opaque).toEqual({ 'com.microsoft.Inverse': 1 });
    expect(net.outputs.y!.shape).toEqual([2, 2]);
    const [y] = await evaluate([net.outputs.y!], [[net.inputs.x!, float([2, 2], [2, 0, 0, 4])]]);
    expect(toNumbers(y!)).toEqual([0.5, 0, 0, 0.25]);
    const error = (() => {
      try {
        return grad(sum(net.outputs.y!), [net.inputs.x!]);
      } catch (e) {
        return e;
      }
    })();
    expect(error).toBeInstanceOf(GradientError);
    expect((error as GradientError).message).toMatch(
      /com.microsoft.Inverse of opset 1, node 'head.inv'/,
    );
    expect((error as GradientError).data).toMatchObject({
      op: 'Inverse',
      node: 'head.inv',
      opset: 1,
    });
  });

  test('that ONNX Runtime has fused are taken apart, with their gradient', async () => {
    const fused = (opType: string, inputs: string[], attrs = {}) =>
      bytes(
        model(
          {
            input: [info('x', 'float32', [2, 4])],
            output: [info('y')],
            initializer: [tensor('b', ramp(4)), tensor('m', ramp(2, 4))],
            node: [node(opType, ['x', ...inputs], ['y'], attrs, { domain: 'com.microsoft' })],
          },
          { domains: { 'com.microsoft': 1 } },
        ),
      );
    for (const source of [
      fused('BiasGelu', ['b']),
      fused('FastGelu', ['b']),
      fused('QuickGelu', []),
      fused('FusedMatMul', ['m'], { transB: 1, alpha: { f: 0.5 } }),
      fused('SkipLayerNormalization', ['m', 'b', 'b', 'b']),
      fused('SkipSimplifiedLayerNormalization', ['m', 'b']),
    ]) {
      const net = await load(source);
      const [y, dx] = await evaluate(
        [net.outputs.y!, ...grad(sum(mul(net.outputs.y!, net.outputs.y!)), [net.inputs.x!])],
        [[net.inputs.x!, ramp(2, 4)]],
      );
      const session = await ort.InferenceSession.create(source);
      const x = new ort.Tensor('float32', ramp(2, 4).data as Float32Array, [2, 4]);
      const want = (await session.run({ x })).y!;
      await session.release();
      const data = [...(want.data as Float32Array)];
      expectClose('y', y!, { shape: want.dims, data }, { rtol: 1e-5, atol: 1e-6 });
      expect(toNumbers(dx!).some((v) => Math.abs(v) > 1e-3)).toBe(true);
    }
  });

  test('that nobody knows say so', async () => {
    const source = bytes(
      model(
        {
          input: [info('x', 'float32', [2])],
          output: [info('y')],
          node: [node('Frobnicate', ['x'], ['y'], {}, { domain: 'acme' })],
        },
        { domains: { acme: 3 } },
      ),
    );
    const error = await load(source).catch((e) => e);
    expect(error.code).toBe('onnx-unknown-op');
    expect(error.message).toMatch(/acme.Frobnicate 'Frobnicate:y' of opset 3/);
  });

  test('whose result size depends on data need known inputs', async () => {
    const source = (shape: number[]) =>
      bytes(
        model({
          input: [info('x', 'float32', shape)],
          output: [info('y')],
          node: [node('NonZero', ['x'], ['y'])],
        }),
      );
    const error = await load(source([3])).catch((e) => e);
    expect(error.code).toBe('onnx-dynamic');
    const net = await load(source([3]), { constants: { x: float([3], [1, 0, 2]) } });
    expect(toNumbers(constantValue(net.outputs.y!)!)).toEqual([0, 2]);
  });
});
