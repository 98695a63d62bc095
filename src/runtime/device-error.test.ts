import { describe, expect, test } from 'vitest';
import { deviceError } from './device-error.js';

describe('deviceError', () => {
  // The texts are what ONNX Runtime 1.30 throws in these situations.
  test.each([
    [
      'webgpu',
      'device-missing',
      'Failed to get a WebGPU adapter: No supported adapters',
      /VK_DRIVER/,
    ],
    ['webgpu', 'device-missing', 'Failed to get GPU adapter. You may need to', /no GPU adapter/],
    [
      'webgpu',
      'device-missing',
      'WebGPU is not supported in current environment',
      /secure context/,
    ],
    ['webgpu', 'provider-missing', 'ERR: [webgpu] backend not found.', /built without WebGPU/],
    [
      'cuda',
      'provider-missing',
      'Failed to load shared library',
      /onnxruntime-node-install=cuda12/,
    ],
    ['cuda', 'provider-missing', 'ERR: [cuda] backend not found.', /Linux x64 only/],
    [
      'cuda',
      'device-missing',
      'CUDA failure 35: CUDA driver version is insufficient',
      /nvidia-smi/,
    ],
    [
      'wasm',
      'device-failed',
      'both async and sync fetching of the wasm failed',
      /could not be opened/,
    ],
  ] as const)('%s: %s for "%s"', (device, code, reason, advice) => {
    const error = deviceError(device, new Error(reason));
    expect(error).toMatchObject({ code, data: { device } });
    expect(error.message).toMatch(advice);
    expect(error.message).toContain(reason);
  });
});
