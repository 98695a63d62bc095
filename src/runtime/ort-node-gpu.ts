/**
 * GPU buffers in Node. onnxruntime-node shows a WebGPU buffer to JavaScript as an opaque handle
 * that only sessions can use, so sessions of one node each move the data.
 */
import * as ort from 'onnxruntime-node';
import {
  byteSize,
  type DType,
  type HostTensor,
  type TensorData,
  type TensorType,
} from '../graph/index.js';
import { copyModel, expandModel } from '../onnx/index.js';
import { type GpuBuffers, hostData, type OrtTensor, wrapHost } from './ort-memory.js';
import type { RawSession } from './ort-runtime.js';

// A buffer belongs to the allocator of the session that made it, and ONNX Runtime crashes when it
// outlives that session. So these live as long as the process, and every buffer comes from them.
const sessions = new Map<string, Promise<RawSession>>();

function session(kind: 'upload' | 'copy' | 'allocate', dtype: DType): Promise<RawSession> {
  const key = `${kind} ${dtype}`;
  let opened = sessions.get(key);
  if (!opened) {
    const model = kind === 'allocate' ? expandModel(dtype) : copyModel(dtype);
    opened = ort.InferenceSession.create(model, {
      executionProviders: ['webgpu'],
      intraOpNumThreads: 1,
      // With this option results stay on the GPU, but buffers given to write into are ignored.
      ...(kind === 'copy' ? {} : { preferredOutputLocation: 'gpu-buffer' as const }),
    });
    opened.catch(() => sessions.delete(key));
    sessions.set(key, opened);
  }
  return opened;
}

/** Opens the GPU, so that a missing one is found before any program is compiled. */
export async function openGpu(): Promise<void> {
  await session('upload', 'float32');
}

/** The buffers of the GPU that ONNX Runtime has opened. */
export const nodeGpuBuffers: GpuBuffers = {
  async upload(value: HostTensor): Promise<OrtTensor> {
    const upload = await session('upload', value.dtype);
    return (await upload.run({ x: wrapHost(ort.Tensor, value) })).y!;
  },

  async write(handle: OrtTensor, value: HostTensor): Promise<void> {
    const copy = await session('copy', value.dtype);
    await copy.run({ x: wrapHost(ort.Tensor, value) }, { y: handle });
  },

  // ONNX Runtime in Node leaves out the check that a browser makes of every pass, and Vulkan and
  // Metal define what happens. Direct3D 12 does not: there a buffer has one state at a time.
  aliasing: process.platform !== 'win32',

  async copy(target: OrtTensor, source: OrtTensor): Promise<void> {
    const copy = await session('copy', source.type as DType);
    await copy.run({ x: source }, { y: target });
  },

  async download(handle: OrtTensor): Promise<TensorData> {
    const copy = await session('copy', handle.type as DType);
    return hostData((await copy.run({ x: handle })).y!);
  },

  async allocate({ dtype, shape }: TensorType): Promise<OrtTensor> {
    // As words, whatever the type: not every GPU computes on float16, and none on int64.
    const words = Math.ceil(byteSize({ dtype, shape }) / 4);
    const fill = await session('allocate', 'float32');
    const one = new ort.Tensor('float32', new Float32Array(1), [1]);
    const buffer = (
      await fill.run({
        x: one,
        shape: new ort.Tensor('int64', BigInt64Array.of(BigInt(words)), [1]),
      })
    ).y!;
    return ort.Tensor.fromGpuBuffer(buffer.gpuBuffer, {
      dataType: dtype as 'float32',
      dims: [...shape],
      dispose: () => buffer.dispose(),
    });
  },
};
