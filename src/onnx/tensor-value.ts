/** Values of TensorProto messages, checked before anything is allocated for them. */
import { WeightsError } from '../errors.js';
import {
  type DType,
  dtypeInfo,
  type HostTensor,
  type Shape,
  type TensorData,
  type TensorType,
} from '../graph/index.js';
import { dtypeOfOnnx } from '../ops/index.js';
import type { Tensor as TensorProto } from './proto/onnx_pb.js';

/**
 * Reads a range of a file that lies beside the model. `path` has been checked to be relative and
 * to stay inside the model's folder as far as its text tells; a reader of real files must also
 * refuse links that lead out of it.
 */
export type ExternalReader = (
  path: string,
  offset: number,
  length: number,
) => Uint8Array | Promise<Uint8Array>;

/**
 * Largest number of elements that a shape may speak of. No buffer is ever made from a shape alone;
 * the cap keeps products of axes exact and turns nonsense away early.
 */
export const MAX_ELEMENTS = 2 ** 40;

/** Names of the ONNX element types that Graft does not have, for messages. */
const foreign: Readonly<Record<number, string>> = {
  0: 'undefined',
  8: 'string',
  14: 'complex64',
  15: 'complex128',
  16: 'bfloat16',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
  25: 'uint2',
  26: 'int2',
};

/** An ONNX element type that Graft can hold. */
export function requireDTypeNumber(number: number, what: string): DType {
  const dtype = dtypeOfOnnx(number);
  if (dtype === undefined) {
    throw new WeightsError(
      `${what} has element type ${foreign[number] ?? `number ${number}`}, which Graft does not have. Convert the model to float32, float16, float64, an integer type or bool.`,
      { dtype: foreign[number] ?? number },
      { code: 'onnx-dtype' },
    );
  }
  return dtype;
}

/** Axes as numbers; negative, oversized and overflowing ones are refused. */
export function checkedShape(dims: readonly bigint[], what: string): Shape {
  let total = 1;
  const shape = dims.map((d) => {
    const n = Number(d);
    if (n < 0 || n > MAX_ELEMENTS) {
      throw new WeightsError(
        `${what} has an axis of length ${d}; it must lie between 0 and 2^40.`,
        { dims: dims.map(String) },
        { code: 'onnx-shape' },
      );
    }
    total *= Math.max(1, n);
    return n;
  });
  if (dims.length > 64 || total > MAX_ELEMENTS) {
    throw new WeightsError(
      `${what} has shape [${shape.slice(0, 64).join(',')}], which holds more than 2^40 elements or has more than 64 axes.`,
      { dims: dims.map(String) },
      { code: 'onnx-shape' },
    );
  }
  return shape;
}

/** Type of a tensor message. */
export function tensorProtoType(proto: TensorProto, what = describe(proto)): TensorType {
  const dtype = requireDTypeNumber(proto.dataType, what);
  return { dtype, shape: checkedShape(proto.dims, what) };
}

function describe(proto: TensorProto): string {
  return proto.name ? `Tensor '${proto.name}'` : 'A tensor';
}

/** True when the values lie in a file beside the model. */
export function isExternal(proto: TensorProto): boolean {
  return proto.dataLocation === 1;
}

function mismatch(what: string, type: TensorType, got: string): WeightsError {
  return new WeightsError(
    `${what} is declared as ${type.dtype}[${type.shape.join(',')}] but carries ${got}. The file is damaged, or was cut off; fetch or export it again.`,
    { dtype: type.dtype, shape: type.shape },
    { code: 'onnx-data' },
  );
}

function elementCount(type: TensorType): number {
  return type.shape.reduce((n, d) => n * d, 1);
}

/** Typed array over little-endian bytes; the bytes are copied only when they are not aligned. */
function viewOf(dtype: DType, bytes: Uint8Array): TensorData {
  const { array, bytes: width } = dtypeInfo(dtype);
  // Not slice: a Buffer of Node's would give a view again.
  const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
  return new array(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
}

/** The values of a typed repeated field (float_data and its kin). */
function fromFields(proto: TensorProto, type: TensorType, what: string): TensorData {
  const { dtype } = type;
  const size = elementCount(type);
  const list: ArrayLike<number> | ArrayLike<bigint> =
    dtype === 'float32'
      ? proto.floatData
      : dtype === 'float64'
        ? proto.doubleData
        : dtype === 'int64'
          ? proto.int64Data
          : dtype === 'uint32' || dtype === 'uint64'
            ? proto.uint64Data
            : proto.int32Data;
  if (list.length !== size) throw mismatch(what, type, `${list.length} values`);
  const out = new (dtypeInfo(dtype).array)(size);
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    for (let i = 0; i < size; i++) out[i] = list[i] as bigint;
  } else if (dtype === 'uint32') {
    for (let i = 0; i < size; i++) out[i] = Number(BigInt.asUintN(32, list[i] as bigint));
  } else {
    // float16 is stored as its bit pattern in int32_data, which is how Graft holds it too.
    for (let i = 0; i < size; i++) out[i] = list[i] as number;
  }
  if (dtype === 'bool') normalizeBool(out as Uint8Array);
  return out;
}

