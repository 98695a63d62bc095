/**
 * PyTorch checkpoints before 1.6 (and `_use_new_zipfile_serialization=False`): five pickles, one after
 * the other (magic number, version, machine, objects, keys of storages), then the storages, each
 * behind its number of elements.
 */
import { type ByteFile, fileFault, namingFile } from './byte-file.js';
import { unpickle } from './pickle.js';
import { PickleTruncated } from './pickle-bytes.js';
import type { TensorSource } from './tensor-source.js';
import { namedTensors } from './torch-names.js';
import { plainHost, torchHost } from './torch-objects.js';
import { torchSource } from './torch-source.js';
import type { TorchStorage } from './torch-tensor.js';
import { MAX_PICKLE_BYTES } from './torch-zip.js';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const VERSION = 1001;
/** The first try at the pickles' length, which is known only once they were read. */
const FIRST_WINDOW = 1024 * 1024;

interface Pickles {
  readonly root: unknown;
  readonly keys: readonly string[];
  readonly storages: ReadonlyMap<string, TorchStorage>;
  /** Where the storages begin. */
  readonly end: number;
}

function readPickles(path: string, bytes: Uint8Array): Pickles {
  const magic = unpickle(bytes, plainHost);
  if (magic.value !== MAGIC) {
    throw fileFault(
      path,
      'is a pickle, but not one that torch.save wrote. Only tensors saved by torch.save are read.',
    );
  }
  const version = unpickle(bytes, plainHost, magic.end);
  if (version.value !== VERSION) {
    throw fileFault(path, `is of another version of PyTorch's old format; known is ${VERSION}.`);
  }
  const machine = unpickle(bytes, plainHost, version.end);
  if (!(machine.value instanceof Map) || machine.value.get('little_endian') !== true) {
    throw fileFault(path, 'was written on a big-endian machine, whose byte order is not read.');
  }
  const storages = new Map<string, TorchStorage>();
  const root = unpickle(bytes, torchHost(storages), machine.end);
  const keys = unpickle(bytes, plainHost, root.end);
  if (!Array.isArray(keys.value) || !keys.value.every((k) => typeof k === 'string')) {
    throw fileFault(path, 'does not list its storages. The file is damaged.');
  }
  return { root: root.value, keys: keys.value, storages, end: keys.end };
}

/** The pickles at the start of a file, reading twice as much until it is enough. */
async function picklesOf(file: ByteFile): Promise<Pickles> {
  for (let window = FIRST_WINDOW; ; window *= 2) {
    const bytes = await file.read(0, Math.min(window, file.size));
    try {
      return readPickles(file.path, bytes);
    } catch (error) {
      if (!(error instanceof PickleTruncated) || window >= Math.min(file.size, MAX_PICKLE_BYTES)) {
        throw error;
      }
    }
  }
}

/** Where each storage begins; every length is checked against the pickle and the file. */
async function placesOf(file: ByteFile, pickles: Pickles): Promise<Map<string, number>> {
  const places = new Map<string, number>();
  let at = pickles.end;
  for (const key of pickles.keys) {
    const storage = pickles.storages.get(key);
    if (!storage || places.has(key)) {
      throw fileFault(file.path, `lists the storage '${key}', which is unknown or listed twice.`);
    }
    const head = await file.read(at, 8);
    const elements = new DataView(head.buffer).getBigInt64(0, true);
    const width = storage.elements === 0 ? 1 : storage.bytes / storage.elements;
    if (elements * BigInt(width) !== BigInt(storage.bytes)) {
      throw fileFault(
        file.path,
        `has ${elements} elements in the storage '${key}', but ${storage.elements} were announced. The file is damaged.`,
      );
    }
    places.set(key, at + 8);
    at += 8 + storage.bytes;
  }
  if (at > file.size) {
    throw fileFault(
      file.path,
      `has ${file.size} bytes, but its storages end at ${at}. The file is cut off; fetch it again.`,
      { size: file.size },
    );
  }
  const missing = [...pickles.storages.keys()].filter((key) => !places.has(key));
  if (missing.length > 0) {
    throw fileFault(file.path, `lacks ${missing.length} storages. The file is damaged.`, {
      storages: missing,
    });
  }
  return places;
}

/** A checkpoint as a source; `file` is closed with it, also when it is refused. */
export async function torchLegacySource(file: ByteFile): Promise<TensorSource> {
  try {
    const pickles = await picklesOf(file);
    const { tensors, metadata } = namedTensors(pickles.root);
    const places = await placesOf(file, pickles);
    return torchSource(
      {
        path: file.path,
        read: (key, begin, end) => file.read(places.get(key)! + begin, end - begin),
        close: () => file.close(),
      },
      tensors,
      metadata,
    );
  } catch (error) {
    await file.close();
    throw namingFile(file.path, error);
  }
}
