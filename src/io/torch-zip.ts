/** PyTorch checkpoints since 1.6: a zip with `data.pkl` and one entry per storage. */
import { fileFault, namingFile } from './byte-file.js';
import { unpickle } from './pickle.js';
import type { TensorSource } from './tensor-source.js';
import { namedTensors } from './torch-names.js';
import { torchHost } from './torch-objects.js';
import { type StorageFile, torchSource } from './torch-source.js';
import type { TorchStorage } from './torch-tensor.js';
import { someOf } from './weight-shards.js';
import type { ZipArchive } from './zip-file.js';

/** The pickle holds names and shapes only; a model of 200 000 tensors has about 50 MB. */
export const MAX_PICKLE_BYTES = 64 * 1024 * 1024;

/** The folder in the archive in which `data.pkl` lies; undefined when this is no such archive. */
export function torchRoot(names: readonly string[]): string | undefined {
  const found = names.filter((n) => /^(?:[^/]+\/)?data\.pkl$/.test(n));
  return found.length === 1 ? found[0]!.slice(0, -'data.pkl'.length) : undefined;
}

/** Refuses what looks like a checkpoint but is a program, and other byte orders. */
async function requireCheckpoint(zip: ZipArchive, root: string): Promise<void> {
  const isProgram = (name: string) =>
    name === `${root}constants.pkl` || name.startsWith(`${root}code/`);
  if (zip.names.some(isProgram)) {
    throw fileFault(
      zip.path,
      'is a TorchScript program, whose weights come with code. Save its tensors alone in Python: torch.save(torch.jit.load(path).state_dict(), other).',
      { code: 'weights-torchscript' },
    );
  }
  if (zip.sizeOf(`${root}byteorder`) === undefined) return;
  const order = new TextDecoder().decode(await zip.readAll(`${root}byteorder`, 16)).trim();
  if (order !== 'little') {
    throw fileFault(
      zip.path,
      `was written in byte order '${order}'; only 'little' is read. Save it again on a machine with an x86 or ARM processor.`,
      { order },
    );
  }
}

/** The entries of the storages are there and long enough. */
function requireStorages(
  zip: ZipArchive,
  root: string,
  storages: ReadonlyMap<string, TorchStorage>,
): void {
  const short = [...storages.values()].filter(
    ({ key, bytes }) => (zip.sizeOf(`${root}data/${key}`) ?? -1) < bytes,
  );
  if (short.length > 0) {
    throw fileFault(
      zip.path,
      `lacks ${short.length} of ${storages.size} storages or parts of them: ${someOf(short.map((s) => s.key))}. The file is cut off or damaged.`,
      { storages: short.map((s) => s.key) },
    );
  }
}

/** A checkpoint as a source; the archive is closed with it, also when it is refused. */
export async function torchZipSource(zip: ZipArchive): Promise<TensorSource> {
  try {
    const root = torchRoot(zip.names);
    if (root === undefined) {
      throw fileFault(
        zip.path,
        `is a zip archive, but holds no PyTorch checkpoint (no single 'data.pkl'); found ${someOf(zip.names)}.`,
      );
    }
    await requireCheckpoint(zip, root);
    const pickle = await zip.readAll(`${root}data.pkl`, MAX_PICKLE_BYTES);
    const storages = new Map<string, TorchStorage>();
    const { value } = unpickle(pickle, torchHost(storages));
    const { tensors, metadata } = namedTensors(value);
    requireStorages(zip, root, storages);
    const file: StorageFile = {
      path: zip.path,
      read: (key, begin, end) => zip.read(`${root}data/${key}`, begin, end),
      close: () => zip.close(),
    };
    return torchSource(file, tensors, metadata);
  } catch (error) {
    await zip.close();
    throw namingFile(zip.path, error);
  }
}
