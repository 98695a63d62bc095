import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { testEngine } from '../../test/support/engine.js';
import { opContract } from '../../test/support/op-contract.js';
import { vjp } from '../autodiff/index.js';
import {
  hostTensor,
  input,
  optimize,
  sizeOf,
  type Tensor,
  toNumbers,
  toposort,
} from '../graph/index.js';
import { encode } from '../onnx/index.js';
import { ModelSchema } from '../onnx/proto/onnx_pb.js';
import { add, cast, div, expand, matmul, mul, neg, reshape, sub, sum, transpose } from './index.js';

describe('arithmetic', () => {
  opContract('add', ([a, b]) => add(a!, b!));
  opContract('sub', ([a, b]) => sub(a!, b!));
  opContract('mul', ([a, b]) => mul(a!, b!));
  opContract('div', ([a, b]) => div(a!, b!));
  opContract('neg', ([x]) => neg(x!));
});

describe('layout', () => {
  opContract('cast', ([x], { to }) => cast(x!, to));
  opContract('reshape', ([x], { shape }) => reshape(x!, shape));
  opContract('transpose', ([x], { perm }) => transpose(x!, perm));
  opContract('expand', ([x], { shape }) => expand(x!, shape));
  opContract('reduceSum', ([x], args) => sum(x!, args));
});

describe('matmul', () => {
  opContract('matmul', ([a, b]) => matmul(a!, b!));
  // Its gradients are products of another form.
  opContract('matmulTransposed', ([a, b]) => matmul(a!, transpose(b!)));

  const grown = (shape: readonly number[]) =>
    hostTensor(
      'float32',
      shape,
      Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i)),
    );
  const nodes = (outputs: readonly Tensor[]) =>
    toposort(optimize(outputs)).map(({ op }) => op.name);

  test('by a transposed weight needs no transpose of the weight, nor of its gradient', () => {
    const [x, w, dy] = [
      [8, 4],
      [3, 4],
      [8, 3],
    ].map((s, i) => input(`i${i}`, 'float32', s));
    const [dx, dw] = vjp([matmul(x!, transpose(w!))], [dy!], [x!, w!]);
    expect(nodes([dx!])).not.toContain('transpose');
    // That of dy, which the product takes in.
    expect(nodes([dw!]).filter((name) => name === 'transpose')).toHaveLength(1);
    expect(dw!.shape).toEqual([3, 4]);
  });

  test('the gradient of a tall weight is right for many rows too', async () => {
    const [x, w, dy] = [
      [1024, 2],
      [5, 2],
      [1024, 5],
    ].map((s, i) => input(`i${i}`, 'float32', s));
    const [dw] = vjp([matmul(x!, transpose(w!))], [dy!], [w!]);
    const feeds = new Map([x!, w!, dy!].map((t) => [t, grown(t.shape)] as const));
    const product = sum(mul(reshape(dy!, [1024, 5, 1]), reshape(x!, [1024, 1, 2])), { axes: 0 });
    const [got, want] = await (await testEngine()).evaluate([dw!, product], feeds);
    const tolerance = { rtol: 1e-4, atol: 1e-3 };
    expectClose('dw', got!, { ...want!, data: toNumbers(want!) }, tolerance);
  });

  test('heads moved once serve the product by them and by their transposes', async () => {
    const [q, k] = ['q', 'k'].map((name) => input(name, 'float32', [2, 5, 3, 4]));
    const heads = (x: Tensor) => transpose(x, [0, 2, 1, 3]);
    const scores = matmul(heads(q!), transpose(heads(k!)));
    const mixed = matmul(scores, heads(k!));
    expect(nodes([mixed]).filter((name) => name === 'transpose')).toHaveLength(3);
    const { bytes } = encode({ outputs: { mixed: optimize([mixed])[0]! } });
    const { node } = fromBinary(ModelSchema, bytes).graph!;
    expect(node.filter(({ opType }) => opType === 'Transpose')).toHaveLength(2);
    const feeds = new Map([q!, k!].map((t) => [t, grown(t.shape)] as const));
    const engine = await testEngine();
    const [got] = await engine.evaluate([mixed], feeds);
    const apart = matmul(matmul(heads(q!), transpose(k!, [0, 2, 3, 1])), heads(k!));
    const [want] = await engine.evaluate([apart], feeds);
    const tolerance = { rtol: 1e-5, atol: 1e-6 };
    expectClose('mixed', got!, { ...want!, data: toNumbers(want!) }, tolerance);
  });
});
