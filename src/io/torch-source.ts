/** Tensors of a PyTorch checkpoint as a source: windows on storages, gathered when read. */
import { WeightsError } from '../errors.js';
import { dtypeInfo, type HostTensor, sizeOf } from '../graph/index.js';
import { allocate } from './byte-file.js';
import { fromStored, loadedType, storedBytes } from './stored-tensor.js';
import type { TensorSource } from './tensor-source.js';
import type { TorchTensor } from './torch-tensor.js';

/** Where the bytes of storages lie. */
export interface StorageFile {
  readonly path: string;
  /** Bytes `begin` to `end` of a storage. */
  read(key: string, begin: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Strides of a dense, row-major tensor. */
function denseStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** True when the elements lie one after the other in the order of the shape. */
function isDense({ shape, strides }: TorchTensor): boolean {
  const dense = denseStrides(shape);
  // The stride of an axis of length 1 is never used and may be anything.
  return shape.every((d, i) => d === 1 || strides[i] === dense[i]);
}

/** The values of a strided window, row-major; `window` begins at the first element. */
function gather(path: string, tensor: TorchTensor, window: Uint8Array): Uint8Array {
  const { shape, strides, stored } = tensor;
  const width = storedBytes(stored);
  const { array } = dtypeInfo(stored === 'bfloat16' ? 'uint16' : stored);
  const size = sizeOf(shape);
  const out = allocate(path, size * width);
  const from = new array(window.buffer, window.byteOffset, window.byteLength / width);
  const to = new array(out.buffer);
  const rank = shape.length;
  const inner = shape[rank - 1] ?? 1;
  const step = strides[rank - 1] ?? 1;
  const index = new Array<number>(rank).fill(0);
  let at = 0;
  for (let i = 0; i < size; i += inner) {
    for (let k = 0, j = at; k < inner; k++, j += step) to[i + k] = from[j]!;
    // The outer axes count up like the digits of a number.
    for (let axis = rank - 2; axis >= 0; axis--) {
      index[axis]!++;
      at += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

async function readTensor(file: StorageFile, tensor: TorchTensor): Promise<HostTensor> {
  const { storage, stored, offset, shape, end } = tensor;
  if (sizeOf(shape) === 0) return fromStored(stored, shape, new Uint8Array(0));
  const width = storedBytes(stored);
  const window = await file.read(storage.key, offset * width, end * width);
  return fromStored(stored, shape, isDense(tensor) ? window : gather(file.path, tensor, window));
}

/** A source over checked tensors; `file` is closed with it. */
export function torchSource(
  file: StorageFile,
  tensors: ReadonlyMap<string, TorchTensor>,
  metadata: Readonly<Record<string, string>>,
): TensorSource {
  return {
    types: new Map(
      [...tensors].map(([name, t]) => [name, { dtype: loadedType(t.stored), shape: t.shape }]),
    ),
    metadata,
    async read(name) {
      const tensor = tensors.get(name);
      if (!tensor) {
        throw new WeightsError(`'${file.path}' has no tensor '${name}'.`, {
          path: file.path,
          name,
        });
      }
      return readTensor(file, tensor);
    },
    close: () => file.close(),
  };
}
