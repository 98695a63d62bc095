/** Small ONNX models made by hand, and their bytes, for tests of the importer. */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type HostTensor, hostTensor } from '../../src/graph/index.js';
import {
  AttributeSchema,
  type FunctionSchema,
  GraphSchema,
  type Model,
  ModelSchema,
  NodeSchema,
  TensorSchema,
  ValueInfoSchema,
} from '../../src/onnx/proto/onnx_pb.js';
import { onnxDType } from '../../src/ops/index.js';

/** An attribute by value: integers, floats (as `{ f }`), strings, lists of integers, tensors, graphs. */
export type AttrValue =
  | number
  | string
  | readonly (number | bigint)[]
  | { readonly f: number }
  | { readonly floats: readonly number[] }
  | { readonly t: HostTensor }
  | { readonly g: ReturnType<typeof graph> }
  | { readonly ref: string; readonly type: number };

const utf8 = new TextEncoder();

export function attr(name: string, value: AttrValue) {
  if (typeof value === 'number')
    return create(AttributeSchema, { name, type: 2, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeSchema, { name, type: 3, s: utf8.encode(value) });
  }
  if (Array.isArray(value)) {
    const ints = (value as readonly (number | bigint)[]).map(BigInt);
    return create(AttributeSchema, { name, type: 7, ints });
  }
  if ('f' in value) return create(AttributeSchema, { name, type: 1, f: value.f });
  if ('floats' in value)
    return create(AttributeSchema, { name, type: 6, floats: [...value.floats] });
  if ('t' in value) return create(AttributeSchema, { name, type: 4, t: tensor('', value.t) });
  if ('g' in value) return create(AttributeSchema, { name, type: 5, g: value.g });
  if ('ref' in value) {
    return create(AttributeSchema, { name, type: value.type, refAttrName: value.ref });
  }
  throw new Error(`No such attribute value: ${JSON.stringify(value)}`);
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attrs: Readonly<Record<string, AttrValue>> = {},
  rest: MessageInitShape<typeof NodeSchema> = {},
) {
  return create(NodeSchema, {
    opType,
    name: `${opType}:${output[0]}`,
    input: [...input],
    output: [...output],
    attribute: Object.entries(attrs).map(([k, v]) => attr(k, v)),
    ...rest,
  });
}

export function tensor(name: string, value: HostTensor) {
  const { data } = value;
  return create(TensorSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: onnxDType(value.dtype),
    rawData: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength),
  });
}

/** Type of a value; a string is the name of an axis, null no name at all. */
export function info(
  name: string,
  dtype: HostTensor['dtype'] = 'float32',
  shape?: readonly (number | string | null)[],
) {
  const dim = shape?.map((d) => ({
    value:
      typeof d === 'number'
        ? { case: 'dimValue' as const, value: BigInt(d) }
        : typeof d === 'string'
          ? { case: 'dimParam' as const, value: d }
          : { case: undefined },
  }));
  return create(ValueInfoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: { elemType: onnxDType(dtype), ...(dim ? { shape: { dim } } : {}) },
      },
    },
  });
}

export function graph(parts: MessageInitShape<typeof GraphSchema>) {
  return create(GraphSchema, { name: 'g', ...parts });
}

export function model(
  parts: MessageInitShape<typeof GraphSchema>,
  {
    opset = 17,
    functions = [],
    domains = {},
  }: {
    readonly opset?: number;
    readonly functions?: readonly MessageInitShape<typeof FunctionSchema>[];
    readonly domains?: Readonly<Record<string, number>>;
  } = {},
): Model {
  return create(ModelSchema, {
    irVersion: 8n,
    opsetImport: [
      { domain: '', version: BigInt(opset) },
      ...Object.entries(domains).map(([domain, v]) => ({ domain, version: BigInt(v) })),
    ],
    graph: graph(parts),
    functions: [...functions],
  });
}

export function bytes(value: Model): Uint8Array {
  return toBinary(ModelSchema, value);
}

/** A float32 tensor with values that rise in steps of a tenth. */
export function ramp(...shape: readonly number[]): HostTensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return hostTensor(
    'float32',
    shape,
    Array.from({ length: size }, (_, i) => ((i % 17) - 8) / 10),
  );
}

/** conv - batch norm - relu - pool - flatten - gemm - softmax, with a symbolic batch. */
export function tinyCnn(): Model {
  return model({
    input: [info('x', 'float32', ['batch', 2, 6, 6])],
    output: [info('y', 'float32', ['batch', 3])],
    initializer: [
      tensor('conv.w', ramp(4, 2, 3, 3)),
      tensor('conv.b', ramp(4)),
      tensor('bn.scale', hostTensor('float32', [4], [1, 2, 0.5, 1.5])),
      tensor('bn.bias', ramp(4)),
      tensor('bn.mean', ramp(4)),
      tensor('bn.var', hostTensor('float32', [4], [1, 0.5, 2, 1])),
      tensor('fc.w', ramp(3, 36)),
      tensor('fc.b', ramp(3)),
    ],
    node: [
      node('Conv', ['x', 'conv.w', 'conv.b'], ['c'], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }),
      node('BatchNormalization', ['c', 'bn.scale', 'bn.bias', 'bn.mean', 'bn.var'], ['n']),
      node('Relu', ['n'], ['r']),
      node('MaxPool', ['r'], ['p'], { kernel_shape: [2, 2], strides: [2, 2] }),
      node('Flatten', ['p'], ['f']),
      node('Gemm', ['f', 'fc.w', 'fc.b'], ['g'], { transB: 1 }),
      node('Softmax', ['g'], ['y']),
    ],
  });
}

