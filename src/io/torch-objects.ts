/**
 * The few Python objects that PyTorch's checkpoints are made of: tensors over storages, parameters,
 * sizes, ordered dictionaries. A name that is not in this file is refused; nothing is imported or run.
 * @see https://github.com/pytorch/pytorch/blob/main/torch/_utils.py for what the functions stand for
 */
import { PickleFunction, type PickleHost, Tuple } from './pickle.js';
import type { StoredType } from './stored-tensor.js';
import {
  counts,
  isCount,
  refuseTorch as refuse,
  TorchStorage,
  TorchTensor,
} from './torch-tensor.js';

/** A name that stands for an element type: `torch.FloatStorage`, `torch.float32`. */
class TypeName {
  constructor(
    readonly name: string,
    /** Null for raw bytes; undefined for a type that is known but not supported. */
    readonly stored: StoredType | null | undefined,
  ) {}
}

class StorageName extends TypeName {}

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

/** `_rebuild_tensor_v2` and `_v3`; `stored` overrides the type of the storage. */
function rebuildTensor(args: readonly unknown[], stored: StoredType | null): TorchTensor {
  const [storage, offset, shape, strides] = args;
  if (!(storage instanceof TorchStorage) || !isCount(offset)) refuse('a tensor has no storage.');
  const type = stored ?? storage.stored ?? refuse('a tensor of raw bytes has no element type.');
  return new TorchTensor(storage, type, offset, shape, strides);
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

/** The classes of tensors with attributes, which are left behind. */
class TensorClass {}
const TENSOR_CLASSES = new Set([
  'torch.Tensor',
  'torch.nn.parameter.Parameter',
  'torch.nn.parameter.Buffer',
]);

/** `_rebuild_from_type_v2(function, class, arguments, state)`: a tensor that carries attributes. */
function rebuildWithState([rebuild, type, args]: readonly unknown[]): TorchTensor {
  if (
    !(rebuild instanceof PickleFunction && /\._rebuild_tensor_v[23]$/.test(rebuild.name)) ||
    !(type instanceof TensorClass) ||
    !(args instanceof Tuple)
  ) {
    refuse(
      'a tensor with attributes is of no known class. Save its values alone: tensor.detach().',
    );
  }
  return requireTensor(rebuild.call(args));
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
    'torch._tensor._rebuild_from_type_v2': rebuildWithState,
    'torch._utils._rebuild_parameter': (a) => requireTensor(a[0]),
    'torch._utils._rebuild_parameter_with_state': (a) => requireTensor(a[0]),
    'collections.OrderedDict': dictionary,
    'torch.Size': (a) => Tuple.from(counts(a[0] ?? [], 'size')),
    // Where a tensor was; of no use, and never spelt out: a list may hold itself a million times.
    'torch.device': () => null,
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
  if (TENSOR_CLASSES.has(full)) return new TensorClass();
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
  if (
    kind !== 'storage' ||
    !(type instanceof StorageName) ||
    typeof key !== 'string' ||
    !isCount(elements)
  ) {
    refuse('a storage is described in no known way. The file is damaged.');
  }
  if (view !== undefined && view !== null) {
    refuse(
      'it holds views of storages as PyTorch before 0.4 wrote them. Save it with a newer one.',
    );
  }
  return new TorchStorage(key, supported(type), elements);
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
