/** The two kinds of node without inputs: placeholders that are fed, and constants. */
import { ConfigError } from '../errors.js';
import type { DType, HostTensor, Shape, TensorData, TensorType } from './dtype.js';
import { dtypeInfo, hostTensor, sizeOf, toFloat16Bits } from './dtype.js';
import type { Tensor } from './node.js';
import { defineOp, zeroGrad } from './op.js';

/** A value that is fed at run time (data, parameters, optimizer state). */
export const inputOp = defineOp<{ name: string; type: TensorType }>({
  name: 'input',
  infer: (_, { type }) => type,
  grad: zeroGrad('an input is a leaf'),
  onnx: (emit, node) => emit.name(node.outputs[0]!),
  unique: true,
});

/** A value known while tracing; large ones are stored beside the graph, not in it. */
export const constantOp = defineOp<{ value: HostTensor }>({
  name: 'constant',
  infer: (_, { value }) => ({ dtype: value.dtype, shape: value.shape }),
  grad: zeroGrad('a constant is a leaf'),
  onnx: (emit, node) => emit.constant(node.attrs.value),
});

/**
 * A placeholder.
 * @param name how it is fed; unique within a graph
 */
export function input(name: string, dtype: DType, shape: Shape): Tensor {
  if (name === '') throw new ConfigError('input: a placeholder needs a non-empty name.');
  return inputOp.one([], { name, type: { dtype, shape: [...shape] } });
}

/** A constant from a host tensor; the values are not copied and must not be changed later. */
export function constantOf(value: HostTensor): Tensor {
  return constantOp.one([], { value });
}

/** A constant tensor from values in row-major order. */
export function constant(
  data: TensorData | ArrayLike<number> | ArrayLike<bigint>,
  dtype: DType,
  shape: Shape,
): Tensor {
  return constantOf(hostTensor(dtype, shape, data));
}

/** A constant scalar. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  return constant([value], dtype, []);
}

/** A host tensor with every element equal to `value`. */
export function filled(dtype: DType, shape: Shape, value: number): HostTensor {
  const data = new (dtypeInfo(dtype).array)(sizeOf(shape));
  // A new array holds zeros already.
  if (Object.is(value, 0)) return { dtype, shape, data };
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(BigInt(value));
  else if (dtype === 'bool') data.fill(value === 0 ? 0 : 1);
  else data.fill(dtype === 'float16' ? toFloat16Bits(value) : value);
  return { dtype, shape, data };
}

/** The value of a constant tensor, or null when it is not a constant. */
export function constantValue(tensor: Tensor): HostTensor | null {
  const { node } = tensor;
  return node.op === (constantOp as unknown) ? (node.attrs as { value: HostTensor }).value : null;
}

/** The name under which a placeholder is fed, or null when the tensor is not a placeholder. */
export function inputName(tensor: Tensor): string | null {
  const { node } = tensor;
  return node.op === (inputOp as unknown) ? (node.attrs as { name: string }).name : null;
}
