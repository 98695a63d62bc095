/** Safetensors in files of limited size with an index, as Hugging Face's libraries lay them out. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../errors.js';
import { byteSize, type TensorType } from '../graph/index.js';
import { asSource, type TensorsToWrite, writeSafetensors } from './safetensors-file.js';
import { writeWhole } from './write-whole.js';

/** How {@link writeSafetensorsFolder} lays weights out. */
export interface ShardOptions {
  /**
   * Bytes of tensors that one file holds; a larger tensor gets a file of its own. Defaults to 5e9,
   * as in transformers, so that file systems and proxies with limits take it.
   */
  readonly maxShardBytes?: number;
  /** Written to every file; `{ format: 'pt' }` is what Python's transformers asks for. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Names per shard, in the order of the source, so that neighbouring layers lie together. */
function plan(types: ReadonlyMap<string, TensorType>, maxShardBytes: number): Set<string>[] {
  const shards: Set<string>[] = [];
  let bytes = 0;
  for (const [name, type] of types) {
    const size = byteSize(type);
    if (shards.length === 0 || bytes + size > maxShardBytes) {
      shards.push(new Set());
      bytes = 0;
    }
    shards.at(-1)!.add(name);
    bytes += size;
  }
  return shards.length > 0 ? shards : [new Set()];
}

const number = (n: number) => String(n).padStart(5, '0');

/**
 * Writes `model.safetensors` into a folder, or `model-00001-of-00003.safetensors` ... with
 * `model.safetensors.index.json` when there is more than one file's worth. Weights that an earlier
 * call left there are replaced; for all or nothing write into a new folder.
 * @returns names of the files written, the index last
 * @throws ConfigError when `maxShardBytes` is not a positive number
 */
export async function writeSafetensorsFolder(
  folder: string,
  tensors: TensorsToWrite,
  { maxShardBytes = 5e9, metadata = {} }: ShardOptions = {},
): Promise<string[]> {
  if (!(maxShardBytes > 0)) {
    throw new ConfigError(`maxShardBytes must be a positive number, got ${maxShardBytes}.`);
  }
  const source = asSource(tensors);
  const shards = plan(source.types, maxShardBytes);
  const total = number(shards.length);
  const single = shards.length === 1;
  const names = shards.map((_, i) =>
    single ? 'model.safetensors' : `model-${number(i + 1)}-of-${total}.safetensors`,
  );
  await mkdir(folder, { recursive: true });
  for (const [i, only] of shards.entries()) {
    await writeSafetensors(join(folder, names[i]!), source, metadata, only);
  }
  if (!single) {
    const index = {
      metadata: { total_size: [...source.types.values()].reduce((n, t) => n + byteSize(t), 0) },
      weight_map: Object.fromEntries(
        shards.flatMap((shard, i) => [...shard].map((name) => [name, names[i]!])),
      ),
    };
    names.push('model.safetensors.index.json');
    await writeWhole(join(folder, names.at(-1)!), [
      new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`),
    ]);
  }
  // Last, so that there is a complete set at any moment; readers would prefer a stale single file.
  const stale = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/;
  for (const name of await readdir(folder)) {
    if (stale.test(name) && !names.includes(name)) await rm(join(folder, name));
  }
  return names;
}
