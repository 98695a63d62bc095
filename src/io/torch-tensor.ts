/** Tensors of a PyTorch checkpoint: windows on storages, checked before anything is read. */
import { WeightsError } from '../errors.js';
import { sizeOf } from '../graph/index.js';
import { MAX_RANK, type StoredType, storedBytes } from './stored-tensor.js';

/**
 * An expanded tensor repeats its storage (stride 0). Up to this size it may be larger than what it
 * repeats; beyond, a few bytes could ask for all memory.
 */
const MAX_EXPANDED_BYTES = 64 * 1024 * 1024;

/** Refuses a checkpoint. @throws WeightsError always */
export function refuseTorch(
  message: string,
  data: Record<string, unknown> = {},
  code?: string,
): never {
  throw new WeightsError(`PyTorch file: ${message}`, data, code ? { code } : {});
}

/** True for a whole number from 0 that arithmetic keeps exact. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A list of at most {@link MAX_RANK} counts. */
export function counts(value: unknown, what: string): number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every(isCount)) {
    refuseTorch(`a tensor has no proper ${what}. The file is damaged.`);
  }
  return [...value];
}

/** One piece of memory of a checkpoint; several tensors may share it. */
export class TorchStorage {
  /** Bytes that it takes; no more is read. */
  readonly bytes: number;

  /**
   * @param key name in the file
   * @param stored type by which elements are counted; null for raw bytes, whose tensors say their own
   * @param elements as the pickle claims
   */
  constructor(
    readonly key: string,
    readonly stored: StoredType | null,
    readonly elements: number,
  ) {
    this.bytes = elements * (stored ? storedBytes(stored) : 1);
  }
}

/** A window on a storage; offset and strides count elements. */
export class TorchTensor {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  /** One past the last element that it reads of its storage. */
  readonly end: number;

  /** @throws WeightsError when the window does not lie in its storage */
  constructor(
    readonly storage: TorchStorage,
    readonly stored: StoredType,
    readonly offset: number,
    shape: unknown,
    strides: unknown,
  ) {
    this.shape = counts(shape, 'shape');
    this.strides = counts(strides, 'strides');
    if (this.strides.length !== this.shape.length) {
      refuseTorch('a tensor has more or fewer strides than axes. The file is damaged.');
    }
    const elements = sizeOf(this.shape);
    const reach = this.shape.reduce((n, d, i) => n + (d - 1) * this.strides[i]!, 0);
    this.end = elements === 0 ? offset : offset + reach + 1;
    const width = storedBytes(stored);
    const what = `a tensor ${stored}[${this.shape.join(',')}]`;
    if (!isCount(elements) || !isCount(this.end) || this.end * width > storage.bytes) {
      refuseTorch(
        `${what} reaches beyond its storage of ${storage.bytes} bytes. The file is damaged.`,
      );
    }
    if (elements * width > Math.max(storage.bytes, MAX_EXPANDED_BYTES)) {
      refuseTorch(
        `${what} repeats a storage of ${storage.bytes} bytes beyond all measure. Save tensor.contiguous() instead.`,
      );
    }
  }
}
