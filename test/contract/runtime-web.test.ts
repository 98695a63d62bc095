/** The runtime contract in headless Chromium: WebAssembly with one and two threads, and WebGPU. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '../../src/runtime/ort-node.js';
import type { WebRuntimeOptions } from '../../src/runtime/ort-web.js';
import type { CaseReport, graftTest as GraftTest } from '../browser/runtime-page.js';
import { findChromium, TestBrowser } from '../support/browser.js';
import { near } from './assert.js';
import { runtimeCases } from './runtime.js';

declare const graftTest: typeof GraftTest;

const chromium = findChromium();

describe.skipIf(!chromium.path)(`browser${chromium.path ? '' : `: ${chromium.reason}`}`, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await TestBrowser.open('test/browser/runtime-page.ts');
  });
  afterAll(() => browser?.close());

  const variants: readonly WebRuntimeOptions[] = [
    { device: 'wasm', threads: 1 },
    { device: 'wasm', threads: 2 },
    { device: 'webgpu', threads: 1 },
  ];
  describe.each(variants)('$device, $threads thread(s)', (options) => {
    let reports: Record<string, CaseReport>;
    beforeAll(async () => {
      const page = await browser.page();
      reports = await page.evaluate((o) => graftTest.contract(o), options);
      await page.close();
    });
    for (const c of runtimeCases) {
      test(c.name, async () => {
        const report = reports[c.name]!;
        expect(report.error).toBeNull();
        const reference = await c.run(await nodeRuntime({ threads: 1 }));
        expect(report.values === null).toBe(reference === undefined);
        if (reference) near('against the CPU in Node', report.values!, reference);
      });
    }
  });

  test('wrong devices and threads that cannot be had are errors', async () => {
    const page = await browser.page();
    const outcomes = await page.evaluate(
      (list) => graftTest.open(list),
      [{ device: 'cpu' as 'wasm' }, { threads: 0 }, { threads: 2 }, { threads: 1 }, { threads: 2 }],
    );
    await page.close();
    expect(outcomes).toEqual([
      expect.stringMatching(/^device-unknown: .*'cpu'.*'wasm', 'webgpu'/),
      expect.stringMatching(/^threads: .*at least 1, got 0/),
      'wasm 2',
      expect.stringMatching(/^threads: .*already runs 'wasm' with 2/),
      'wasm 2',
    ]);
  });

  test('without isolation one thread is the default and two are refused', async () => {
    const page = await browser.page({ isolated: false });
    const outcomes = await page.evaluate((list) => graftTest.open(list), [{ threads: 2 }, {}]);
    await page.close();
    expect(outcomes).toEqual([
      expect.stringMatching(/^threads: .*Cross-Origin-Opener-Policy/),
      'wasm 1',
    ]);
  });
});
