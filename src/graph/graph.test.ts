import { describe, expect, test } from 'vitest';
import { EngineError } from '../errors.js';
import { add, matmul, mul, neg, reshape, sum } from '../ops/index.js';
import {
  attrKey,
  constant,
  constantValue,
  defineOp,
  dependents,
  type GraphBody,
  input,
  Node,
  nextNodeId,
  noGrad,
  optimize,
  print,
  substitute,
  type Tensor,
  toposort,
  verify,
  withScope,
} from './index.js';

/** One unary operation without any rule of its own, for graphs whose values do not matter. */
const step = defineOp<undefined>({
  name: 'step',
  infer: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  grad: noGrad('It is a test.'),
  onnx: (emit, { inputs: [x] }) => emit.name(x!),
});

const join = defineOp<undefined>({
  name: 'join',
  infer: ([x]) => ({ dtype: x!.dtype, shape: x!.shape }),
  grad: noGrad('It is a test.'),
  onnx: (emit, { inputs: [x] }) => emit.name(x!),
});

const x = () => input('x', 'float32', [2, 3]);

describe('order', () => {
  test('a chain of 100 000 nodes, through every pass', () => {
    let t: Tensor = x();
    for (let i = 0; i < 1e5; i++) t = step.one([t], undefined);
    const order = toposort([t]);
    expect(order).toHaveLength(100_001);
    expect(order[0]!.op.name).toBe('input');
    expect(order.every((node, i) => i === 0 || node.inputs[0]!.node === order[i - 1])).toBe(true);
    verify([t]);
    expect(toposort(optimize([t]))).toHaveLength(100_001);
    expect(dependents(order, [order[0]!.outputs[0]!]).size).toBe(100_001);
    const other = input('other', 'float32', [2, 3]);
    const moved = substitute([t], new Map([[order[0]!.outputs[0]!, other]]));
    expect(toposort(moved)[0]).toBe(other.node);
  });

  test('a node with 100 000 inputs', () => {
    const leaf = x();
    const wide = Array.from({ length: 1e5 }, (_, i) =>
      i % 2 ? step.one([leaf], undefined) : input(`w${i}`, 'float32', [2, 3]),
    );
    const y = join.one(wide, undefined);
    const order = toposort([y]);
    expect(order).toHaveLength(100_002);
    expect(order.at(-1)).toBe(y.node);
    // The 50 000 equal readers of one leaf become one.
    expect(toposort(optimize([y]))).toHaveLength(50_003);
  });

  test('inputs come first, in the order in which the outputs ask for them', () => {
    const a = input('a', 'float32', []);
    const b = input('b', 'float32', []);
    const late = add(b, a);
    expect(toposort([late]).map((n) => n.op.name)).toEqual(['input', 'input', 'add']);
    expect(toposort([late])[0]).toBe(b.node);
    expect(toposort([a, late])[0]).toBe(a.node);
    expect(toposort([])).toEqual([]);
  });
});