/** Shape arithmetic as exporters write it: a reshape whose sizes come from Shape, Gather, Concat. */
export function shapeArithmetic(): Model {
  return model({
    input: [info('x', 'float32', ['n', 'c', 4])],
    output: [info('y', 'float32', ['n', null])],
    initializer: [
      tensor('zero', hostTensor('int64', [], [0])),
      tensor('minus', hostTensor('int64', [1], [-1])),
      tensor('axes', hostTensor('int64', [1], [0])),
    ],
    node: [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'zero'], ['n0']),
      node('Unsqueeze', ['n0', 'axes'], ['n1']),
      node('Concat', ['n1', 'minus'], ['to'], { axis: 0 }),
      node('Reshape', ['x', 'to'], ['y']),
    ],
  });
}

/** A branch with bodies, a loop, and a function that calls another. */
export function nested(): Model {
  return model(
    {
      input: [info('x', 'float32', [3]), info('flag', 'bool', [])],
      output: [info('y', 'float32', [3]), info('z', 'float32', [4, 3])],
      initializer: [
        tensor('trips', hostTensor('int64', [], [4])),
        tensor('go', hostTensor('bool', [], [1])),
      ],
      node: [
        node('If', ['flag'], ['b'], {
          then_branch: {
            g: graph({
              node: [node('Add', ['x', 'x'], ['t'])],
              output: [info('t', 'float32', [3])],
            }),
          },
          else_branch: {
            g: graph({
              node: [node('Neg', ['x'], ['e'])],
              output: [info('e', 'float32', [3])],
            }),
          },
        }),
        node('Loop', ['trips', 'go', 'b'], ['last', 'z'], {
          body: {
            g: graph({
              input: [info('i', 'int64', []), info('c', 'bool', []), info('v', 'float32', [3])],
              node: [
                node('Identity', ['c'], ['c2']),
                node('Twice', ['v'], ['v2'], {}, { domain: 'local' }),
                node('Identity', ['v2'], ['each']),
              ],
              output: [
                info('c2', 'bool', []),
                info('v2', 'float32', [3]),
                info('each', 'float32', [3]),
              ],
            }),
          },
        }),
        node('LeakyThrough', ['last'], ['y'], { slope: { f: 0.25 } }, { domain: 'local' }),
      ],
    },
    {
      domains: { local: 1 },
      functions: [
        {
          name: 'Twice',
          domain: 'local',
          input: ['a'],
          output: ['b'],
          node: [node('Add', ['a', 'a'], ['b'])],
          opsetImport: [{ domain: '', version: 17n }],
        },
        {
          name: 'LeakyThrough',
          domain: 'local',
          input: ['a'],
          output: ['c'],
          attribute: ['slope'],
          node: [
            node('Twice', ['a'], ['b'], {}, { domain: 'local' }),
            node('LeakyRelu', ['b'], ['c'], { alpha: { ref: 'slope', type: 1 } }),
          ],
          opsetImport: [
            { domain: '', version: 17n },
            { domain: 'local', version: 1n },
          ],
        },
      ],
    },
  );
}

/** Quantisation, indexing, sequences and an LSTM: operators with their own shape rules. */
export function assorted(): Model {
  return model({
    input: [info('x', 'float32', [2, 1, 4])],
    output: [
      info('q', 'float32', [2, 1, 4]),
      info('h', 'float32', [1, 1, 3]),
      info('t', 'float32'),
    ],
    initializer: [
      tensor('scale', hostTensor('float32', [], [0.1])),
      tensor('zp', hostTensor('uint8', [], [128])),
      tensor('w', ramp(1, 12, 4)),
      tensor('r', ramp(1, 12, 3)),
      tensor('k', hostTensor('int64', [1], [2])),
      tensor('one', hostTensor('int64', [], [1])),
    ],
    node: [
      node('QuantizeLinear', ['x', 'scale', 'zp'], ['xq']),
      node('DequantizeLinear', ['xq', 'scale', 'zp'], ['q']),
      node('LSTM', ['x', 'w', 'r'], ['', 'h', ''], { hidden_size: 3 }),
      node('TopK', ['x', 'k'], ['top', 'at'], { axis: 2 }),
      node('SplitToSequence', ['top', 'one'], ['seq'], { axis: 2 }),
      node('SequenceAt', ['seq', 'one'], ['t']),
    ],
  });
}
