/** Where the tensors of a runtime live: the host's memory, or a device's with the host's beside it. */
import type * as ort from 'onnxruntime-node';
import {
  byteSize,
  type DType,
  filled,
  type HostTensor,
  sizeOf,
  type TensorData,
  type TensorType,
} from '../graph/index.js';

/**
 * A tensor object of ONNX Runtime. Only the type is imported: Node's and the browser's package
 * share it, and a runtime loads its own package only.
 */
export type OrtTensor = ort.Tensor;

/** Constructor of {@link OrtTensor}, from the package that the runtime has loaded. */
export type OrtTensorConstructor = typeof ort.Tensor;

/** The memory of one device. */
export interface Memory {
  upload(value: HostTensor): Promise<OrtTensor>;
  write(handle: OrtTensor, value: HostTensor): Promise<void>;
  download(handle: OrtTensor): Promise<TensorData>;
  free(handle: OrtTensor): void;
  /**
   * Memory for a result that the caller gave none for; null leaves it to the session.
   * @param beside true when the caller gave memory for another result of the same run
   */
  allocate(type: TensorType, beside: boolean): Promise<OrtTensor | null>;
  /**
   * True when a session can write a result into `target` itself.
   * @param fed true when the same run reads `target` too
   */
  writable(target: OrtTensor, fed: boolean): boolean;
  /** Moves a result to where it belongs when the session could not write it there. */
  move(target: OrtTensor, result: OrtTensor): Promise<void>;
}

/** A host tensor as an object of ONNX Runtime; the typed array is shared, not copied. */
export function wrapHost(Tensor: OrtTensorConstructor, value: HostTensor): OrtTensor {
  // The constructor's overloads pair each dtype with its array; upload has checked the pair.
  return new Tensor(value.dtype as 'float32', value.data as Float32Array, [...value.shape]);
}

/**
 * The typed array of a tensor in host memory. Where JavaScript has Float16Array, ONNX Runtime
 * shows half floats through it; here they are bit patterns on every platform.
 */
export function hostData(handle: OrtTensor): TensorData {
  const data = handle.data as TensorData;
  return handle.type === 'float16' && !(data instanceof Uint16Array)
    ? new Uint16Array((data as TensorData).buffer, (data as TensorData).byteOffset, handle.size)
    : data;
}

/** JavaScript's memory: a tensor's typed array is its buffer. */
export class HostMemory implements Memory {
  private readonly Tensor: OrtTensorConstructor;
  private readonly shared: boolean;

  /** @param shared true when sessions read and write typed arrays where they lie */
  constructor(Tensor: OrtTensorConstructor, shared: boolean) {
    this.Tensor = Tensor;
    this.shared = shared;
  }

  async upload(value: HostTensor): Promise<OrtTensor> {
    return wrapHost(this.Tensor, value);
  }

  async write(handle: OrtTensor, value: HostTensor): Promise<void> {
    copyInto(hostData(handle), value.data);
  }

  async download(handle: OrtTensor): Promise<TensorData> {
    return hostData(handle);
  }

  free(): void {}

  /** A session that gets memory for all results copies none of them, so none is left out. */
  async allocate(type: TensorType, beside: boolean): Promise<OrtTensor | null> {
    const mine = this.shared && beside;
    return mine ? wrapHost(this.Tensor, filled(type.dtype, type.shape, 0)) : null;
  }

  writable(): boolean {
    return this.shared;
  }

  async move(target: OrtTensor, result: OrtTensor): Promise<void> {
    copyInto(hostData(target), hostData(result));
  }
}

/** Copies all elements; both arrays have the same element type and length. */
function copyInto(target: TensorData, source: TensorData): void {
  (target as Float32Array).set(source as Float32Array);
}

/** Buffers of a GPU, however the platform gets at them. */
export interface GpuBuffers {
  upload(value: HostTensor): Promise<OrtTensor>;
  write(handle: OrtTensor, value: HostTensor): Promise<void>;
  download(handle: OrtTensor): Promise<TensorData>;
  allocate(type: TensorType): Promise<OrtTensor>;
  /** False when one run must not bind a buffer both to read and to write. */
  readonly aliasing: boolean;
  /** Copies between two buffers of one type. */
  copy(target: OrtTensor, source: OrtTensor): Promise<void>;
}

/** Element types that ONNX Runtime keeps in GPU buffers; the others stay on the host. */
const GPU_DTYPES: ReadonlySet<DType> = new Set([
  'float32',
  'float16',
  'int32',
  'int64',
  'uint32',
  'uint8',
  'bool',
]);

/**
 * Results below this size come back in host memory when the caller gave no buffer: they are
 * losses and metrics, read at once, and ONNX Runtime copies them out as part of the run.
 */
const HOST_RESULT_BYTES = 4096;

/** A GPU's memory. Empty tensors and those of types that it does not take lie on the host. */
export class GpuMemory implements Memory {
  private readonly gpu: GpuBuffers;
  private readonly host: HostMemory;

  constructor(gpu: GpuBuffers, host: HostMemory) {
    this.gpu = gpu;
    this.host = host;
  }

  upload(value: HostTensor): Promise<OrtTensor> {
    return fitsGpu(value) ? this.gpu.upload(value) : this.host.upload(value);
  }

  write(handle: OrtTensor, value: HostTensor): Promise<void> {
    return onGpu(handle) ? this.gpu.write(handle, value) : this.host.write(handle, value);
  }

  download(handle: OrtTensor): Promise<TensorData> {
    return onGpu(handle) ? this.gpu.download(handle) : this.host.download(handle);
  }

  free(handle: OrtTensor): void {
    if (onGpu(handle)) handle.dispose();
  }

  async allocate(type: TensorType): Promise<OrtTensor | null> {
    return fitsGpu(type) && byteSize(type) >= HOST_RESULT_BYTES ? this.gpu.allocate(type) : null;
  }

  writable(target: OrtTensor, fed: boolean): boolean {
    return onGpu(target) ? this.gpu.aliasing || !fed : this.host.writable();
  }

  async move(target: OrtTensor, result: OrtTensor): Promise<void> {
    if (!onGpu(target)) return this.host.move(target, result);
    if (onGpu(result)) {
      await this.gpu.copy(target, result);
      result.dispose();
    } else {
      await this.gpu.write(target, {
        dtype: target.type as DType,
        shape: target.dims,
        data: hostData(result),
      });
    }
  }
}

function fitsGpu(type: TensorType): boolean {
  return GPU_DTYPES.has(type.dtype) && sizeOf(type.shape) > 0;
}

function onGpu(handle: OrtTensor): boolean {
  return handle.location === 'gpu-buffer';
}
