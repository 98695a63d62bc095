/**
 * The few Python objects that PyTorch's checkpoints are made of: tensors over storages, parameters,
 * sizes, ordered dictionaries. A name that is not in this file is refused; nothing is imported or run.
 * @see https://github.com/pytorch/pytorch/blob/main/torch/_utils.py for what the functions stand for
 */
import { WeightsError } from '../errors.js';
import { sizeOf } from '../graph/index.js';
import { PickleFunction, type PickleHost, Tuple } from './pickle.js';
import { MAX_RANK, type StoredType, storedBytes } from './stored-tensor.js';

/** One piece of memory of a checkpoint; several tensors may share it. */
export interface TorchStorage {
  readonly key: string;
  /** Type by which its elements are counted; null for raw bytes, whose tensors say their own. */
  readonly stored: StoredType | null;
  /** Elements, and the bytes they take, as the pickle claims; no more is read. */
  readonly elements: number;
  readonly bytes: number;
}

/** A tensor as a window on a storage; offset and strides count elements. */
export interface TorchTensorSpec {
  readonly storage: TorchStorage;
  readonly stored: StoredType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** One past the last element that it reads of its storage. */
  readonly end: number;
}

/** A tensor in a pickle; a class of its own, so that no other value can pass for one. */
export class TorchTensor implements TorchTensorSpec {
  readonly storage: TorchStorage;
  readonly stored: StoredType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly end: number;

  constructor(spec: TorchTensorSpec) {
    this.storage = spec.storage;
    this.stored = spec.stored;
    this.offset = spec.offset;
    this.shape = spec.shape;
    this.strides = spec.strides;
    this.end = spec.end;
  }
}

/** A name that stands for an element type: `torch.FloatStorage`, `torch.float32`. */
class TypeName {
  constructor(
    readonly name: string,
    /** Null for raw bytes; undefined for a type that is known but not supported. */
    readonly stored: StoredType | null | undefined,
  ) {}
}

class StorageName extends TypeName {}

/**
 * An expanded tensor repeats its storage (stride 0). Up to this size it may be larger than what it
 * repeats; beyond, a few bytes could ask for all memory.
 */
const MAX_EXPANDED_BYTES = 64 * 1024 * 1024;

const STORAGES: Record<string, StoredType> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
};

const DTYPES: Record<string, StoredType> = {
  float64: 'float64',
  float32: 'float32',
  float16: 'float16',
  bfloat16: 'bfloat16',
  int64: 'int64',
  int32: 'int32',
  int16: 'int16',
  int8: 'int8',
  uint8: 'uint8',
  uint16: 'uint16',
  uint32: 'uint32',
  uint64: 'uint64',
  bool: 'bool',
};

function refuse(message: string, data: Record<string, unknown> = {}, code?: string): never {
  throw new WeightsError(`PyTorch file: ${message}`, data, code ? { code } : {});
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function counts(value: unknown, what: string): number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every(isCount)) {
    refuse(`a tensor has no proper ${what}. The file is damaged.`);
  }
  return [...value];
}

function supported(type: TypeName): StoredType | null {
  if (type.stored === undefined) {
    refuse(
      `it holds tensors of ${type.name}, which is not supported. Convert them in Python first, e.g. tensor.to(torch.float32).`,
      { type: type.name },
      'weights-dtype',
    );
  }
  return type.stored;
}

/** `_rebuild_tensor_v2` and `_v3`, with every window checked against its storage. */
function rebuildTensor(args: readonly unknown[], stored: StoredType | null): TorchTensor {
  const [storage, offset, size, stride] = args as [TorchStorage, ...unknown[]];
  if (!isStorage(storage) || !isCount(offset)) refuse('a tensor has no storage.');
  const type = stored ?? storage.stored ?? refuse('a tensor of raw bytes has no element type.');
  const shape = counts(size, 'shape');
  const strides = counts(stride, 'strides');
  if (strides.length !== shape.length) refuse('a tensor has more or fewer strides than axes.');
  const elements = sizeOf(shape);
  const span = elements === 0 ? 0 : 1 + shape.reduce((n, d, i) => n + (d - 1) * strides[i]!, 0);
  const end = offset + span;
  const bytes = storedBytes(type);
  if (!isCount(elements) || !isCount(end) || (span > 0 && end * bytes > storage.bytes)) {
    refuse(
      `a tensor ${type}[${shape.join(',')}] reaches beyond its storage of ${storage.bytes} bytes. The file is damaged.`,
    );
  }
  if (elements * bytes > Math.max(storage.bytes, MAX_EXPANDED_BYTES)) {
    refuse(
      `a tensor ${type}[${shape.join(',')}] repeats a storage of ${storage.bytes} bytes beyond all measure. Save tensor.contiguous() instead.`,
    );
  }
  return new TorchTensor({ storage, stored: type, offset, shape, strides, end });
}

/** Storages are made by `persistent` alone; this set tells them from what a pickle can build. */
const storages = new WeakSet<object>();

