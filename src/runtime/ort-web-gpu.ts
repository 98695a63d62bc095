/** GPU buffers in the browser: plain WebGPU buffers on the device that ONNX Runtime computes on. */
import {
  byteSize,
  dtypeInfo,
  type HostTensor,
  type TensorData,
  type TensorType,
} from '../graph/index.js';
import type { GpuBuffers, OrtTensor, OrtTensorConstructor } from './ort-memory.js';

/** WebGPU copies whole words, and ONNX Runtime's kernels read vectors of four. */
const ALIGNMENT = 16;

// Bits of the WebGPU specification (GPUBufferUsage; GPUMapMode.READ has the value of MAP_READ).
const USAGE = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 } as const;

const align = (bytes: number) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

const bytesOf = (data: TensorData) =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

/** Buffers of `device`. */
export class WebGpuBuffers implements GpuBuffers {
  /** WebGPU refuses a pass that binds one buffer to read and to write. */
  readonly aliasing = false;
  private readonly Tensor: OrtTensorConstructor;
  private readonly device: GPUDevice;

  constructor(Tensor: OrtTensorConstructor, device: GPUDevice) {
    this.Tensor = Tensor;
    this.device = device;
  }

  async upload(value: HostTensor): Promise<OrtTensor> {
    const handle = await this.allocate(value);
    await this.write(handle, value);
    return handle;
  }

  async write(handle: OrtTensor, value: HostTensor): Promise<void> {
    const bytes = bytesOf(value.data);
    const whole = bytes.byteLength - (bytes.byteLength % 4);
    const buffer = handle.gpuBuffer as GPUBuffer;
    this.device.queue.writeBuffer(buffer, 0, bytes, 0, whole);
    if (whole < bytes.byteLength) {
      const tail = new Uint8Array(4);
      tail.set(bytes.subarray(whole));
      this.device.queue.writeBuffer(buffer, whole, tail);
    }
  }

  async download(handle: OrtTensor): Promise<TensorData> {
    const { array, bytes } = dtypeInfo(handle.type as HostTensor['dtype']);
    const size = align(handle.size * bytes);
    const usage = USAGE.COPY_DST | USAGE.MAP_READ;
    const staging = this.device.createBuffer({ size, usage });
    this.transfer(staging, handle, size);
    await staging.mapAsync(USAGE.MAP_READ);
    const data = new array(staging.getMappedRange().slice(0), 0, handle.size);
    staging.destroy();
    return data;
  }

  async copy(target: OrtTensor, source: OrtTensor): Promise<void> {
    const { bytes } = dtypeInfo(source.type as HostTensor['dtype']);
    this.transfer(target.gpuBuffer as GPUBuffer, source, align(source.size * bytes));
  }

  private transfer(target: GPUBuffer, source: OrtTensor, size: number): void {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(source.gpuBuffer as GPUBuffer, 0, target, 0, size);
    this.device.queue.submit([encoder.finish()]);
  }

  async allocate(type: TensorType): Promise<OrtTensor> {
    const buffer = this.device.createBuffer({
      size: align(byteSize(type)),
      usage: USAGE.STORAGE | USAGE.COPY_SRC | USAGE.COPY_DST,
    });
    return this.Tensor.fromGpuBuffer(buffer, {
      dataType: type.dtype as 'float32',
      dims: [...type.shape],
      dispose: () => buffer.destroy(),
    });
  }
}
