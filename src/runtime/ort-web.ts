/** ONNX Runtime in the browser: WebAssembly and WebGPU through `onnxruntime-web`. */
import type * as Ort from 'onnxruntime-web';
import { EngineError } from '../errors.js';
import { copyModel } from '../onnx/index.js';
import { checkThreads, deviceError, unknownDevice } from './device-error.js';
import { GpuMemory, HostMemory } from './ort-memory.js';
import { type OpenSession, OrtRuntime, type RawSession } from './ort-runtime.js';
import { WebGpuBuffers } from './ort-web-gpu.js';
import type { Runtime } from './runtime.js';

const DEVICES = ['wasm', 'webgpu'] as const;

/** Options of {@link webRuntime}. */
export interface WebRuntimeOptions {
  /** `wasm` (default): the processor; `webgpu`: the GPU, where tensors stay between runs. */
  readonly device?: (typeof DEVICES)[number];
  /**
   * Threads inside an operation, fixed by the first runtime of a page. More than one needs a page
   * that is cross-origin isolated. Defaults to the number of processors, at most 8, where it is,
   * else 1.
   */
  readonly threads?: number;
  /** As in Node: false refuses programs with operations that the GPU has no kernel for. */
  readonly cpuFallback?: boolean;
  /**
   * Where ONNX Runtime's `.mjs` and `.wasm` files are served: a URL that ends in `/`, or the URL
   * of each. By default they are looked for beside the bundle.
   */
  readonly wasmPaths?: string | { readonly mjs?: string; readonly wasm?: string };
}

/** More threads than this gain nothing: the kernels wait for memory. */
const MAX_DEFAULT_THREADS = 8;

type Package = typeof Ort;

// Each device has its own build of ONNX Runtime, with its own WebAssembly file; a page loads only
// what it uses, and each build fixes its number of threads when it starts.
const started = new Map<string, { readonly ort: Promise<Package>; readonly threads: number }>();

function start(device: 'wasm' | 'webgpu', options: WebRuntimeOptions): Promise<Package> {
  const { threads, wasmPaths } = options as Required<WebRuntimeOptions>;
  const running = started.get(device);
  if (running) {
    if (running.threads === threads) return running.ort;
    throw new EngineError(
      'threads',
      `threads: this page already runs '${device}' with ${running.threads}, and that cannot be changed to ${threads}. Ask for ${running.threads}, or reload the page.`,
      { threads, running: running.threads },
    );
  }
  const load = async () => {
    const ort: Package =
      device === 'webgpu'
        ? await import('onnxruntime-web/webgpu')
        : await import('onnxruntime-web/wasm');
    ort.env.wasm.numThreads = threads;
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
    return ort;
  };
  const ort = load();
  ort.catch(() => started.delete(device));
  started.set(device, { ort, threads });
  return ort;
}

/**
 * Lets one call run at a time. The WebGPU build suspends its stack while it waits for the GPU,
 * and a second call entering it meanwhile corrupts the first.
 */
function inTurn(): <T>(call: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const next = last.then(call, call);
    last = next;
    return next;
  };
}

const turn = inTurn();

function isolated(): boolean {
  return globalThis.crossOriginIsolated === true;
}

/**
 * A runtime in this page or worker.
 * @throws EngineError `device-unknown` for a name that is no device, `device-missing` when the
 *   browser has no WebGPU or no adapter, `threads` when threads are asked for but cannot be had
 */
export async function webRuntime(options: WebRuntimeOptions = {}): Promise<Runtime> {
  const { device = 'wasm', cpuFallback = true } = options;
  if (!DEVICES.includes(device)) throw unknownDevice(device, DEVICES);
  const processors = Math.min(globalThis.navigator?.hardwareConcurrency ?? 1, MAX_DEFAULT_THREADS);
  const threads = checkThreads(options.threads ?? (isolated() ? processors : 1));
  if (threads > 1 && !isolated()) {
    throw new EngineError(
      'threads',
      `threads: ${threads} were asked for, but this page is not cross-origin isolated, so it has no shared memory. Serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or ask for 1.`,
      { threads },
    );
  }
  const ort = await start(device, { ...options, threads });
  const open: OpenSession = async (model, sessionOptions) => {
    const raw: RawSession = await turn(() =>
      ort.InferenceSession.create(model, {
        executionProviders: [device],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        enableMemPattern: false,
        extra: {
          session: {
            ...(device === 'webgpu' && !cpuFallback ? { disable_cpu_ep_fallback: '1' } : {}),
          },
        },
        ...sessionOptions,
      }),
    );
    return {
      outputMetadata: raw.outputMetadata,
      run: (feeds, fetches) => turn(() => (fetches ? raw.run(feeds, fetches) : raw.run(feeds))),
      release: () => turn(() => raw.release()),
    };
  };
  // WebAssembly sees only its own heap: results are copied out of it after the run.
  const host = new HostMemory(ort.Tensor, false);
  try {
    // Opening a session starts WebAssembly and the GPU, so that what is missing is found here.
    const probe = await open(copyModel('float32'), {});
    if (device === 'wasm') {
      await probe.release();
      return new OrtRuntime(device, threads, host, open);
    }
    // The GPU's device lives as long as a session does; this one is kept.
    const gpu = new WebGpuBuffers(ort.Tensor, await ort.env.webgpu.device);
    return new OrtRuntime(device, threads, new GpuMemory(gpu, host), open);
  } catch (cause) {
    throw deviceError(device, cause);
  }
}
