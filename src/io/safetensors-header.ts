/**
 * The header of a safetensors file: which tensor lies where. It is untrusted: sizes are capped, every
 * offset is checked, and the tensors must cover the data without gap or overlap.
 * @see https://github.com/huggingface/safetensors for the format
 */
import { WeightsError } from '../errors.js';
import { type DType, sizeOf, type TensorType } from '../graph/index.js';
import { loadedType, MAX_RANK, type StoredType, storedBytes } from './stored-tensor.js';

/** A header beyond this is refused: a model has thousands of tensors, not millions. */
const MAX_HEADER_BYTES = 25 * 1024 * 1024;
/** The length of the header stands before it, as 64 bits. */
export const PREFIX_BYTES = 8;

const names: Record<StoredType, string> = {
  float32: 'F32',
  float64: 'F64',
  float16: 'F16',
  bfloat16: 'BF16',
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
const stored = new Map(Object.entries(names).map(([type, name]) => [name, type as StoredType]));

/** Where one tensor lies. */
export interface SafetensorsEntry {
  readonly stored: StoredType;
  readonly shape: readonly number[];
  /** Bytes from the start of the data section. */
  readonly begin: number;
  readonly end: number;
}

/** A checked header; entries are in the order of the file. */
export interface SafetensorsHeader {
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

function fail(message: string): never {
  throw new WeightsError(`safetensors: ${message} The file is damaged or not a safetensors file.`);
}

/**
 * Bytes of the JSON after the prefix.
 * @param prefix the file's first {@link PREFIX_BYTES} bytes, or all it has
 */
export function headerLength(prefix: Uint8Array, fileSize: number): number {
  if (prefix.length < PREFIX_BYTES) fail(`expected at least 8 bytes, got ${fileSize}.`);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    fail(`the header claims ${length} bytes; at most ${MAX_HEADER_BYTES} are accepted.`);
  }
  if (PREFIX_BYTES + Number(length) > fileSize) {
    fail(`the header claims ${length} of ${fileSize} bytes.`);
  }
  return Number(length);
}

function parseEntry(name: string, value: unknown): SafetensorsEntry {
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
  const type = stored.get(dtype);
  if (!type) {
    const narrow = /^F[468]_/.test(dtype);
    throw new WeightsError(
      `safetensors: tensor '${name}' has type ${dtype}, which is not supported; known are ${[...stored.keys()].join(', ')}. ` +
        (narrow
          ? 'Convert floats of 8 bits and less to BF16 or F16 in the tool that wrote them, with their scales applied.'
          : 'Store it as one of these.'),
      { name, dtype },
      { code: 'weights-dtype' },
    );
  }
  const [begin, end] = offsets as [number, number];
  const expected = storedBytes(type) * sizeOf(shape);
  if (end - begin !== expected) {
    fail(
      `tensor '${name}' ${dtype}[${shape.join(',')}] needs ${expected} bytes but has ${end - begin}.`,
    );
  }
  return { stored: type, shape, begin, end };
}

/**
 * Reads and checks a header.
 * @param json its bytes, without the prefix
 * @param dataBytes bytes that follow it in the file
 * @throws WeightsError naming the tensor that is at fault
 */
export function parseHeader(json: Uint8Array, dataBytes: number): SafetensorsHeader {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json));
  } catch (cause) {
    throw new WeightsError('safetensors: the header is not JSON.', {}, { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    fail('the header is not an object.');
  }
  const { __metadata__: metadata = {}, ...rest } = header as Record<string, unknown>;
  if (
    typeof metadata !== 'object' ||
    metadata === null ||
    Object.values(metadata).some((v) => typeof v !== 'string')
  ) {
    fail('__metadata__ must map strings to strings.');
  }
  const entries = Object.entries(rest).map(
    ([name, value]) => [name, parseEntry(name, value)] as const,
  );
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const [name, { begin, end }] of entries) {
    if (begin !== at || end > dataBytes) {
      fail(
        `tensor '${name}' lies at ${begin} to ${end}, expected to begin at ${at} within ${dataBytes} bytes.`,
      );
    }
    at = end;
  }
  if (at !== dataBytes) fail(`${dataBytes - at} bytes follow the last tensor.`);
  return { entries: new Map(entries), metadata: metadata as Record<string, string> };
}

/** The type that an entry is read as. */
export function entryType({ stored: type, shape }: SafetensorsEntry): TensorType {
  return { dtype: loadedType(type), shape };
}

/**
 * Prefix and header for tensors that follow one another in the order of `types`.
 * @throws WeightsError when a tensor is called `__metadata__`, which the format keeps for itself
 */
export function encodeHeader(
  types: readonly (readonly [name: string, type: TensorType])[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', metadata]);
  let at = 0;
  for (const [name, { dtype, shape }] of types) {
    if (name === '__metadata__') {
      throw new WeightsError("safetensors: '__metadata__' cannot be the name of a tensor.");
    }
    const end = at + storedBytes(dtype as DType) * sizeOf(shape);
    header.push([name, { dtype: names[dtype], shape, data_offsets: [at, end] }]);
    at = end;
  }
  // fromEntries, unlike an assignment, keeps a tensor called __proto__.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  // The header is padded with spaces so that tensors begin at a multiple of 8.
  const out = new Uint8Array(PREFIX_BYTES + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(out.buffer).setBigUint64(0, BigInt(out.length - PREFIX_BYTES), true);
  out.set(json, PREFIX_BYTES);
  return out;
}
