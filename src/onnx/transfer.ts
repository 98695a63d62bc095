/**
 * Models of one node that move data and compute nothing. A runtime whose device memory only
 * sessions can reach uses two of them to bring tensors there, to read them back, and to allocate;
 * the third shows in what order blocked convolutions keep their channels.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { DType } from '../graph/index.js';
import { BLOCKED_DOMAIN, onnxDType } from '../ops/index.js';
import { GraphSchema, ModelSchema, NodeSchema, ValueInfoSchema } from './proto/onnx_pb.js';

// No shape is written, so one model serves tensors of every shape.
function anyShape(name: string, dtype: DType) {
  return create(ValueInfoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: onnxDType(dtype) } } },
  });
}

function oneNode(
  opType: string,
  inputs: Readonly<Record<string, DType>>,
  output: DType,
  domain = '',
) {
  return toBinary(
    ModelSchema,
    create(ModelSchema, {
      irVersion: 10n,
      producerName: 'graftml',
      opsetImport: [{ domain: '', version: 21n }, ...(domain ? [{ domain, version: 1n }] : [])],
      graph: create(GraphSchema, {
        name: 'transfer',
        node: [
          create(NodeSchema, {
            name: 'n',
            opType,
            domain,
            input: Object.keys(inputs),
            output: ['y'],
          }),
        ],
        input: Object.entries(inputs).map(([name, dtype]) => anyShape(name, dtype)),
        output: [anyShape('y', output)],
      }),
    }),
  );
}

/** A model with `y = x`, for `x` of any shape. */
export function copyModel(dtype: DType): Uint8Array {
  return oneNode('Identity', { x: dtype }, dtype);
}

/** A model with `y` = the one element of `x` repeated to `shape` (int64). */
export function expandModel(dtype: DType): Uint8Array {
  return oneNode('Expand', { x: dtype, shape: 'int64' }, dtype);
}

/** A model with `y` = the channels of `x` in blocks, for float32 `x` [batch, channels, height, width]. */
export function blockModel(): Uint8Array {
  return oneNode('ReorderInput', { x: 'float32' }, 'float32', BLOCKED_DOMAIN);
}
