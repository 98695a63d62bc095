/** examples/texts.ts learns and writes in Node and, the same file, in headless Chromium. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { learnOpinions, writeOpinion } from '../../examples/texts.js';
import { createEngine } from '../../src/index.js';
import type { WebRuntimeOptions } from '../../src/index.web.js';
import type { graftTest as GraftTest } from '../browser/texts-page.js';
import { findChromium, TestBrowser } from '../support/browser.js';

declare const graftTest: typeof GraftTest;

const EPOCHS = 30;
/** On a GPU that the processor computes. */
const GPU_EPOCHS = 1;
/** Losses in Node, by the number of passes: the rate follows it. */
const losses = new Map<number, number[]>();
let written: string[];
beforeAll(async () => {
  const engine = await createEngine({ threads: 1 });
  for (const n of [EPOCHS, GPU_EPOCHS]) losses.set(n, await learnOpinions(engine, n));
  written = await writeOpinion(engine, EPOCHS);
});

test('the classifier learns, and the language model writes whole sentences', () => {
  expect(losses.get(EPOCHS)!.at(0)).toBeGreaterThan(0.5);
  expect(losses.get(EPOCHS)!.at(-1)).toBeLessThan(0.1);
  for (const text of written) expect(text).toMatch(/^the song was \w+ today \[SEP\]$/);
});

const chromium = findChromium();
describe.skipIf(!chromium.path)(`browser${chromium.path ? '' : `: ${chromium.reason}`}`, () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await TestBrowser.open('test/browser/texts-page.ts');
  });
  afterAll(() => browser?.close());

  const variants: readonly WebRuntimeOptions[] = [
    { device: 'wasm', threads: 2 },
    { device: 'webgpu', threads: 1 },
  ];
  test.each(variants)('$device: losses agree to 1e-4', async (options) => {
    const count = options.device === 'webgpu' ? GPU_EPOCHS : EPOCHS;
    const page = await browser.page();
    const got = await page.evaluate(([o, n]) => graftTest.learn(o, n), [options, count] as const);
    await page.close();
    expect(got).toHaveLength(count);
    const worst = Math.max(...got.map((loss, i) => Math.abs(loss - losses.get(count)![i]!)));
    expect(worst).toBeLessThan(1e-4);
  });

  test('the same sentences are written', async () => {
    const page = await browser.page();
    const got = await page.evaluate((n) => graftTest.write({ device: 'wasm' }, n), EPOCHS);
    await page.close();
    expect(got).toEqual(written);
  });
});
