/** Pieces of ONNX messages: types of values, attributes, tensors. */
import { create } from '@bufbuild/protobuf';
import type { HostTensor, OnnxAttr, TensorType } from '../graph/index.js';
import { onnxDType } from '../ops/index.js';
import {
  type Attribute,
  AttributeSchema,
  type Graph,
  type Tensor as TensorProto,
  TensorSchema,
  ValueInfoSchema,
} from './proto/onnx_pb.js';

/** The values of a tensor as they lie in memory, not copied. */
export function bytesOf(value: HostTensor): Uint8Array {
  const { data } = value;
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** Name and type of a value. */
export function valueInfo(name: string, type: TensorType) {
  return create(ValueInfoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: onnxDType(type.dtype),
          shape: {
            dim: type.shape.map((d) => ({
              value: { case: 'dimValue' as const, value: BigInt(d) },
            })),
          },
        },
      },
    },
  });
}

const utf8 = new TextEncoder();

/** A named attribute; the numbers are AttributeProto.AttributeType of the IR specification. */
export function attribute(name: string, attr: OnnxAttr): Attribute {
  if ('int' in attr) return create(AttributeSchema, { name, type: 2, i: BigInt(attr.int) });
  if ('ints' in attr)
    return create(AttributeSchema, { name, type: 7, ints: attr.ints.map(BigInt) });
  if ('float' in attr) return create(AttributeSchema, { name, type: 1, f: attr.float });
  if ('floats' in attr) {
    return create(AttributeSchema, { name, type: 6, floats: [...attr.floats] });
  }
  if ('string' in attr) {
    return create(AttributeSchema, { name, type: 3, s: utf8.encode(attr.string) });
  }
  if ('strings' in attr) {
    return create(AttributeSchema, {
      name,
      type: 8,
      strings: attr.strings.map((s) => utf8.encode(s)),
    });
  }
  if ('tensor' in attr) {
    return create(AttributeSchema, { name, type: 4, t: tensorProto('', attr.tensor) });
  }
  if ('proto' in attr) return { ...(attr.proto as Attribute), name };
  return create(AttributeSchema, { name, type: 5, g: attr.graph.proto as Graph });
}

/** A tensor with its values inside the message. */
export function tensorProto(name: string, value: HostTensor): TensorProto {
  return create(TensorSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: onnxDType(value.dtype),
    rawData: bytesOf(value),
  });
}
