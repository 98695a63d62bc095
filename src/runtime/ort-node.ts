/** ONNX Runtime in Node: the native library through `onnxruntime-node`. */
import { availableParallelism, totalmem } from 'node:os';
import * as ort from 'onnxruntime-node';
import { blockModel, copyModel } from '../onnx/index.js';
import { checkThreads, deviceError, unknownDevice } from './device-error.js';
import { GpuMemory, HostMemory } from './ort-memory.js';
import { nodeGpuBuffers, openGpu } from './ort-node-gpu.js';
import { UncopiedSession, withMarker } from './ort-node-results.js';
import { type OpenSession, OrtRuntime } from './ort-runtime.js';
import type { Runtime } from './runtime.js';

/**
 * Optimizers of ONNX Runtime that are left out on the CPU: the kernels that they put in are slower than the
 * nodes they replace. Bias, sum and layer norm of 2048 x 768 take 7.8 ms in one node and 2.0 in three.
 */
const SLOW_FUSIONS = 'SkipLayerNormFusion;BiasSkipLayerNormFusion;BiasGeluFusion';

/**
 * Share of the machine's memory up to which a new program keeps what it allocates for its next run: that is a tenth
 * faster than asking the system anew. Training on texts of ten lengths has ten programs, and what they keep adds up to
 * several times what the longest needs.
 */
const KEPT_SHARE = 0.25;

/** Whether a new program may keep memory. It decides on time and memory alone: results are the same to the bit. */
function mayKeepMemory(): boolean {
  // The limit of a container; 0, or a number beyond any machine, where there is none.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return process.memoryUsage.rss() < KEPT_SHARE * Math.min(totalmem(), limit);
}

const DEVICES = ['cpu', 'webgpu', 'cuda'] as const;

/** Options of {@link nodeRuntime}. */
export interface NodeRuntimeOptions {
  /**
   * `cpu` (default); `webgpu`: any GPU with a Vulkan, Metal or D3D12 driver, tensors stay in its
   * memory; `cuda`: NVIDIA GPUs, where tensors travel through host memory at every run.
   */
  readonly device?: (typeof DEVICES)[number];
  /** Threads inside an operation. Defaults to the number of processors available. */
  readonly threads?: number;
  /**
   * On a GPU, what becomes of operations that it has no kernel for. True (default): ONNX Runtime
   * runs them on the CPU and copies what they need, as is normal for integer shape arithmetic.
   * False: such a program is refused when it is loaded. A GPU that is missing is always an error.
   */
  readonly cpuFallback?: boolean;
}

/**
 * A runtime in this process.
 * @throws EngineError `device-unknown` for a name that is no device, `provider-missing` when
 *   ONNX Runtime lacks the device's library, `device-missing` when there is no such GPU or driver
 */
export async function nodeRuntime({
  device = 'cpu',
  threads = availableParallelism(),
  cpuFallback = true,
}: NodeRuntimeOptions = {}): Promise<Runtime> {
  if (!DEVICES.includes(device)) throw unknownDevice(device, DEVICES);
  checkThreads(threads);
  const refuse = device !== 'cpu' && !cpuFallback;
  const open = (model: Uint8Array, options: ort.InferenceSession.SessionOptions) =>
    ort.InferenceSession.create(model, {
      executionProviders: [device],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      // Errors only: its warnings, one or two a program, speak of what it does as a matter of course.
      logSeverityLevel: 3,
      // Measured: the pattern planner raises the peak by half and gains no time.
      enableMemPattern: false,
      enableCpuMemArena: mayKeepMemory(),
      extra: {
        ...(device === 'cpu'
          ? { optimization: { disable_specified_optimizers: SLOW_FUSIONS } }
          : {}),
        session: {
          // Short waits spin: a chain of small nodes runs in half the time. Longer ones sleep, and
          // a program that has ended stops at once, or it would starve the next one.
          intra_op: { allow_spinning: '1', spin_duration_us: '50' },
          force_spinning_stop: '1',
          ...(refuse ? { disable_cpu_ep_fallback: '1' } : {}),
        },
      },
      ...options,
    });
  try {
    if (device === 'webgpu') await openGpu();
    if (device === 'cuda') await (await open(copyModel('float32'), {})).release();
  } catch (cause) {
    throw deviceError(device, cause);
  }
  const host = new HostMemory(ort.Tensor, true);
  const memory = device === 'webgpu' ? new GpuMemory(nodeGpuBuffers, host) : host;
  const openMarked: OpenSession = async (model, options) =>
    new UncopiedSession(await open(withMarker(model), options));
  if (device !== 'cpu') return new OrtRuntime(device, threads, memory, open);
  const block = await channelBlock((model) => open(model, {}));
  return new OrtRuntime(device, threads, memory, openMarked, block);
}

/** Asks ONNX Runtime how many channels its blocked kernels keep together: one vector register full. */
async function channelBlock(
  open: (model: Uint8Array) => Promise<ort.InferenceSession>,
): Promise<number> {
  const channels = 64;
  // Element 1 of channel 0 comes right after the first block of channels.
  const data = new Float32Array(2 * channels);
  data[1] = 1;
  try {
    const session = await open(blockModel());
    const { y } = await session.run({ x: new ort.Tensor(data, [1, channels, 1, 2]) });
    await session.release();
    const block = (y!.data as Float32Array).indexOf(1);
    return block > 1 ? block : 0;
  } catch {
    // This processor, or this build of ONNX Runtime, has no such kernels.
    return 0;
  }
}
