/**
 * Devices that this machine lacks. In a file, so in a process, of its own: Vulkan's drivers are
 * looked up once a process.
 */
import { expect, test } from 'vitest';
import { GraftError } from '../../src/errors.js';
import { nodeRuntime } from '../../src/runtime/ort-node.js';

test.runIf(process.platform === 'linux')(
  'webgpu without a Vulkan driver is an error that says what to install',
  async () => {
    process.env.VK_DRIVER_FILES = '/nonexistent/driver.json';
    process.env.VK_ICD_FILENAMES = '/nonexistent/driver.json';
    await expect(nodeRuntime({ device: 'webgpu' })).rejects.toMatchObject({
      code: 'device-missing',
      message: expect.stringMatching(/'webgpu'.*libvulkan1.*VK_DRIVER_FILES/s),
    });
  },
);

test('cuda is opened, or refused with what to install; it never becomes another device', async () => {
  let outcome: unknown;
  try {
    outcome = (await nodeRuntime({ device: 'cuda' })).device;
  } catch (error) {
    if (!(error instanceof GraftError)) throw error;
    outcome = error.code;
    expect(error.message).toMatch(/cuda/i);
  }
  expect(['cuda', 'provider-missing', 'device-missing']).toContain(outcome);
});