describe('verify', () => {
  const fault = (t: Tensor) => {
    try {
      verify([t]);
    } catch (error) {
      expect(error).toBeInstanceOf(EngineError);
      expect((error as EngineError).code).toBe('verify');
      return (error as Error).message;
    }
    return null;
  };

  test('accepts a sound graph', () => {
    expect(fault(sum(matmul(x(), input('w', 'float32', [3, 4]))))).toBeNull();
  });

  test('finds a result type that the rule would not give', () => {
    const a = x();
    const forged = new Node(step, [a], undefined, [{ dtype: 'float32', shape: [3, 2] }]);
    expect(fault(forged.outputs[0]!)).toMatch(
      /step#\d+ is recorded as float32\[3,2\] but its rule infers float32\[2,3\]/,
    );
    const wrongType = new Node(step, [a], undefined, [{ dtype: 'int32', shape: [2, 3] }]);
    expect(fault(wrongType.outputs[0]!)).toContain('int32[2,3]');
    const twice = new Node(step, [a], undefined, [a, a]);
    expect(fault(twice.outputs[0]!)).toContain('float32[2,3], float32[2,3]');
  });

  test('finds an input that was made later, and so every cycle', () => {
    const a = step.one([x()], undefined);
    const b = step.one([a], undefined);
    (a.node as { inputs: readonly Tensor[] }).inputs = [b];
    expect(fault(b)).toMatch(/step#\d+ reads step#\d+, which was made after it/);
  });

  test('finds results that belong to another node', () => {
    const a = step.one([x()], undefined);
    (a.node as { outputs: readonly Tensor[] }).outputs = [step.one([x()], undefined)];
    expect(fault(a)).toMatch(/step#\d+ lists results that belong to another node/);
  });

  test('looks into bodies', () => {
    const loop = defineOp<{ body: GraphBody }>({
      name: 'loop',
      infer: ([v]) => ({ dtype: v!.dtype, shape: v!.shape }),
      grad: noGrad('It is a test.'),
      onnx: (emit, { inputs: [v] }) => emit.name(v!),
    });
    const inner = x();
    const sound = step.one([inner], undefined);
    const forged = new Node(step, [inner], undefined, [{ dtype: 'float32', shape: [7] }]);
    const around = (result: Tensor) =>
      loop.one([x()], { body: { inputs: [inner], outputs: [result] } });
    expect(fault(around(sound))).toBeNull();
    expect(fault(around(forged.outputs[0]!))).toContain('is recorded as float32[7]');
  });

  test('finds two placeholders of one name', () => {
    expect(fault(add(x(), x()))).toBe("Two placeholders are both named 'x'.");
  });

  test('finds inputs that the rule does not accept', () => {
    const broken = new Node(
      matmul(x(), input('w', 'float32', [3, 4])).node.op,
      [x(), input('w', 'float32', [5, 4])],
      undefined,
      [{ dtype: 'float32', shape: [2, 4] }],
    );
    expect(() => verify(broken.outputs)).toThrow(/matmul: float32\[2,3\] and float32\[5,4\]/);
  });
});

test('print shows a line a node, with attributes, types and scopes', () => {
  const a = x();
  const y = withScope('layer', () =>
    withScope('0', () =>
      sum(mul(reshape(a, [3, 2]), constant([1, -2], 'float32', [2])), { axes: 1 }),
    ),
  );
  expect(print([y, neg(y)])).toMatchInlineSnapshot(`
    "%0 = input() {name: x, type: <float32[2,3]>} : float32[2,3]
    %1 = reshape(%0) {shape: [3,2]} : float32[3,2]  # layer.0
    %2 = constant() {value: <float32[2] 1 -2>} : float32[2]  # layer.0
    %3 = mul(%1, %2) : float32[3,2]  # layer.0
    %4 = reduceSum(%3) {axes: [1], keepDims: false} : float32[3]  # layer.0
    %5 = neg(%4) : float32[3]
    return %4, %5"
  `);
});

describe('substitute', () => {
  test('rebuilds what depends on the replaced tensor and keeps the rest', () => {
    const a = x();
    const kept = neg(input('b', 'float32', [2, 3]));
    const y = add(mul(a, a), kept);
    const b = input('c', 'float32', [2, 3]);
    const before = nextNodeId();
    const [moved, same] = substitute([y, kept], new Map([[a, b]]));
    expect(nextNodeId() - before).toBe(2);
    expect(same).toBe(kept);
    expect(moved!.node.inputs[1]).toBe(kept);
    expect(moved!.node.inputs[0]!.node.inputs).toEqual([b, b]);
    verify([moved!]);
  });

  test('replaces a tensor in the middle and an output itself', () => {
    const a = x();
    const middle = neg(a);
    const y = mul(middle, a);
    const other = input('m', 'float32', [2, 3]);
    const [result, direct] = substitute([y, middle], new Map([[middle, other]]));
    expect(result!.node.inputs).toEqual([other, a]);
    expect(direct).toBe(other);
  });

  test('checks the types of the new graph', () => {
    const a = x();
    const y = add(a, input('b', 'float32', [2, 3]));
    expect(() => substitute([y], new Map([[a, input('a', 'float32', [4])]]))).toThrow(
      /add: shapes \[4\] and \[2,3\] do not broadcast/,
    );
  });

  test('keeps the scope of a rebuilt node', () => {
    const a = x();
    const y = withScope('block', () => neg(a));
    const [moved] = substitute([y], new Map([[a, input('b', 'float32', [2, 3])]]));
    expect(moved!.node.scope).toBe('block');
  });
});

describe('optimize', () => {
  test('merges equal nodes, whatever the order they were made in', () => {
    const a = x();
    const [y] = optimize([add(mul(a, neg(a)), mul(a, neg(a)))]);
    expect(y!.node.inputs[0]).toBe(y!.node.inputs[1]);
    expect(toposort([y!])).toHaveLength(4);
  });

  test('keeps placeholders, other attributes and other constants apart', () => {
    const a = input('a', 'float32', [2, 2]);
    const outputs = optimize([
      sum(a, { axes: 0 }),
      sum(a, { axes: 1 }),
      mul(a, constant([0], 'float32', [])),
      mul(a, constant([-0], 'float32', [])),
    ]);
    expect(new Set(outputs).size).toBe(4);
    const [zero, negativeZero] = outputs.slice(2).map((t) => constantValue(t!.node.inputs[1]!));
    expect(Object.is(zero!.data[0], 0)).toBe(true);
    expect(Object.is(negativeZero!.data[0], -0)).toBe(true);
  });

  test('folds arithmetic of small constants and leaves large constants alone', () => {
    const [small] = optimize([add(mul(constant([2, 3], 'int64', [2]), 5), 1)]);
    expect(constantValue(small!)!.data).toEqual(BigInt64Array.of(11n, 16n));
    const large = constant(new Float32Array(5000), 'float32', [5000]);
    expect(constantValue(optimize([neg(large)])[0]!)).toBeNull();
  });

  test('drops what no output needs', () => {
    const a = x();
    neg(mul(a, a));
    const y = neg(a);
    expect(toposort(optimize([y]))).toHaveLength(2);
  });

  test('never merges operations that ask not to be', () => {
    const barrier = defineOp<undefined>({ ...step.spec, name: 'barrier', unique: true });
    const a = x();
    const [y] = optimize([add(barrier.one([a], undefined), barrier.one([a], undefined))]);
    expect(y!.node.inputs[0]).not.toBe(y!.node.inputs[1]);
  });

  test('leaves an optimal graph as it is: no node is made anew', () => {
    const a = x();
    const y = sum(mul(neg(a), a));
    const before = nextNodeId();
    expect(optimize([y])).toEqual([y]);
    expect(nextNodeId()).toBe(before);
  });
});

test('attribute keys tell apart what differs and equate what does not', () => {
  const f = () => 0;
  const distinct = [0, -0, 1, '1', 1n, true, null, undefined, [1], [[1]], { a: 1 }, { b: 1 }, f];
  expect(new Set(distinct.map(attrKey)).size).toBe(distinct.length);
  expect(attrKey({ a: 1, b: [2] })).toBe(attrKey({ b: [2], a: 1, c: undefined }));
  expect(attrKey('a","b')).not.toBe(attrKey(['a', 'b']));
});
