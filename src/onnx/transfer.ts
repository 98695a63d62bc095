/**
 * Two models that move data and compute nothing. A runtime whose device memory only sessions can
 * reach uses them to bring tensors there, to read them back, and to allocate.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import type { DType } from '../graph/index.js';
import { onnxDType } from '../ops/index.js';
import { GraphSchema, ModelSchema, NodeSchema, ValueInfoSchema } from './proto/onnx_pb.js';

// No shape is written, so one model serves tensors of every shape.
function anyShape(name: string, dtype: DType) {
  return create(ValueInfoSchema, {
    name,
    type: { value: { case: 'tensorType', value: { elemType: onnxDType(dtype) } } },
  });
}

function oneNode(opType: string, inputs: Readonly<Record<string, DType>>, output: DType) {
  return toBinary(
    ModelSchema,
    create(ModelSchema, {
      irVersion: 10n,
      producerName: 'graftml',
      opsetImport: [{ domain: '', version: 21n }],
      graph: create(GraphSchema, {
        name: 'transfer',
        node: [
          create(NodeSchema, { name: 'n', opType, input: Object.keys(inputs), output: ['y'] }),
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
