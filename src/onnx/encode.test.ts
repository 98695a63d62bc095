import { create, fromBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { testEngine } from '../../test/support/engine.js';
import {
  constant,
  defineOp,
  filled,
  hostTensor,
  input,
  noGrad,
  toNumbers,
} from '../graph/index.js';
import { add, mul, neg, reshape } from '../ops/index.js';
import { type EncodedModel, encode } from './index.js';
import { ModelSchema, NodeSchema } from './proto/onnx_pb.js';
import { neededNodes } from './prune.js';

const graphOf = (model: EncodedModel) => fromBinary(ModelSchema, model.bytes).graph!;
const ops = (model: EncodedModel) => graphOf(model).node.map((n) => n.opType);
const x = () => input('x', 'float32', [2]);

describe('constants', () => {
  test('of 4096 bytes and more lie beside the model, without a copy', () => {
    const inside = filled('float32', [1023], 1);
    const beside = filled('float32', [1024], 1);
    const a = input('a', 'float32', [1023]);
    const b = input('b', 'float32', [1024]);
    const model = encode({
      outputs: {
        a: add(a, constant(inside.data, 'float32', [1023])),
        b: add(b, constant(beside.data, 'float32', [1024])),
      },
    });
    expect(model.external).toHaveLength(1);
    expect(model.external[0]!.data.buffer).toBe(beside.data.buffer);
    const [first, second] = graphOf(model).initializer;
    expect(first!.rawData).toHaveLength(4092);
    expect(second!.rawData).toHaveLength(0);
    expect(second!.dataLocation).toBe(1);
    expect(second!.externalData.map((e) => [e.key, e.value])).toEqual([
      ['location', model.external[0]!.path],
      ['offset', '0'],
      ['length', '4096'],
    ]);
  });

  test('that are equal share one initializer; zeros of two signs or dtypes do not', () => {
    const a = x();
    const two = () => constant([2, 3], 'float32', [2]);
    const model = encode({
      outputs: { a: add(a, two()), b: mul(a, two()), c: mul(a, 0), d: mul(a, -0) },
    });
    expect(graphOf(model).initializer).toHaveLength(3);
    const big = filled('float32', [2000], 1);
    const t = input('t', 'float32', [2000]);
    const shared = encode({
      outputs: {
        a: add(t, constant(big.data, 'float32', [2000])),
        b: mul(t, constant(big.data, 'float32', [2000])),
      },
    });
    expect(shared.external).toHaveLength(1);
  });

  test('that are views of one buffer are told apart by a program', async () => {
    const engine = await testEngine();
    const buffer = Float32Array.from({ length: 4096 }, (_, i) => i);
    const t = input('t', 'float32', [2048]);
    const feeds = new Map([[t, filled('float32', [2048], 0)]]);
    for (const start of [0, 2048]) {
      const view = buffer.subarray(start, start + 2048);
      const [y] = await engine.evaluate([add(t, constant(view, 'float32', [2048]))], feeds);
      expect(y!.data[0]).toBe(start);
    }
  });
});

describe('names', () => {
  test('two placeholders of one name are refused', () => {
    expect(() => encode({ outputs: { y: add(x(), x()) } })).toThrow(
      "encode: two placeholders are both named 'x'.",
    );
  });

  test('do not matter to the bytes unless they are to be kept', () => {
    const named = (name: string, keepNames: boolean) =>
      encode({ outputs: { [`${name}Out`]: neg(input(name, 'float32', [2])) }, keepNames });
    expect(named('a', false).bytes).toEqual(named('b', false).bytes);
    const kept = graphOf(named('a', true));
    expect([kept.input[0]!.name, kept.output[0]!.name]).toEqual(['a', 'aOut']);
    expect(named('b', false).inputs[0]).toMatchObject({ name: 'b', dtype: 'float32', shape: [2] });
  });

  test('of nodes lead back to the graph', () => {
    const y = neg(x());
    const model = encode({ outputs: { y } });
    expect(model.origins.get(graphOf(model).node[0]!.name)).toBe(y.node);
  });
});

describe('outputs', () => {
  const both = hostTensor('float32', [2], [1, -2]);

  test('one value fetched twice, a value that is also read, a placeholder and a constant', async () => {
    const engine = await testEngine();
    const a = x();
    const n = neg(a);
    const outputs = {
      first: n,
      second: n,
      read: mul(n, n),
      fed: a,
      fixed: constant([7], 'float32', [1]),
    };
    const model = encode({ outputs });
    expect(model.outputs.map((o) => o.name)).toEqual(Object.keys(outputs));
    expect(new Set(graphOf(model).output.map((o) => o.name)).size).toBe(5);
    const program = await engine.program(outputs);
    const results = await program.run({ x: both });
    const got: Record<string, number[]> = {};
    for (const [name, t] of Object.entries(results)) {
      got[name] = toNumbers(await engine.runtime.download(t));
    }
    expect(got).toEqual({
      first: [-1, 2],
      second: [-1, 2],
      read: [1, 4],
      fed: [1, -2],
      fixed: [7],
    });
  });

  test('that nothing else reads are named in place, without a copy', () => {
    const a = x();
    expect(ops(encode({ outputs: { y: reshape(neg(a), [1, 2]) } }))).toEqual(['Neg', 'Reshape']);
  });

  test('are in the order asked for, with their types', () => {
    const a = x();
    const { outputs } = encode({ outputs: { z: reshape(a, [2, 1]), a: neg(a) } });
    expect(outputs).toMatchObject([
      { name: 'z', shape: [2, 1] },
      { name: 'a', shape: [2] },
    ]);
  });
});

describe('bodies', () => {
  /** `times` repetitions of x -> 2 x + c, where c is a value of the outer graph. */
  const repeat = defineOp<{ times: number; captures: boolean }>({
    name: 'repeat',
    infer: ([v]) => ({ dtype: v!.dtype, shape: v!.shape }),
    grad: noGrad('It is a test.'),
    onnx: (emit, { inputs: [v, c], attrs }) => {
      const i = input('i', 'int64', []);
      const go = input('go', 'bool', []);
      const state = input('x', 'float32', [2]);
      const outer = input('outer', 'float32', [2]);
      const body = emit.subgraph(
        { inputs: [i, go, state], outputs: [go, add(mul(state, 2), outer)] },
        attrs.captures ? new Map([[outer, emit.name(c!)]]) : undefined,
      );
      const trips = emit.scalar('int64', attrs.times);
      return emit.one('Loop', [trips, '', emit.name(v!)], { body: { graph: body } });
    },
  });

  test('have names of their own and may read values of the outer graph', async () => {
    const engine = await testEngine();
    const a = x();
    const c = neg(a);
    // `c` is read by the body alone and is an output too: it must keep the name the body knows.
    const y = repeat.one([a, c], { times: 3, captures: true });
    const again = repeat.one([y, c], { times: 1, captures: true });
    const got = await engine.evaluate(
      [y, c, again],
      new Map([[a, hostTensor('float32', [2], [1, -2])]]),
    );
    expect(got.map(toNumbers)).toEqual([
      [1, -2],
      [-1, 2],
      [1, -2],
    ]);
    const names = graphOf(encode({ outputs: { y, again } })).node.flatMap((n) =>
      n.attribute.flatMap((at) => at.g?.node.flatMap((inner) => inner.output) ?? []),
    );
    expect(names.length).toBeGreaterThan(2);
    expect(new Set(names).size).toBe(names.length);
  });

  test('that read a placeholder they do not list are refused, by name', () => {
    const a = x();
    const y = repeat.one([a, neg(a)], { times: 1, captures: false });
    expect(() => encode({ outputs: { y } })).toThrow(
      "encode: placeholder 'outer' (float32[2]) is read by a body that does not list it.",
    );
  });
});

test('what no result needs is left out, what a body reads is not', () => {
  const node = (name: string, input: string[], output: string[]) =>
    create(NodeSchema, { name, input, output });
  const nodes = [
    node('a', ['x'], ['va', '']),
    node('dead', ['va'], ['vb', 'vc']),
    node('c', ['va'], ['', 'vd']),
    node('dead too', ['vb'], ['ve']),
    node('captured', ['x'], ['vf']),
  ];
  expect(neededNodes(nodes, ['vd', 'vf']).map((n) => n.name)).toEqual(['a', 'c', 'captured']);
  expect(neededNodes(nodes, [''])).toEqual([]);
});
