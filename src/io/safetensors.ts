/** The safetensors format in memory: a JSON header with types and offsets, then raw tensors. */
import { WeightsError } from '../errors.js';
import { byteSize, formatType, type HostTensor } from '../graph/index.js';
import { encodeHeader, headerLength, PREFIX_BYTES, parseHeader } from './safetensors-header.js';
import { bytesOf, fromStored } from './stored-tensor.js';

/** What a file holds. */
export interface Safetensors {
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a file's bytes. Tensors are views of `bytes` where alignment allows; bfloat16 becomes
 * float32.
 * @throws WeightsError when a length, an offset or a type is wrong
 */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  const length = headerLength(bytes.subarray(0, PREFIX_BYTES), bytes.length);
  const start = PREFIX_BYTES + length;
  const header = parseHeader(bytes.subarray(PREFIX_BYTES, start), bytes.length - start);
  const tensors = new Map<string, HostTensor>();
  for (const [name, { stored, shape, begin, end }] of header.entries) {
    tensors.set(name, fromStored(stored, shape, bytes.subarray(start + begin, start + end)));
  }
  return { tensors, metadata: header.metadata };
}

/** Entries by name, so that equal contents give equal bytes. */
export function byName<T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** A tensor's bytes, once they are known to be as many as its type says. */
export function checkedBytes(name: string, value: HostTensor): Uint8Array {
  if (value.data.byteLength !== byteSize(value)) {
    throw new WeightsError(
      `safetensors: tensor '${name}' is ${formatType(value)} but holds ${value.data.byteLength} bytes.`,
    );
  }
  return bytesOf(value);
}

/**
 * A file as a list of parts to be written one after the other: tensors are not copied. They are
 * ordered by name, so equal contents give equal bytes.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  const sorted = byName(tensors);
  const parts = sorted.map(([name, value]) => checkedBytes(name, value));
  return [encodeHeader(sorted, metadata), ...parts];
}