function isStorage(value: unknown): value is TorchStorage {
  return typeof value === 'object' && value !== null && storages.has(value);
}

/** Conjugate and negative views store other values than the tensor has. */
function requirePlain(flags: unknown): void {
  if (flags instanceof Map && [...flags.values()].includes(true)) {
    refuse('a tensor is a lazy conjugate or negative. Save tensor.resolve_neg().resolve_conj().');
  }
}

function requireTensor(value: unknown): TorchTensor {
  return value instanceof TorchTensor ? value : refuse('a parameter is not a tensor.');
}

function dictionary(args: readonly unknown[]): Map<unknown, unknown> {
  const pairs = args[0] ?? [];
  if (!Array.isArray(pairs) || !pairs.every((p) => Array.isArray(p) && p.length === 2)) {
    refuse('an ordered dictionary is not made of pairs.');
  }
  return new Map(pairs as [unknown, unknown][]);
}

function functions(): Map<string, PickleFunction> {
  const known: Record<string, (args: readonly unknown[]) => unknown> = {
    'torch._utils._rebuild_tensor': (a) => rebuildTensor(a, null),
    'torch._utils._rebuild_tensor_v2': (a) => {
      requirePlain(a[6]);
      return rebuildTensor(a, null);
    },
    'torch._utils._rebuild_tensor_v3': (a) => {
      requirePlain(a[7]);
      if (!(a[6] instanceof TypeName)) refuse('a tensor has no element type.');
      return rebuildTensor(a, supported(a[6]));
    },
    'torch._utils._rebuild_parameter': (a) => requireTensor(a[0]),
    'torch._utils._rebuild_parameter_with_state': (a) => requireTensor(a[0]),
    'collections.OrderedDict': dictionary,
    'torch.Size': (a) => Tuple.from(counts(a[0] ?? [], 'size')),
    'torch.device': (a) => a.map(String).join(':'),
    'builtins.set': (a) => new Set(Array.isArray(a[0]) ? a[0] : []),
    'builtins.frozenset': (a) => new Set(Array.isArray(a[0]) ? a[0] : []),
  };
  return new Map(
    Object.entries(known).map(([name, call]) => [name, new PickleFunction(name, call)]),
  );
}

const FUNCTIONS = functions();

/** What `module.name` stands for. @throws WeightsError for whatever is not a tensor or container */
function globalOf(module: string, name: string): unknown {
  const full = `${module === '__builtin__' ? 'builtins' : module}.${name}`;
  const known = FUNCTIONS.get(full);
  if (known) return known;
  if (module === 'torch' || module === 'torch.storage') {
    if (name === 'UntypedStorage') return new StorageName(full, null);
    if (/^[A-Z]\w*Storage$/.test(name)) {
      return new StorageName(full, Object.hasOwn(STORAGES, name) ? STORAGES[name] : undefined);
    }
  }
  if (module === 'torch' && /^(b?float|u?int|bool|complex|q)/.test(name)) {
    return new TypeName(full, Object.hasOwn(DTYPES, name) ? DTYPES[name] : undefined);
  }
  return refuse(
    `it asks Python for '${full}', which is not a tensor or a plain container, and Graft runs no code of a weight file. ` +
      'If you trust the file, load it in Python and save its tensors alone: torch.save(model.state_dict(), path).',
    { global: full },
    'pickle-global',
  );
}

/** Reads `('storage', type, key, device, elements)`, by which a pickle names a storage. */
function storageOf(id: unknown): TorchStorage {
  const [kind, type, key, , elements, view] = Array.isArray(id) ? id : [];
  if (kind === 'module') refuse('it holds a whole module with its code. Save its state_dict().');
  if (kind !== 'storage' || !(type instanceof StorageName) || !isCount(elements)) {
    refuse('a storage is described in no known way. The file is damaged.');
  }
  if (view !== undefined && view !== null) {
    refuse(
      'it holds views of storages as PyTorch before 0.4 wrote them. Save it with a newer one.',
    );
  }
  const stored = supported(type);
  const storage: TorchStorage = {
    key: String(key),
    stored,
    elements,
    bytes: elements * (stored ? storedBytes(stored) : 1),
  };
  storages.add(storage);
  return storage;
}

/**
 * The world of a checkpoint's pickle.
 * @param seen every storage that the pickle names, by key
 */
export function torchHost(seen: Map<string, TorchStorage>): PickleHost {
  return {
    global: globalOf,
    persistent(id) {
      const storage = storageOf(id);
      const before = seen.get(storage.key);
      if (before && before.bytes !== storage.bytes) {
        refuse(`storage '${storage.key}' has two sizes. The file is damaged.`);
      }
      seen.set(storage.key, storage);
      return storage;
    },
  };
}

/** A host for pickles that hold no tensors at all. */
export const plainHost: PickleHost = {
  global: globalOf,
  persistent: () => refuse('a storage stands where none belongs. The file is damaged.'),
};
