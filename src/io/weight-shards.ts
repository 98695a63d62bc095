/** Weights in several files with an index beside them: `model.safetensors.index.json` and its kin. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { WeightsError } from '../errors.js';
import type { TensorType } from '../graph/index.js';
import { fileFault } from './byte-file.js';
import { readJsonObject } from './json-file.js';
import type { TensorSource } from './tensor-source.js';

/** Each shard is a file held open; the largest published models have about 200. */
const MAX_SHARDS = 512;

/** How one shard is opened. */
export type OpenShard = (path: string) => Promise<TensorSource>;

/** A few names of many, for messages. */
export function someOf(names: readonly string[]): string {
  const shown = names.slice(0, 10).map((n) => `'${n}'`);
  return shown.join(', ') + (names.length > 10 ? ` and ${names.length - 10} more` : '');
}

/** A relative path that stays in its folder, on every system. */
function staysInside(name: string): boolean {
  return (
    !['\\', ':', '\0'].some((c) => name.includes(c)) &&
    name.split('/').every((part) => !['', '.', '..'].includes(part))
  );
}

/** Which shard holds which tensor. */
async function readIndex(path: string): Promise<Map<string, string>> {
  const { weight_map: map } = await readJsonObject(path);
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw fileFault(
      path,
      "has no 'weight_map' from tensors to files, so it is not an index of weights.",
    );
  }
  const entries = Object.entries(map);
  for (const [tensor, shard] of entries) {
    if (typeof shard !== 'string' || !staysInside(shard)) {
      throw fileFault(
        path,
        `puts tensor '${tensor}' into ${JSON.stringify(shard)}, which is not a file in its folder. Refusing to read it.`,
        { tensor, shard, code: 'weights-path' },
      );
    }
  }
  return new Map(entries);
}

/** What index and shards disagree about, in words; empty when they agree. */
function disagreements(
  index: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, TensorSource>,
): string[] {
  const holders = new Map<string, string[]>();
  for (const [shard, { types }] of shards) {
    for (const name of types.keys()) holders.set(name, [...(holders.get(name) ?? []), shard]);
  }
  const absent = [...index].filter(([name, shard]) => !shards.get(shard)!.types.has(name));
  const doubled = [...holders].filter(([, of]) => of.length > 1);
  const faults: string[] = [];
  if (absent.length > 0) {
    faults.push(
      `${absent.length} tensors are listed but not in their files: ${someOf(absent.map(([n]) => n))}.`,
    );
  }
  if (doubled.length > 0) {
    faults.push(
      `${doubled.length} tensors are in several files: ${someOf(doubled.map(([n]) => n))}.`,
    );
  }
  return faults;
}

/**
 * Opens all shards of an index as one source. Names in the index are checked, links are followed:
 * the cache of the hub keeps its files behind links.
 * @throws WeightsError listing all missing shards, or all tensors that are absent or doubled
 */
export async function openShards(path: string, openShard: OpenShard): Promise<TensorSource> {
  const index = await readIndex(path);
  const files = [...new Set(index.values())];
  if (files.length > MAX_SHARDS) {
    throw fileFault(path, `names ${files.length} files; at most ${MAX_SHARDS} are read together.`);
  }
  const folder = dirname(path);
  const there = await Promise.all(
    files.map((f) => stat(join(folder, f)).then(Boolean, () => false)),
  );
  const missing = files.filter((_, i) => !there[i]);
  if (missing.length > 0) {
    throw fileFault(
      path,
      `names ${files.length} files, of which ${missing.length} are missing: ${someOf(missing)}. Fetch all files of the model.`,
      { missing, code: 'weights-missing' },
    );
  }
  const shards = new Map<string, TensorSource>();
  const close = async () => {
    await Promise.all([...shards.values()].map((s) => s.close()));
  };
  try {
    for (const file of files) shards.set(file, await openShard(join(folder, file)));
    const faults = disagreements(index, shards);
    if (faults.length > 0) {
      throw fileFault(
        path,
        `does not fit its files. ${faults.join(' ')} Are they of one and the same model?`,
        { code: 'weights-index' },
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  return joined([...shards.values()], close);
}

function joined(shards: readonly TensorSource[], close: () => Promise<void>): TensorSource {
  const types = new Map<string, TensorType>();
  const holder = new Map<string, TensorSource>();
  const metadata: Record<string, string> = {};
  for (const shard of shards) {
    Object.assign(metadata, shard.metadata);
    for (const [name, type] of shard.types) {
      types.set(name, type);
      holder.set(name, shard);
    }
  }
  return {
    types,
    metadata,
    async read(name) {
      const shard = holder.get(name);
      if (!shard) throw new WeightsError(`There is no tensor '${name}'.`, { name });
      return shard.read(name);
    },
    close,
  };
}
