/** Element types of tensors, their storage in JavaScript and the predicates that rules ask. */
import { DTypeError, ShapeError } from '../errors.js';

/** Typed array that stores the elements of a tensor on the host. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | BigInt64Array
  | Int32Array
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint32Array
  | BigUint64Array;

interface DTypeInfo {
  /** Bytes of one element. */
  readonly bytes: number;
  /** Storage; float16 is kept as its bit pattern because Node 20 has no Float16Array. */
  readonly array: {
    new (length: number): TensorData;
    new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TensorData;
  };
  readonly kind: 'float' | 'int' | 'bool';
}

const table = {
  float32: { bytes: 4, array: Float32Array, kind: 'float' },
  float64: { bytes: 8, array: Float64Array, kind: 'float' },
  float16: { bytes: 2, array: Uint16Array, kind: 'float' },
  int64: { bytes: 8, array: BigInt64Array, kind: 'int' },
  int32: { bytes: 4, array: Int32Array, kind: 'int' },
  bool: { bytes: 1, array: Uint8Array, kind: 'bool' },
  uint8: { bytes: 1, array: Uint8Array, kind: 'int' },
  int8: { bytes: 1, array: Int8Array, kind: 'int' },
  // The four below are carried for imported models and for random bits; no layer computes in them.
  int16: { bytes: 2, array: Int16Array, kind: 'int' },
  uint16: { bytes: 2, array: Uint16Array, kind: 'int' },
  uint32: { bytes: 4, array: Uint32Array, kind: 'int' },
  uint64: { bytes: 8, array: BigUint64Array, kind: 'int' },
} as const satisfies Record<string, DTypeInfo>;

/** Name of an element type. */
export type DType = keyof typeof table;

/** All element types, in the order of the table. */
export const DTYPES = Object.keys(table) as readonly DType[];

/** Static shape: one non-negative integer per axis; `[]` is a scalar. */
export type Shape = readonly number[];

/** What is known of a tensor before anything runs. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A tensor whose values lie in JavaScript memory, row-major. */
export interface HostTensor extends TensorType {
  readonly data: TensorData;
}

/** Storage facts of `dtype`. */
export function dtypeInfo(dtype: DType): DTypeInfo {
  return table[dtype] as DTypeInfo;
}

/** True for float16, float32 and float64: the types through which gradients flow. */
export function isFloat(dtype: DType): boolean {
  return table[dtype].kind === 'float';
}

/** True for signed and unsigned integers (bool is not one). */
export function isInt(dtype: DType): boolean {
  return table[dtype].kind === 'int';
}

/** Number of elements of `shape`; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Bytes that a dense tensor of this type takes. */
export function byteSize(type: TensorType): number {
  return sizeOf(type.shape) * table[type.dtype].bytes;
}

/** True when both shapes have the same axes. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** `float32[2,3]`, the way types are written in every message and print. */
export function formatType(type: TensorType): string {
  return `${type.dtype}[${type.shape.join(',')}]`;
}

/**
 * A host tensor from numbers or a typed array. The dtype's own typed array is kept, not copied (for
 * float16 a Uint16Array of bit patterns); anything else is converted.
 * @param data values in row-major order; length must be the product of `shape`
 * @throws ShapeError when the number of values does not fit the shape
 * @throws DTypeError when an integer type cannot hold a value
 */
export function hostTensor(
  dtype: DType,
  shape: Shape,
  data: TensorData | ArrayLike<number> | ArrayLike<bigint>,
): HostTensor {
  const size = sizeOf(shape);
  if (data.length !== size) {
    throw new ShapeError(
      `hostTensor: ${data.length} values were given for shape [${shape.join(',')}], which holds ${size}.`,
      { shape, length: data.length },
    );
  }
  const { array } = dtypeInfo(dtype);
  if (data instanceof array) return { dtype, shape, data };
  const out = new array(size);
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    for (let i = 0; i < size; i++) {
      const v = data[i]!;
      if (typeof v === 'number' && !Number.isInteger(v)) throw notStorable(dtype, v, i);
      out[i] = BigInt(v);
      if (out[i] !== BigInt(v)) throw notStorable(dtype, v, i);
    }
  } else if (dtype === 'float16') {
    for (let i = 0; i < size; i++) out[i] = toFloat16Bits(Number(data[i]));
  } else if (dtype === 'bool') {
    for (let i = 0; i < size; i++) out[i] = Number(data[i]) === 0 ? 0 : 1;
  } else if (isFloat(dtype)) {
    for (let i = 0; i < size; i++) out[i] = Number(data[i]);
  } else {
    for (let i = 0; i < size; i++) {
      const v = Number(data[i]);
      out[i] = v;
      // A typed array would wrap or truncate without a word.
      if (out[i] !== v) throw notStorable(dtype, data[i]!, i);
    }
  }
  return { dtype, shape, data: out };
}

function notStorable(dtype: DType, value: number | bigint, at: number): DTypeError {
  return new DTypeError(
    `hostTensor: value ${value} at position ${at} cannot be stored as ${dtype}. Round or clip it first, or choose another dtype.`,
    { dtype, value, at },
  );
}

/** The values of a host tensor as JavaScript numbers (float16 decoded, int64 narrowed). */
export function toNumbers(tensor: HostTensor): number[] {
  const out = new Array<number>(tensor.data.length);
  for (let i = 0; i < out.length; i++) {
    const v = tensor.data[i]!;
    out[i] = tensor.dtype === 'float16' ? fromFloat16Bits(Number(v)) : Number(v);
  }
  return out;
}

const scratch = new DataView(new ArrayBuffer(4));

/** Nearest float16 bit pattern of a number, ties to even. */
export function toFloat16Bits(value: number): number {
  const single = Math.fround(value);
  scratch.setFloat32(0, single);
  let bits = scratch.getUint32(0);
  if (single !== value && !Number.isNaN(value)) {
    // Rounding twice could turn a near miss into a tie: round towards zero and mark the rest as odd.
    if (Math.abs(single) > Math.abs(value)) bits -= 1;
    bits |= 1;
  }
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa ? 0x200 : 0);
  const e = exponent - 112;
  if (e >= 31) return sign | 0x7c00;
  // A subnormal half keeps the implicit one, shifted right by how far the exponent lies below.
  const shift = e <= 0 ? 14 - e : 13;
  if (shift > 24) return sign;
  const full = e <= 0 ? mantissa | 0x800000 : mantissa;
  const base = e <= 0 ? 0 : e << 10;
  const half = 1 << (shift - 1);
  const rest = full & ((1 << shift) - 1);
  let out = base + (full >>> shift);
  if (rest > half || (rest === half && out & 1)) out += 1;
  return sign | out;
}

/** The number that a float16 bit pattern stands for. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
