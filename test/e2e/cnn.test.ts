/** examples/cnn.ts trains in Node and, the same file, in headless Chromium, with the same losses. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { train } from '../../examples/cnn.js';
import { createEngine } from '../../src/index.js';
import type { WebRuntimeOptions } from '../../src/index.web.js';
import type { graftTest as GraftTest } from '../browser/cnn-page.js';
import { findChromium, TestBrowser } from '../support/browser.js';
import { softwareVulkan, useSoftwareVulkan } from '../support/vulkan.js';

declare const graftTest: typeof GraftTest;

const STEPS = 50;
/** On a GPU that the processor computes; half a second each. */
const GPU_STEPS = 5;
let reference: number[];
beforeAll(async () => {
  reference = await train(await createEngine({ threads: 1 }), STEPS);
});

/** Largest difference between the losses of two runs, step by step. */
function worst(losses: readonly number[], want: readonly number[]): number {
  expect(losses).toHaveLength(want.length);
  return Math.max(...losses.map((loss, i) => Math.abs(loss - want[i]!)));
}

test('the network learns: from chance to a tenth of it', () => {
  expect(reference[0]).toBeCloseTo(Math.log(3), 0);
  expect(reference.at(-1)).toBeLessThan(Math.log(3) / 10);
});

test('a second run gives the same losses, bit for bit', async () => {
  expect(await train(await createEngine({ threads: 1 }), STEPS)).toEqual(reference);
});

const driver = softwareVulkan();
describe.skipIf(!driver.path)(`node webgpu${driver.path ? '' : `: ${driver.reason}`}`, () => {
  const restore = useSoftwareVulkan();
  afterAll(restore);
  test('losses agree with the CPU to 1e-4', async () => {
    const losses = await train(await createEngine({ device: 'webgpu' }), GPU_STEPS);
    expect(worst(losses, reference.slice(0, GPU_STEPS))).toBeLessThan(1e-4);
  });
});

const chromium = findChromium();
describe.skipIf(!chromium.path)(`browser${chromium.path ? '' : `: ${chromium.reason}`}`, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await TestBrowser.open('test/browser/cnn-page.ts');
  });
  afterAll(() => browser?.close());

  const variants: readonly WebRuntimeOptions[] = [
    { device: 'wasm', threads: 1 },
    { device: 'wasm', threads: 2 },
    { device: 'webgpu', threads: 1 },
  ];
  test.each(variants)('$device, $threads thread(s): losses agree to 1e-4', async (options) => {
    const count = options.device === 'webgpu' ? GPU_STEPS : STEPS;
    const page = await browser.page();
    const losses = await page.evaluate(([o, steps]) => graftTest.train(o, steps), [
      options,
      count,
    ] as const);
    await page.close();
    expect(worst(losses, reference.slice(0, count))).toBeLessThan(1e-4);
  });
});
