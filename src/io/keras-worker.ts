/**
 * HDF5 in a thread of its own (Node). The C library behind h5wasm trusts its input: damaged files send
 * it into endless loops or ask it for all memory. Here it sees one file through a file system that
 * holds nothing else, its memory is capped, and the thread can be ended from outside.
 *
 * Messages in are {@link Hdf5Request}s, answers {@link Hdf5Reply}s; keras-hdf5.ts is the other end.
 */
import { fstatSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** Where the HDF5 data lie: a range of a file, or memory. */
export type Hdf5Data = { path: string; start: number; size: number } | { bytes: Uint8Array };

/** What the thread is started with. */
export interface Hdf5WorkerData {
  readonly data: Hdf5Data;
  /** Bytes to which the memory of the C library may grow. */
  readonly maxMemory: number;
}

/** List all objects, or read the values of one. */
export interface Hdf5Request {
  readonly id: number;
  readonly read?: string;
}

/** A group or a dataset. */
export interface Hdf5Object {
  /** From the root, without a leading slash; '' for the root. */
  readonly path: string;
  /** Attributes that hold text and that Keras's layouts use. */
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  readonly dataset?: Hdf5Dataset;
}

/** Type and shape of a dataset. */
export interface Hdf5Dataset {
  /** HDF5's type class. */
  readonly kind: 'int' | 'float' | 'bool' | 'opaque' | 'other';
  /** Bytes of one element. */
  readonly width: number;
  readonly signed: boolean;
  readonly shape: readonly number[] | null;
  /** Passed through filters such as gzip, so the file may hold fewer bytes than the tensor. */
  readonly filtered: boolean;
  /** Made of pieces of other files. */
  readonly virtual: boolean;
}

/** `ready` once; then per request any number of signs of life and one value or error. */
export type Hdf5Reply =
  | { readonly ready: true }
  | { readonly id: number; readonly alive: true }
  | { readonly id: number; readonly value: Hdf5Object[] | Uint8Array }
  | { readonly id: number; readonly error: string };

const MAX_OBJECTS = 100_000;
const MAX_DEPTH = 32;
/** Bytes of all attributes of one file. HDF5 allows 64 KiB each. */
const MAX_ATTRIBUTE_BYTES = 16 * 1024 * 1024;
/** A tensor is read in pieces of about this many bytes. */
const PIECE_BYTES = 64 * 1024 * 1024;
const ATTRIBUTES = /^(?:(?:layer|weight)_names\d*|keras_version|backend|dtype|name)$/;
const FILE = '/weights.h5';
const [INT, FLOAT, STRING, OPAQUE, ENUM] = [0, 1, 3, 5, 8];

/** The part of Emscripten's file system that is put into the place of a file in memory. */
interface FileNode {
  id: number;
  mode: number;
  stream_ops: {
    llseek(stream: { position: number }, offset: number, whence: number): number;
    read(stream: unknown, to: Uint8Array, at: number, length: number, from: number): number;
  };
  node_ops: { getattr(node: FileNode): object };
}
interface FileSystem {
  createDataFile(...args: unknown[]): void;
  lookupPath(path: string): { node: FileNode };
  streams: { stream_ops: object }[];
}

const { data, maxMemory } = workerData as Hdf5WorkerData;

// This thread's own WebAssembly: nothing else runs here.
const grow = WebAssembly.Memory.prototype.grow;
WebAssembly.Memory.prototype.grow = function (pages) {
  if (this.buffer.byteLength + pages * 65536 > maxMemory) throw new RangeError('too much memory');
  return grow.call(this, pages);
};

const library = await (await import('h5wasm')).ready;
const fs = library.FS as unknown as FileSystem;
let lastFault = '';

/** The last cause in a trace that the library prints, as words. */
function takeFault(): string {
  const causes = [...lastFault.matchAll(/\(\): (.+)$/gm)];
  lastFault = '';
  return causes.at(-1)?.[1] ?? 'no reason given';
}

function mount(): void {
  const size = 'bytes' in data ? data.bytes.length : data.size;
  const fd = 'bytes' in data ? -1 : openSync(data.path, 'r');
  if ('path' in data && fstatSync(fd).size < data.start + size) throw new Error('the file shrank');
  fs.createDataFile('/', FILE.slice(1), new Uint8Array(0), true, false, false);
  const { node } = fs.lookupPath(FILE);
  node.stream_ops = {
    llseek: ({ position }, offset, whence) => offset + [0, position, size][whence]!,
    read(_, to, at, length, from) {
      const count = Math.max(0, Math.min(length, size - from));
      if ('path' in data) return readSync(fd, to, at, count, data.start + from);
      to.set(data.bytes.subarray(from, from + count), at);
      return count;
    },
  };
  const time = new Date(0);
  node.node_ops = {
    getattr: ({ id, mode }) => ({
      ...{ dev: 1, ino: id, mode, nlink: 1, uid: 0, gid: 0, rdev: 0, size },
      ...{ atime: time, mtime: time, ctime: time, blksize: 4096, blocks: Math.ceil(size / 4096) },
    }),
  };
  // The library prints a trace of every fault to its standard error.
  fs.streams[2]!.stream_ops = {
    write(_: unknown, from: Uint8Array, at: number, length: number) {
      const text = new TextDecoder().decode(from.slice(at, at + length));
      lastFault = (lastFault + text).slice(-16_384);
      return length;
    },
  };
}

let attributeBytes = 0;

/** Memory of the library for the time of one call. */
function withMemory<T>(bytes: number, use: (at: number) => T): T {
  if (!(bytes <= maxMemory)) throw new Error(`${bytes} bytes are wanted at once`);
  const at = library._malloc(Math.max(bytes, 1));
  if (at === 0) throw new Error(`there is no memory for ${bytes} bytes`);
  try {
    return use(at);
  } finally {
    library._free(at);
  }
}

function require(status: number): void {
  if (status < 0) throw new Error(takeFault());
}

/** Text that ends at a zero byte or after `length` bytes. */
function textAt(at: number, length: number): string {
  const bytes = library.HEAPU8.slice(at, at + length);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function attribute(file: bigint, path: string, name: string): string[] {
  const { type, shape, size, total_size, vlen } = library.get_attribute_metadata(file, path, name);
  if (type !== STRING || !shape) return [];
  const bytes = size * total_size;
  attributeBytes += bytes;
  if (!(attributeBytes <= MAX_ATTRIBUTE_BYTES)) throw new Error('its attributes are too large');
  return withMemory(bytes, (at) => {
    require(library.get_attribute_data(file, path, name, BigInt(at)));
    const values = Array.from({ length: total_size }, (_, i) => {
      if (!vlen) return textAt(at + i * size, size);
      const pointer = new DataView(library.HEAPU8.buffer).getUint32(at + i * size, true);
      return pointer === 0 ? '' : textAt(pointer, 1024);
    });
    if (vlen) library.reclaim_vlen_memory(file, path, name, BigInt(at));
    return values;
  });
}

function attributes(file: bigint, path: string): Record<string, string[]> {
  const names = library.get_attribute_names(file, path).filter((n) => ATTRIBUTES.test(n));
  return Object.fromEntries(names.map((name) => [name, attribute(file, path, name)]));
}

function dataset(file: bigint, path: string): Hdf5Dataset {
  const meta = library.get_dataset_metadata(file, path);
  const members = meta.enum_type?.members ?? {};
  const isBool = meta.type === ENUM && members.FALSE === 0 && members.TRUE === 1;
  const kinds = new Map<number, Hdf5Dataset['kind']>([
    [INT!, 'int'],
    [FLOAT!, 'float'],
    [OPAQUE!, 'opaque'],
  ]);
  return {
    kind: isBool ? 'bool' : (kinds.get(meta.type) ?? 'other'),
    width: meta.size,
    signed: meta.signed,
    shape: meta.shape,
    filtered: library.get_dataset_filters(file, path).length > 0,
    virtual: meta.virtual_sources !== undefined,
  };
}

function list(file: bigint): Hdf5Object[] {
  const found: Hdf5Object[] = [];
  const visit = (path: string, depth: number): void => {
    if (found.length >= MAX_OBJECTS || depth > MAX_DEPTH)
      throw new Error('it has too many objects');
    const absolute = `/${path}`;
    const type = library.get_type(file, absolute);
    if (type === library.H5G_DATASET) {
      found.push({
        path,
        attributes: attributes(file, absolute),
        dataset: dataset(file, absolute),
      });
    } else if (type === library.H5G_GROUP) {
      found.push({ path, attributes: attributes(file, absolute) });
      for (const name of library.get_names(file, absolute, false)) {
        visit(path === '' ? name : `${path}/${name}`, depth + 1);
      }
    } else if (type === library.H5G_UDLINK) {
      throw new Error(`'${path}' leads to another file, which is refused`);
    }
  };
  visit('', 0);
  return found;
}

/** All values of a dataset, piece by piece along its first axis. */
function read(file: bigint, path: string, alive: () => void): Uint8Array {
  const { size, total_size, shape } = library.get_dataset_metadata(file, path);
  const values = new Uint8Array(size * total_size);
  if (values.length === 0) return values;
  const [rows = 1, ...rest] = shape!;
  const rowBytes = values.length / rows;
  const step = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
  for (let row = 0; row < rows; row += step) {
    const count = Math.min(step, rows - row);
    withMemory(count * rowBytes, (at) => {
      const whole = shape!.length === 0;
      const counts = whole ? null : [count, ...rest].map(BigInt);
      const offsets = whole ? null : [row, ...rest.map(() => 0)].map(BigInt);
      const strides = whole ? null : shape!.map(() => 1n);
      require(library.get_dataset_data(file, path, counts, offsets, strides, BigInt(at)));
      values.set(library.HEAPU8.subarray(at, at + count * rowBytes), row * rowBytes);
    });
    alive();
  }
  return values;
}

const port = parentPort!;
const reply = (message: Hdf5Reply, transfer: ArrayBuffer[] = []) =>
  port.postMessage(message, transfer);
let file: bigint | undefined;

port.on('message', ({ id, read: path }: Hdf5Request) => {
  try {
    if (file === undefined) {
      mount();
      const opened = library.open(FILE, library.H5F_ACC_RDONLY, false, -1, -1);
      if (opened < 0n) throw new Error(takeFault());
      file = opened;
    }
    if (path === undefined) return reply({ id, value: list(file) });
    const value = read(file, `/${path}`, () => reply({ id, alive: true }));
    reply({ id, value }, [value.buffer as ArrayBuffer]);
  } catch (error) {
    const { message } = error as Error;
    // h5wasm's own words for whatever could not be opened; the library's say why.
    reply({ id, error: message.includes('name not defined') ? takeFault() : message });
  }
});
reply({ ready: true });