/** A byte that is neither 0 nor 1 is no bool; kernels that trust it would misbehave. */
function normalizeBool(data: Uint8Array): Uint8Array {
  for (let i = 0; i < data.length; i++) if (data[i]! > 1) data[i] = 1;
  return data;
}

/**
 * The values of a tensor that lie inside the model.
 * @throws WeightsError when the dtype is unknown, or the data does not fit the declared shape
 */
export function tensorProtoValue(proto: TensorProto, what = describe(proto)): HostTensor {
  const type = tensorProtoType(proto, what);
  if (proto.segment) {
    throw new WeightsError(`${what} is stored in segments, which no ONNX tool writes any more.`);
  }
  const size = elementCount(type);
  if (proto.rawData.length === 0) return { ...type, data: fromFields(proto, type, what) };
  return { ...type, data: fromRaw(type, proto.rawData, size, what) };
}

function fromRaw(type: TensorType, raw: Uint8Array, size: number, what: string): TensorData {
  if (raw.length !== size * dtypeInfo(type.dtype).bytes) {
    throw mismatch(what, type, `${raw.length} bytes of data`);
  }
  if (type.dtype === 'bool') {
    return raw.some((b) => b > 1) ? normalizeBool(new Uint8Array(raw)) : raw;
  }
  return viewOf(type.dtype, raw);
}

/** Where the data of an external tensor lies. */
export interface ExternalLocation {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Checks the text of an external path.
 * @returns the path with `/` between its parts
 * @throws WeightsError with code `onnx-path` when it is absolute or leads out of the folder
 */
export function checkedPath(path: string, what: string): string {
  const parts = path.split('/').filter((p) => p !== '' && p !== '.');
  const wrong =
    path === '' ||
    path.length > 4096 ||
    parts.length === 0 ||
    path.startsWith('/') ||
    // Backslashes and colons are separators and drive letters on Windows; NUL ends a C string.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
    /[\\:\u0000]/.test(path) ||
    parts.includes('..');
  if (wrong) {
    throw new WeightsError(
      `${what} keeps its data in '${path.slice(0, 200)}', which is not a plain path inside the model's folder. Refusing to read it; save the model again with its data file beside it.`,
      { path: path.slice(0, 200) },
      { code: 'onnx-path' },
    );
  }
  return parts.join('/');
}

/** Location of an external tensor, with offset and length checked against its declared type. */
export function externalLocation(
  proto: TensorProto,
  type: TensorType,
  what: string,
): ExternalLocation {
  const entries = new Map(proto.externalData.map((e) => [e.key, e.value]));
  const path = checkedPath(entries.get('location') ?? '', what);
  const size = elementCount(type) * dtypeInfo(type.dtype).bytes;
  const number = (key: string, fallback: number) => {
    const text = entries.get(key);
    if (text === undefined) return fallback;
    const n = Number(text);
    if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(n)) {
      throw new WeightsError(
        `${what} has external data with ${key} '${text.slice(0, 40)}'; expected a number of bytes.`,
        { key },
        { code: 'onnx-data' },
      );
    }
    return n;
  };
  const offset = number('offset', 0);
  const length = number('length', size);
  if (length !== size) throw mismatch(what, type, `${length} bytes of external data`);
  return { path, offset, length };
}

/**
 * The values of a tensor, inside the model or beside it.
 * @throws WeightsError when the data is missing or does not fit the declared type
 */
export async function loadTensorProto(
  proto: TensorProto,
  external: ExternalReader | undefined,
): Promise<HostTensor> {
  if (!isExternal(proto)) return tensorProtoValue(proto);
  const what = describe(proto);
  const type = tensorProtoType(proto, what);
  const { path, offset, length } = externalLocation(proto, type, what);
  if (length === 0) return { ...type, data: new (dtypeInfo(type.dtype).array)(0) };
  if (!external) {
    throw new WeightsError(
      `${what} keeps its data in the file '${path}' beside the model, but no reader for it was given. Open the model from disk, or pass the option external.`,
      { path },
      { code: 'onnx-external' },
    );
  }
  const bytes = await external(path, offset, length);
  if (bytes.length !== length) throw mismatch(what, type, `${bytes.length} bytes in '${path}'`);
  return { ...type, data: fromRaw(type, bytes, elementCount(type), what) };
}
