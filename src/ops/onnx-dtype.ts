/** Numbers of element types in the ONNX format (TensorProto.DataType of the IR specification). */
import type { DType } from '../graph/index.js';

const numbers: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
};

const names = new Map(Object.entries(numbers).map(([name, n]) => [n, name as DType]));

/** ONNX number of an element type. */
export function onnxDType(dtype: DType): number {
  return numbers[dtype];
}

/** Element type of an ONNX number; undefined for one that Graft does not have (string, bfloat16, ...). */
export function dtypeOfOnnx(number: number): DType | undefined {
  return names.get(number);
}
