/** What ONNX Runtime says when a device cannot be used, turned into what the user can do about it. */
import { EngineError } from '../errors.js';
import type { Device } from './runtime.js';

interface Diagnosis {
  readonly match: RegExp;
  readonly code: 'provider-missing' | 'device-missing';
  readonly text: string;
}

const diagnoses: Partial<Record<Device, readonly Diagnosis[]>> = {
  webgpu: [
    {
      match: /supported adapters|GPU adapter/i,
      code: 'device-missing',
      text: "no GPU adapter was found. In Node on Linux, install libvulkan1 and the Vulkan driver of the GPU, or name a driver's .json file in VK_DRIVER_FILES; in a browser, check that it has a GPU (chrome://gpu).",
    },
    {
      match: /WebGPU is not supported/i,
      code: 'device-missing',
      text: 'this browser has no WebGPU here. It needs a secure context (https or localhost) and a browser with WebGPU switched on.',
    },
    {
      match: /backend not found/i,
      code: 'provider-missing',
      text: 'ONNX Runtime was built without WebGPU for this platform (Linux on arm64 is one).',
    },
  ],
  cuda: [
    {
      match: /shared librar|providers_(shared|cuda)/i,
      code: 'provider-missing',
      text: 'the CUDA provider or a library that it needs is not installed. It comes with `npm install onnxruntime-node --onnxruntime-node-install=cuda12` (Linux x64), and needs CUDA 12 and cuDNN 9 on the library path.',
    },
    {
      match: /backend not found/i,
      code: 'provider-missing',
      text: 'ONNX Runtime in Node has CUDA on Linux x64 only.',
    },
    {
      match: /driver|no CUDA-capable|CUDA failure|cudaGetDevice/i,
      code: 'device-missing',
      text: 'no usable NVIDIA GPU or driver was found; check nvidia-smi.',
    },
  ],
};

/** The error for a device that could not be opened. Nothing falls back to another device. */
export function deviceError(device: Device, cause: unknown): EngineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const found = diagnoses[device]?.find(({ match }) => match.test(reason));
  return new EngineError(
    found?.code ?? 'device-failed',
    `device '${device}': ${found?.text ?? 'it could not be opened.'} To run without it, ask for another device. ONNX Runtime says: ${reason.trim()}`,
    { device },
    { cause },
  );
}

/** The error for a name that is no device of this platform. */
export function unknownDevice(device: string, known: readonly Device[]): EngineError {
  return new EngineError(
    'device-unknown',
    `device '${device}' does not exist here; use ${known.map((d) => `'${d}'`).join(', ')}.`,
    { device, known },
  );
}

/**
 * Checks a number of threads.
 * @throws EngineError when it is not a whole number from 1
 */
export function checkThreads(threads: number): number {
  if (!Number.isInteger(threads) || threads < 1) {
    throw new EngineError(
      'threads',
      `threads: expected a whole number of at least 1, got ${threads}.`,
      { threads },
    );
  }
  return threads;
}
