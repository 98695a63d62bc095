/** The runtime contract in Node: on the CPU, and on WebGPU with a software Vulkan driver. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { input } from '../../src/graph/index.js';
import { encode } from '../../src/onnx/index.js';
import { neg } from '../../src/ops/index.js';
import type { Runtime } from '../../src/runtime/index.js';
import { type NodeRuntimeOptions, nodeRuntime } from '../../src/runtime/ort-node.js';
import { softwareVulkan, useSoftwareVulkan } from '../support/vulkan.js';
import { near } from './assert.js';
import { runtimeCases } from './runtime.js';

function contract(options: NodeRuntimeOptions): void {
  let runtime: Runtime;
  let reference: Runtime;
  beforeAll(async () => {
    runtime = await nodeRuntime(options);
    reference = await nodeRuntime({ device: 'cpu', threads: 1 });
  });
  for (const c of runtimeCases) {
    test(c.name, async () => {
      const values = await c.run(runtime);
      if (values) near('against the CPU', values, (await c.run(reference))!);
    });
  }
}

describe('cpu, 1 thread', () => contract({ device: 'cpu', threads: 1 }));
describe('cpu, 2 threads', () => contract({ device: 'cpu', threads: 2 }));

const driver = softwareVulkan();
describe.skipIf(!driver.path)(`webgpu${driver.path ? '' : `: ${driver.reason}`}`, () => {
  const restore = useSoftwareVulkan();
  afterAll(restore);
  contract({ device: 'webgpu', threads: 1 });

  test('tensors stay on the GPU', async () => {
    const runtime = await nodeRuntime({ device: 'webgpu' });
    const tensor = await runtime.upload({
      dtype: 'float32',
      shape: [2],
      data: new Float32Array([1, 2]),
    });
    expect(tensor.handle).toMatchObject({ location: 'gpu-buffer' });
    runtime.free(tensor);
    expect(tensor.handle).toMatchObject({ location: 'none' });
  });

  test('operations without a GPU kernel can be refused', async () => {
    const strict = await nodeRuntime({ device: 'webgpu', cpuFallback: false });
    const of = (dtype: 'float32' | 'float64') =>
      encode({ outputs: { y: neg(input('x', dtype, [2])) }, target: 'webgpu' });
    await (await strict.load(of('float32'))).release();
    await expect(strict.load(of('float64'))).rejects.toMatchObject({
      code: 'session',
      message: expect.stringMatching(/CPU/),
    });
  });
});

describe('devices that are not there', () => {
  test('an unknown name lists the known ones', async () => {
    // @ts-expect-error the name comes from a command line in real life
    await expect(nodeRuntime({ device: 'gpu' })).rejects.toMatchObject({
      code: 'device-unknown',
      message: expect.stringMatching(/'gpu'.*'cpu', 'webgpu', 'cuda'/),
    });
  });

  test.each([0, -1, 1.5, Number.NaN])('%s threads are refused', async (threads) => {
    await expect(nodeRuntime({ threads })).rejects.toMatchObject({ code: 'threads' });
  });
});
