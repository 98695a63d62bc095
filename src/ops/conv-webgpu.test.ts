import { afterAll, beforeAll, describe, test } from 'vitest';
import { expectClose } from '../../test/support/compare.js';
import { softwareVulkan, useSoftwareVulkan } from '../../test/support/vulkan.js';
import { Engine } from '../engine/index.js';
import { hostTensor, input, type Tensor, toNumbers } from '../graph/index.js';
import { nodeRuntime } from '../runtime/ort-node.js';
import { conv2d } from './conv.js';
import { convTranspose2d } from './conv-transpose.js';

const driver = softwareVulkan();
describe.skipIf(!driver.path)(`on WebGPU${driver.path ? '' : `: ${driver.reason}`}`, () => {
  let cpu: Engine;
  let gpu: Engine;
  const restore = useSoftwareVulkan();
  beforeAll(async () => {
    cpu = new Engine(await nodeRuntime({ threads: 1 }));
    gpu = new Engine(await nodeRuntime({ device: 'webgpu' }));
  });
  afterAll(restore);

  async function agree(
    xShape: readonly number[],
    wShape: readonly number[],
    build: (x: Tensor, w: Tensor) => Tensor,
  ) {
    const x = input('x', 'float32', xShape);
    const w = input('w', 'float32', wShape);
    const y = build(x, w);
    const values = (t: Tensor) =>
      hostTensor(
        'float32',
        t.shape,
        Array.from({ length: t.size }, (_, i) => ((i * 7919) % 101) / 101 - 0.5),
      );
    const feeds = new Map([x, w].map((t) => [t, values(t)] as const));
    const [want] = await cpu.evaluate([y], feeds);
    const [got] = await gpu.evaluate([y], feeds);
    const data = toNumbers(want!);
    expectClose('against the CPU', got!, { shape: want!.shape, data }, { rtol: 1e-4, atol: 1e-4 });
  }

  // 6, 9 and 30 need the channels of zeros; the others show that nothing else does.
  test.each([1, 2, 3, 5, 6, 8, 9, 10, 12, 30])('conv2d of %i channels', async (channels) => {
    await agree([2, channels, 7, 6], [8, channels, 3, 3], (x, w) => conv2d(x, w, { padding: 1 }));
  });

  test.each([
    [2, 2, 4],
    [2, 4, 2],
    [4, 8, 4],
    [4, 4, 4],
  ])('convTranspose2d of %i groups, %i channels in, %i out', async (groups, inputs, outputs) => {
    await agree([2, inputs, 5, 4], [inputs, outputs / groups, 3, 3], (x, w) =>
      convTranspose2d(x, w, { groups, stride: 2 }),
    );
  });
});
