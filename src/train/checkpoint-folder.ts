/** Checkpoints and kept features as files (Node). */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from '../errors.js';
import type { HostTensor } from '../graph/index.js';
import { readSafetensors, writeSafetensors } from '../io/index.node.js';
import type { Weights } from '../nn/index.js';
import type { FeatureStore } from './features.js';
import { explainFullDisk } from './full-disk.js';
import type { Checkpoint, CheckpointStore, Position } from './state.js';

const NUMBERED = /^(\d{6})\.safetensors$/;
const BEST = 'best.safetensors';

/** Adds a prefix to every name, so that several maps fit into one file. */
function prefixed(prefix: string, tensors: ReadonlyMap<string, HostTensor>) {
  return [...tensors].map(([name, value]) => [`${prefix}/${name}`, value] as const);
}

function unprefixed(prefix: string, tensors: ReadonlyMap<string, HostTensor>) {
  const start = `${prefix}/`;
  return new Map(
    [...tensors]
      .filter(([name]) => name.startsWith(start))
      .map(([name, value]) => [name.slice(start.length), value] as const),
  );
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Where a checkpoint stands, by its metadata.
 * @throws WeightsError when they are not those of a checkpoint
 */
function standOf(
  path: string,
  { position: text, step, batches }: Readonly<Record<string, string>>,
): Pick<Checkpoint, 'position' | 'step' | 'batches'> {
  let position: Partial<Position> | null = null;
  try {
    position = JSON.parse(text ?? '') as Partial<Position> | null;
  } catch {
    // It is no checkpoint then, and said so below.
  }
  const { phase, epoch, batch, stepsBefore, epochsBefore, stale, lossSum, weightSum, best } =
    position ?? {};
  const counts = [phase, epoch, batch, stepsBefore, epochsBefore, stale];
  const sums = [lossSum, weightSum];
  const whole =
    [...counts, Number(step), Number(batches)].every(isCount) &&
    sums.every(Number.isFinite) &&
    (best === null || (isCount(best?.step) && typeof best?.metrics === 'object'));
  if (!whole) {
    throw new WeightsError(`${path} holds tensors, but does not say where a run stood.`, { path });
  }
  return { position: position as Position, step: Number(step), batches: Number(batches) };
}

/**
 * A folder of checkpoints: `000001.safetensors`, `000002.safetensors`, ... of which the last few
 * are kept, and `best.safetensors`. Each is one file that appears whole or not at all.
 */
export class FolderCheckpoints implements CheckpointStore {
  private readonly folder: string;
  private readonly keep: number;

  /** @param keep how many to keep; the older ones are removed after the new one is in its place */
  constructor(folder: string, keep = 2) {
    this.folder = folder;
    this.keep = keep;
  }

  async save({ position, step, batches, weights, optimizer, average }: Checkpoint): Promise<void> {
    const tensors = new Map([
      ...prefixed('weights', weights),
      ...prefixed('optimizer', optimizer),
      ...prefixed('average', average),
    ]);
    const metadata = { position: JSON.stringify(position), step: `${step}`, batches: `${batches}` };
    await explainFullDisk(this.folder, async () => {
      await mkdir(this.folder, { recursive: true });
      const numbers = await this.numbers();
      const next = (numbers.at(-1) ?? 0) + 1;
      await writeSafetensors(this.file(next), tensors, metadata);
      const old = numbers.slice(0, Math.max(0, numbers.length + 1 - this.keep));
      for (const number of old) await rm(this.file(number), { force: true });
    });
  }

  async latest(): Promise<Checkpoint | null> {
    for (const number of (await this.numbers()).reverse()) {
      try {
        const { tensors, metadata } = await readSafetensors(this.file(number));
        return {
          ...standOf(this.file(number), metadata),
          weights: unprefixed('weights', tensors),
          optimizer: unprefixed('optimizer', tensors),
          average: unprefixed('average', tensors),
        };
      } catch (error) {
        // A file damaged later by the disk, or none of ours; the one before it will do.
        if (!(error instanceof WeightsError)) throw error;
      }
    }
    return null;
  }

  async saveBest(weights: Weights): Promise<void> {
    await explainFullDisk(this.folder, async () => {
      await mkdir(this.folder, { recursive: true });
      await writeSafetensors(join(this.folder, BEST), weights);
    });
  }

  async best(): Promise<Weights | null> {
    try {
      return (await readSafetensors(join(this.folder, BEST))).tensors;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  }

  private file(number: number): string {
    return join(this.folder, `${String(number).padStart(6, '0')}.safetensors`);
  }

  private async numbers(): Promise<number[]> {
    let names: string[];
    try {
      names = await readdir(this.folder);
    } catch {
      return [];
    }
    return names
      .flatMap((name) => NUMBERED.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b);
  }
}

/** Features kept in a folder, one file a key. */
export class FolderFeatures implements FeatureStore {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  async get(key: string): Promise<HostTensor | null> {
    try {
      const { tensors } = await readSafetensors(join(this.folder, `${key}.safetensors`));
      return tensors.get('features') ?? null;
    } catch {
      // Absent or damaged: they are computed again.
      return null;
    }
  }

  async put(key: string, features: HostTensor): Promise<void> {
    await explainFullDisk(this.folder, async () => {
      await mkdir(this.folder, { recursive: true });
      await writeSafetensors(
        join(this.folder, `${key}.safetensors`),
        new Map([['features', features]]),
      );
    });
  }
}
