/**
 * The safetensors format: a JSON header with types and offsets, then raw little-endian tensors.
 * The bytes are treated as untrusted: sizes are capped and every offset is checked.
 * @see https://github.com/huggingface/safetensors for the format
 */
import { WeightsError } from '../errors.js';
import {
  byteSize,
  type DType,
  dtypeInfo,
  formatType,
  type HostTensor,
  hostTensor,
  sizeOf,
} from '../graph/index.js';

/** A header beyond this is refused: a model has thousands of tensors, not millions. */
const MAX_HEADER_BYTES = 25 * 1024 * 1024;
/** Axes beyond this are a damaged file; ONNX Runtime stops at 8 in practice. */
const MAX_RANK = 16;

const names: Record<DType, string> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  int64: 'I64',
  int32: 'I32',
  bool: 'BOOL',
  uint8: 'U8',
  int8: 'I8',
  int16: 'I16',
  uint16: 'U16',
  uint32: 'U32',
  uint64: 'U64',
};
const dtypes = new Map(Object.entries(names).map(([dtype, name]) => [name, dtype as DType]));

/** What a file holds. */
export interface Safetensors {
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

interface Entry {
  readonly name: string;
  readonly format: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

function fail(message: string): never {
  throw new WeightsError(`safetensors: ${message} The file is damaged or not a safetensors file.`);
}

function parseEntry(name: string, value: unknown): Entry {
  const entry = value as { dtype?: unknown; shape?: unknown; data_offsets?: unknown } | null;
  const { dtype, shape, data_offsets: offsets } = entry ?? {};
  const isSize = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
  if (
    typeof dtype !== 'string' ||
    !Array.isArray(shape) ||
    shape.length > MAX_RANK ||
    !shape.every(isSize) ||
    !Array.isArray(offsets) ||
    offsets.length !== 2 ||
    !offsets.every(isSize)
  ) {
    fail(`the entry of tensor '${name}' is malformed.`);
  }
  return { name, format: dtype, shape, begin: offsets[0]!, end: offsets[1]! };
}

function decodeBfloat16(bytes: Uint8Array, shape: readonly number[]): HostTensor {
  const words = new Uint32Array(bytes.length / 2);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < words.length; i++) words[i] = view.getUint16(i * 2, true) << 16;
  return { dtype: 'float32', shape, data: new Float32Array(words.buffer) };
}

/**
 * Reads a file's bytes. Tensors are views of `bytes` where alignment allows; bfloat16 becomes
 * float32.
 * @throws WeightsError when a length, an offset or a type is wrong
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  if (bytes.length < 8) fail(`expected at least 8 bytes, got ${bytes.length}.`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    fail(`the header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are accepted.`);
  }
  const start = 8 + Number(length);
  if (start > bytes.length) fail(`the header claims ${length} of ${bytes.length} bytes.`);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start)));
  } catch (cause) {
    throw new WeightsError('safetensors: the header is not JSON.', {}, { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    fail('the header is not an object.');
  }
  const { __metadata__: meta = {}, ...rest } = header as Record<string, unknown>;
  if (
    typeof meta !== 'object' ||
    meta === null ||
    Object.values(meta).some((v) => typeof v !== 'string')
  ) {
    fail('__metadata__ must map strings to strings.');
  }
  const entries = Object.entries(rest).map(([name, value]) => parseEntry(name, value));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, HostTensor>();
  let at = 0;
  for (const { name, format, shape, begin, end } of entries) {
    if (begin !== at || end < begin || start + end > bytes.length) {
      fail(
        `tensor '${name}' lies at ${begin} to ${end}, expected to begin at ${at} within ${bytes.length - start} bytes.`,
      );
    }
    at = end;
    const dtype = dtypes.get(format);
    if (!dtype && format !== 'BF16') {
      throw new WeightsError(
        `safetensors: tensor '${name}' has type ${format}, which is not supported; known are ${[...dtypes.keys(), 'BF16'].join(', ')}.`,
      );
    }
    const expected = dtype ? byteSize({ dtype, shape }) : 2 * sizeOf(shape);
    if (end - begin !== expected) {
      fail(
        `tensor '${name}' ${format}[${shape.join(',')}] needs ${expected} bytes but has ${end - begin}.`,
      );
    }
    const raw = bytes.subarray(start + begin, start + end);
    if (!dtype) {
      tensors.set(name, decodeBfloat16(raw, shape));
      continue;
    }
    const { array, bytes: width } = dtypeInfo(dtype);
    const aligned = raw.byteOffset % width === 0 ? raw : raw.slice();
    const data = new array(aligned.buffer, aligned.byteOffset, sizeOf(shape));
    tensors.set(name, hostTensor(dtype, shape, data));
  }
  if (start + at !== bytes.length)
    fail(`${bytes.length - start - at} bytes follow the last tensor.`);
  return { tensors, metadata: meta as Record<string, string> };
}

/**
 * A file as a list of parts to be written one after the other: tensors are not copied. They are
 * ordered by name, so equal contents give equal bytes.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = metadata;
  const parts: Uint8Array[] = [];
  let at = 0;
  const sorted = [...tensors].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const [name, value] of sorted) {
    if (name === '__metadata__') {
      throw new WeightsError("safetensors: '__metadata__' cannot be the name of a tensor.");
    }
    const { data } = value;
    if (data.byteLength !== byteSize(value)) {
      throw new WeightsError(
        `safetensors: tensor '${name}' is ${formatType(value)} but holds ${data.byteLength} bytes.`,
      );
    }
    parts.push(new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength));
    header[name] = {
      dtype: names[value.dtype],
      shape: value.shape,
      data_offsets: [at, at + data.byteLength],
    };
    at += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  // The header is padded with spaces so that tensors begin at a multiple of 8.
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  return [padded, ...parts];
}
