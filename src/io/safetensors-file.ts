/** Safetensors files on disk (Node): whole, at random, and streamed. */
import { readFile } from 'node:fs/promises';
import { WeightsError } from '../errors.js';
import { formatType, type HostTensor, type TensorType } from '../graph/index.js';
import { ByteFile, fileFault, namingFile } from './byte-file.js';
import { byName, checkedBytes, decodeSafetensors, type Safetensors } from './safetensors.js';
import {
  encodeHeader,
  entryType,
  headerLength,
  PREFIX_BYTES,
  parseHeader,
} from './safetensors-header.js';
import { fromStored } from './stored-tensor.js';
import { memorySource, type TensorSource } from './tensor-source.js';
import { openShards } from './weight-shards.js';
import { writeWhole } from './write-whole.js';

/**
 * Reads a whole file.
 * @throws WeightsError when it is damaged
 */
export async function readSafetensors(path: string): Promise<Safetensors> {
  return decodeSafetensors(await readFile(path));
}

/** A single file as a source; `file` is closed with it, also when it is refused. */
export async function safetensorsSource(file: ByteFile): Promise<TensorSource> {
  try {
    const prefix = await file.read(0, Math.min(PREFIX_BYTES, file.size));
    const length = headerLength(prefix, file.size);
    const start = PREFIX_BYTES + length;
    const { entries, metadata } = parseHeader(
      await file.read(PREFIX_BYTES, length),
      file.size - start,
    );
    return {
      types: new Map([...entries].map(([name, entry]) => [name, entryType(entry)])),
      metadata,
      async read(name) {
        const entry = entries.get(name);
        if (!entry) throw fileFault(file.path, `has no tensor '${name}'.`, { name });
        const { stored, shape, begin, end } = entry;
        return fromStored(stored, shape, await file.read(start + begin, end - begin));
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw namingFile(file.path, error);
  }
}

/**
 * Opens a file, or a set of shards by its `.index.json`: headers are read now, tensors when asked
 * for.
 * @throws WeightsError when a header is damaged, a shard is missing, or index and shards disagree
 * @example
 * const weights = await openSafetensors('model.safetensors');
 * for (const [name, type] of weights.types) console.log(name, formatType(type));
 * await weights.close();
 */
export async function openSafetensors(path: string): Promise<TensorSource> {
  const open = async (at: string) => safetensorsSource(await ByteFile.open(at));
  return path.endsWith('.json') ? openShards(path, open) : open(path);
}

/** Tensors to be written: in memory, or read one by one from another file while writing. */
export type TensorsToWrite = ReadonlyMap<string, HostTensor> | TensorSource;

/** One face for both kinds of {@link TensorsToWrite}. */
export function asSource(tensors: TensorsToWrite): TensorSource {
  return tensors instanceof Map ? memorySource(tensors) : (tensors as TensorSource);
}

async function* partsOf(
  source: TensorSource,
  types: readonly (readonly [string, TensorType])[],
  metadata: Readonly<Record<string, string>>,
): AsyncGenerator<Uint8Array> {
  yield encodeHeader(types, metadata);
  for (const [name, type] of types) {
    const tensor = await source.read(name);
    if (formatType(tensor) !== formatType(type)) {
      throw new WeightsError(
        `safetensors: tensor '${name}' was announced as ${formatType(type)} but is ${formatType(tensor)}.`,
        { name },
      );
    }
    yield checkedBytes(name, tensor);
  }
}

/**
 * Writes a file: beside its place first, then renamed, so that `path` never holds half of one. A
 * source is read tensor by tensor, so the memory needed is that of the largest.
 * @param only names to write; all of them by default
 */
export async function writeSafetensors(
  path: string,
  tensors: TensorsToWrite,
  metadata: Readonly<Record<string, string>> = {},
  only?: ReadonlySet<string>,
): Promise<void> {
  const source = asSource(tensors);
  const types = byName([...source.types].filter(([name]) => only?.has(name) ?? true));
  await writeWhole(path, partsOf(source, types, metadata));
}
