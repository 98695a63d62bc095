import { fromBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { constant, defineOp, input, noGrad, type OnnxAttr, type Tensor } from '../graph/index.js';
import { add, concat, expand, mul, reshape, rmsNorm, silu, slice } from '../ops/index.js';
import { annotate, encode, freeBatch } from './index.js';
import { ModelSchema } from './proto/onnx_pb.js';
import { repeatedBlock } from './repeated-block.js';

const X = 'x';

/** One model for all batches of what `trace` makes of x [batch, 4]. */
function freed(trace: (x: Tensor, batch: number) => Tensor, batches = [11, 13] as const) {
  const [first, second] = batches.map((batch) => ({
    batch,
    model: encode({
      outputs: { y: trace(input(X, 'float32', [batch, 4]), batch) },
      target: 'portable',
      keepNames: true,
    }),
  }));
  const model = freeBatch(first!, second!);
  return { model, graph: fromBinary(ModelSchema, model.bytes).graph! };
}

/** An operator of the given attributes or domain. */
function custom(opType: string, attrs: Readonly<Record<string, OnnxAttr>>, domain = '') {
  return defineOp<undefined>({
    name: 'custom',
    infer: ([x]) => x!,
    grad: noGrad('a test'),
    onnx: (emit, { inputs: [x] }) => emit.one(opType, [emit.name(x!)], attrs, domain),
  });
}

describe('the batch', () => {
  test('is what is left over in a reshape', () => {
    const { graph, model } = freed((x, batch) => reshape(x, [2, batch, 2]));
    const reshaped = graph.node.find((n) => n.opType === 'Reshape')!;
    const shape = graph.initializer.find((t) => t.name === reshaped.input[1])!;
    expect(Array.from(new BigInt64Array(Uint8Array.from(shape.rawData).buffer))).toEqual([
      2n,
      -1n,
      2n,
    ]);
    expect(model.outputs[0]!.shape).toEqual([2, -1, 2]);
    expect(graph.node).toHaveLength(1);
  });

  test('is read off the input where it must be known, and multiplied', () => {
    const { graph } = freed((x, batch) => {
      const tokens = expand(constant([1, 2, 3, 4], 'float32', [1, 4]), [3 * batch, 4]);
      return concat([x, tokens], 0);
    });
    expect(graph.node.map((n) => n.opType)).toEqual(['Shape', 'Mul', 'Concat', 'Expand', 'Concat']);
    const [dim] =
      graph.output[0]!.type!.value.case === 'tensorType'
        ? graph.output[0]!.type!.value.value.shape!.dim
        : [];
    expect(dim!.value).toEqual({ case: 'dimParam', value: '4*batch' });
  });

  test('may end a slice', () => {
    const { graph } = freed((x, batch) => {
      const twice = concat([x, x], 0);
      return slice(twice, { starts: [batch], ends: [2 * batch], axes: [0] });
    });
    const cut = graph.node.find((n) => n.opType === 'Slice')!;
    const made = new Map(graph.node.flatMap((n) => n.output.map((o) => [o, n.opType])));
    expect(cut.input.slice(1, 3).map((name) => made.get(name))).toEqual(['Concat', 'Concat']);
  });
});

/** A constant of `batch` copies of `sample`, one after the other along the first axis. */
function copies(sample: readonly number[], batch: number, shape: readonly number[]): Tensor {
  const all = Array.from({ length: batch }, () => sample).flat();
  return constant(all, 'float32', [batch, ...shape]);
}

test.each([1, 1000])(
  'a constant that is the same for each sample is repeated (%i rows)',
  (rows) => {
    const sample = Array.from({ length: rows * 4 }, (_, i) => i);
    const { graph, model } = freed((x, batch) => {
      const token = copies(sample, batch, [rows, 4]);
      return concat([reshape(x, [batch, 1, 4]), token], 1);
    });
    expect(graph.node.map((n) => n.opType)).toEqual([
      'Shape',
      'Concat',
      'Tile',
      'Reshape',
      'Concat',
    ]);
    const tile = graph.node.find((n) => n.opType === 'Tile')!;
    const part = graph.initializer.find((t) => t.name === tile.input[0])!;
    expect(part.dims).toEqual([1n, BigInt(rows), 4n]);
    expect(new Float32Array(Uint8Array.from(part.rawData).buffer)).toEqual(
      Float32Array.from(sample),
    );
    expect(model.external).toEqual([]);
  },
);

test('parts that are repeated along an inner axis are found', () => {
  const bytes = (values: number[]) => Uint8Array.from(values);
  const block = { bytes: bytes([1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4]), dims: [2, 6, 1] };
  expect(repeatedBlock(block, 1, 3)).toEqual({ bytes: bytes([1, 2, 3, 4]), dims: [2, 2, 1] });
  expect(repeatedBlock(block, 1, 2)).toBeNull();
  expect(repeatedBlock(block, 1, 4)).toBeNull();
  const other = { ...block, bytes: block.bytes.with(7, 9) };
  expect(repeatedBlock(other, 1, 3)).toBeNull();
});

describe('is refused:', () => {
  const refused = (trace: (x: Tensor, batch: number) => Tensor) => () => freed(trace);

  test('a number made of the batch', () => {
    expect(refused((x, batch) => mul(x, 1 / batch))).toThrow(/constant .* depends on it/);
  });
  test('a constant with something of its own for each sample', () => {
    const trace = (x: Tensor, batch: number) => {
      const own = copies([1, 2, 3, 4], batch, [4]);
      return mul(
        add(x, own),
        constant(
          Array.from({ length: batch }, (_, i) => i),
          'float32',
          [batch, 1],
        ),
      );
    };
    expect(refused(trace)).toThrow(/constant .* has another shape/);
  });
  test('an attribute made of the batch', () => {
    const trace = (x: Tensor, batch: number) =>
      custom('Elu', { alpha: { float: batch } }).one([x], undefined);
    expect(refused(trace)).toThrow(/an attribute of Elu \(custom#\d+\) depends on it/);
  });
  test('a shape that the batch is in, but not as a factor', () => {
    const trace = (x: Tensor, batch: number) =>
      expand(reshape(slice(x, { starts: [0], ends: [1], axes: [0] }), [4, 1]), [4, batch + 1]);
    expect(refused(trace)).toThrow(/holds 12 at batch 11 and 14 at 13/);
  });
  test('other operators', () => {
    expect(refused((x, batch) => (batch > 12 ? add(x, 1) : mul(x, 1)))).toThrow(/other operators/);
    expect(refused((x, batch) => (batch > 12 ? add(mul(x, 2), 2) : mul(x, 2)))).toThrow(
      /other (operators|constants)/,
    );
  });
});

describe('a portable model', () => {
  const model = (y: Tensor) => {
    const encoded = encode({ outputs: { y }, target: 'portable', keepNames: true });
    return fromBinary(ModelSchema, encoded.bytes);
  };
  const x = () => input(X, 'float32', [2, 4]);

  test('holds operators of the standard only', () => {
    const scale = constant([1, 2, 3, 4], 'float32', [4]);
    const { graph, opsetImport, irVersion } = model(silu(rmsNorm(x(), { scale })));
    const ops = graph!.node.map((n) => n.opType);
    expect(ops).not.toContain('SimplifiedLayerNormalization');
    expect(ops).not.toContain('QuickGelu');
    expect(opsetImport.map((o) => [o.domain, o.version])).toEqual([['', 20n]]);
    expect(irVersion).toBe(9n);
  });

  test('cannot hold others', () => {
    const foreign = custom('FusedConv', {}, 'com.microsoft').one([x()], undefined);
    expect(() => model(foreign)).toThrow(/FusedConv of 'com.microsoft'.*not in the ONNX standard/);
  });

  test('is of a newer opset if one of its operators was defined anew there', () => {
    const { opsetImport, irVersion } = model(
      custom('GroupNormalization', {}).one([x()], undefined),
    );
    expect(opsetImport[0]!.version).toBe(21n);
    expect(irVersion).toBe(10n);
  });
});

test('constants go by the names given for their data, each once', () => {
  const data = Float32Array.from({ length: 2000 }, (_, i) => i);
  const a = input('a', 'float32', [2000]);
  const b = input('b', 'float32', [2, 1000]);
  const encoded = encode({
    outputs: {
      a: add(a, constant(data, 'float32', [2000])),
      b: add(b, constant(data, 'float32', [2, 1000])),
    },
    keepNames: true,
    constantNames: new Map([[data, 'bias']]),
  });
  const { graph } = fromBinary(ModelSchema, encoded.bytes);
  expect(graph!.initializer.map((t) => t.name)).toEqual(['bias', 'graft.c1']);
  expect(encoded.external.map((e) => e.path)).toEqual(['bias', 'graft.c1']);
});

test('annotations replace what a model said about itself', () => {
  const plain = encode({ outputs: { y: add(input(X, 'float32', [2]), 1) } });
  const once = annotate(plain, { producer: 'a', description: 'b', metadata: { k: 'v' } });
  const proto = fromBinary(ModelSchema, annotate(once, { metadata: { l: 'ü' } }).bytes);
  expect([proto.producerName, proto.docString]).toEqual(['a', 'b']);
  expect(proto.metadataProps.map((e) => [e.key, e.value])).toEqual([['l', 'ü']]);
});
