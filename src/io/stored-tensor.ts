/** Tensors as files store them: little-endian bytes, and the 16-bit floats. */
import { WeightsError } from '../errors.js';
import {
  type DType,
  dtypeInfo,
  type HostTensor,
  hostTensor,
  isFloat,
  sizeOf,
  toFloat16Bits,
} from '../graph/index.js';

/** An element type as it lies in a file; bfloat16 has no array of its own and is widened. */
export type StoredType = DType | 'bfloat16';

/** Axes beyond this are a damaged file; ONNX Runtime stops at 8 in practice. */
export const MAX_RANK = 16;

/** The element type that a stored type is read as. */
export function loadedType(stored: StoredType): DType {
  return stored === 'bfloat16' ? 'float32' : stored;
}

/** Bytes of one stored element. */
export function storedBytes(stored: StoredType): number {
  return stored === 'bfloat16' ? 2 : dtypeInfo(stored).bytes;
}

/**
 * A tensor from its stored bytes: a view of them where type and alignment allow, else a copy.
 * @param raw exactly as many bytes as the shape needs
 */
export function fromStored(
  stored: StoredType,
  shape: readonly number[],
  raw: Uint8Array,
): HostTensor {
  const size = sizeOf(shape);
  const { array, bytes } = dtypeInfo(stored === 'bfloat16' ? 'uint16' : stored);
  // Not slice: a Buffer's does not copy.
  const aligned = raw.byteOffset % bytes === 0 ? raw : new Uint8Array(raw);
  const data = new array(aligned.buffer, aligned.byteOffset, size);
  if (stored !== 'bfloat16') return hostTensor(stored, shape, data);
  const words = new Uint32Array(size);
  const halves = data as Uint16Array;
  for (let i = 0; i < size; i++) words[i] = halves[i]! << 16;
  return { dtype: 'float32', shape, data: new Float32Array(words.buffer) };
}

/** The bytes of a tensor, not copied. */
export function bytesOf({ data }: HostTensor): Uint8Array {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/**
 * A floating-point tensor as float16 for storage: half the bytes, three significant digits. Integers
 * and booleans pass unchanged.
 * @throws WeightsError when a finite value lies beyond 65504, float16's largest
 */
export function toFloat16(tensor: HostTensor): HostTensor {
  const { dtype, shape, data } = tensor;
  if (dtype === 'float16' || !isFloat(dtype)) return tensor;
  const bits = new Uint16Array(data.length);
  for (let i = 0; i < bits.length; i++) {
    const value = data[i] as number;
    const half = toFloat16Bits(value);
    if ((half & 0x7fff) === 0x7c00 && Number.isFinite(value)) {
      throw new WeightsError(
        `Value ${value} at position ${i} is too large for float16, which ends at 65504. Store this tensor as float32.`,
        { value, at: i },
      );
    }
    bits[i] = half;
  }
  return { dtype: 'float16', shape, data: bits };
}
