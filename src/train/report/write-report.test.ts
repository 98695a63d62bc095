/** The whole report, as text and in headless Chromium. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findChromium } from '../../../test/support/browser.js';
import { sampleReport } from '../../../test/support/sample-report.js';
import type { ReportData } from './report-data.js';
import { renderReport, writeReport } from './write-report.js';

const NAMES = ['ant', 'bumblebee', 'honey bee', 'wasp', 'weevil'];
let folder: string;
let data: ReportData;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'report-'));
  data = await sampleReport(NAMES);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Every text of the data through `change`, keys and pictures left alone. */
function withTexts<T>(value: T, change: (text: string) => string): T {
  if (typeof value === 'string') {
    return (value.startsWith('data:image/') ? value : change(value)) as T;
  }
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map((v) => withTexts(v, change)) as T;
  const entries = Object.entries(value).map(([key, v]) => [key, withTexts(v, change)]);
  return Object.fromEntries(entries) as T;
}

/** What a report must never hold: anything that is loaded from outside it. */
function outsideLoads(page: string): string[] {
  const markup = page.replace(/<script(?: [^>]*)?>.*?<\/script>/gs, '<script></script>');
  const loads = [
    ...markup.matchAll(/\s(?:src|href|srcset|poster|action|data|xlink:href)\s*=\s*"([^"]*)"/gi),
    ...markup.matchAll(/url\(([^)]*)\)/gi),
    ...markup.matchAll(/@import([^;]*)/gi),
  ].map((m) => m[1]!);
  const scripts = [...page.matchAll(/<script(?: [^>]*)?>(.*?)<\/script>/gs)].map((m) => m[1]!);
  const calls = scripts.flatMap(
    (s) =>
      s.match(
        /\bfetch\(|XMLHttpRequest|WebSocket|EventSource|importScripts|import\(|sendBeacon/g,
      ) ?? [],
  );
  return [...loads.filter((l) => !/^(?:#|data:)/.test(l)), ...calls];
}

test('nothing is loaded from outside, and a planted load is found', async () => {
  const page = await renderReport(data);
  expect(outsideLoads(page)).toEqual([]);
  expect(page.match(/data:image\/jpeg/g)!.length).toBe(12 + 2 * 6);
  expect(outsideLoads('<img src="https://example.org/a.png">')).toHaveLength(1);
  expect(outsideLoads('<style>@import "a.css"; b { background: url(a.png) }</style>')).toHaveLength(
    2,
  );
  expect(outsideLoads('<script>fetch("/a")</script>')).toHaveLength(1);
});

test('is written whole, and alike from data that was kept as JSON', async () => {
  const path = join(folder, 'report.html');
  await writeReport(path, data);
  const kept = JSON.parse(
    JSON.stringify(data, (_, v) => (v instanceof Float32Array ? [...v] : v)),
  ) as ReportData;
  expect(await renderReport(kept)).toBe(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['report.html']);
});

test('parts without data are left out', async () => {
  const { title, created, run, split } = data;
  const page = await renderReport({ title, created, run, split, metrics: [], log: [] });
  const ids = [...page.matchAll(/<section id="([^"]*)"/g)].map((m) => m[1]);
  expect(ids).toEqual(['result', 'data', 'repeat']);
  expect(page).toContain('No file was left out');
});

test('many skipped files are folded away, and at last only counted', async () => {
  const skipped = Array.from({ length: 1200 }, (_, i) => ({ id: `f${i}.jpg`, reason: 'empty' }));
  const page = await renderReport({ ...data, skipped });
  expect(page.match(/<li>/g)).toHaveLength(1000);
  expect(page).toContain('990 more files');
  expect(page).toContain('and 200 that are not listed');
});

test('a matrix of another size than the classes is refused', async () => {
  const classes = { ...data.classes!, confusion: [1, 2] };
  await expect(renderReport({ ...data, classes })).rejects.toThrow(/2 cells .* 5 classes/);
});

const found = findChromium();
describe.skipIf(!found.path)(`browser${found.path ? '' : `: ${found.reason}`}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: found.path!,
      headless: true,
      args: ['--no-sandbox', '--disable-background-networking', '--no-first-run'],
    });
  });
  afterAll(() => browser?.close());

  interface Opened {
    page: Page;
    /** Errors and warnings of the console, and requests for anything but the file. */
    faults: string[];
  }
  async function open(report: ReportData, { width = 1200, dark = false } = {}): Promise<Opened> {
    const path = join(folder, 'page.html');
    await writeReport(path, report);
    const page = await browser.newPage({
      viewport: { width, height: 900 },
      colorScheme: dark ? 'dark' : 'light',
    });
    const faults: string[] = [];
    page.on('console', (m) => faults.push(`${m.type()}: ${m.text()}`));
    page.on('pageerror', (e) => faults.push(e.message));
    page.on('request', (r) => {
      if (!/^(?:file|data):/.test(r.url())) faults.push(`request: ${r.url()}`);
    });
    await page.goto(pathToFileURL(path).href);
    await page.waitForFunction(() => document.querySelectorAll('.uplot canvas').length >= 2);
    return { page, faults };
  }

  /** Pixels of each chart that have about the colour of a line. */
  const drawn = (page: Page, name = '--series-2') =>
    page.evaluate((variable) => {
      const style = getComputedStyle(document.documentElement);
      const hex = style.getPropertyValue(variable).trim();
      const want = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
      return [...document.querySelectorAll<HTMLCanvasElement>('.uplot canvas')].map((canvas) => {
        const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
        let n = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 3]! > 200 && want.every((w, c) => Math.abs(data[i + c]! - w) < 24)) n++;
        }
        return n;
      });
    }, name);

  test('loads without a word on the console and shows what it should', async () => {
    const { page, faults } = await open(data);
    expect(await page.title()).toBe(data.title);
    expect(await page.locator('h1').textContent()).toBe(data.title);
    expect(await page.locator('.figure').textContent()).toBe(data.metrics[0]!.value.toFixed(3));
    expect(await page.locator('.matrix td.cell').count()).toBe(NAMES.length ** 2);
    const cells = await page.locator('.matrix td.cell').allTextContents();
    const shown = cells.reduce((sum, text) => sum + (text === '·' ? 0 : Number(text)), 0);
    expect(shown).toBe(180);
    expect(await page.locator('#classes tbody tr').count()).toBe(NAMES.length);
    expect(await page.locator('#losses figure img').count()).toBe(12);
    expect(await page.locator('#attention figure img').count()).toBe(12);
    expect(await page.locator('pre').textContent()).toBe(data.run.command);
    const sound = await page
      .locator('img')
      .evaluateAll((all) => all.every((i) => (i as HTMLImageElement).naturalWidth > 0));
    expect(sound).toBe(true);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('curves are drawn, by step and by epoch, light and dark, folded ones once opened', async () => {
    for (const dark of [false, true]) {
      const { page, faults } = await open(data, { dark });
      const counts = await drawn(page);
      expect(counts).toHaveLength(3);
      for (const n of counts) expect(n).toBeGreaterThan(200);
      expect(await page.locator('.u-legend').first().textContent()).toContain('step');
      await page.locator('.segmented label', { hasText: 'by epoch' }).click();
      expect(await page.locator('.u-legend').first().textContent()).toContain('epoch');
      await page.locator('#curves summary').click();
      await page.waitForFunction(() => document.querySelectorAll('.uplot canvas').length === 5);
      const folded = await drawn(page);
      for (const n of folded) expect(n).toBeGreaterThan(200);
      expect(faults).toEqual([]);
      await page.close();
    }
  });

  test('for paper the page is light, and dark again afterwards', async () => {
    const { page } = await open(data, { dark: true });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await ground();
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    expect(await ground()).toBe('rgb(251, 251, 250)');
    for (const n of await drawn(page)) expect(n).toBeGreaterThan(200);
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    expect(await ground()).toBe(dark);
    expect((await page.pdf({ format: 'A4' })).length).toBeGreaterThan(10_000);
    await page.close();
  });

  test('tables sort by a click on their heads', async () => {
    const { page } = await open(data);
    const heads = page.locator('#classes thead th');
    const column = (n: number) =>
      page.locator(`#classes tbody tr > :nth-child(${n})`).allTextContents();
    await heads.nth(2).locator('button').click();
    const recall = (await column(3)).map(Number);
    expect(recall).toEqual(recall.toSorted((a, b) => b - a));
    expect(await heads.nth(2).getAttribute('aria-sort')).toBe('descending');
    await heads.nth(2).locator('button').click();
    expect((await column(3)).map(Number)).toEqual(recall.toSorted((a, b) => a - b));
    await heads.nth(0).locator('button').click();
    expect(await column(1)).toEqual(NAMES.toSorted());
    expect(await heads.nth(2).getAttribute('aria-sort')).toBeNull();
    const counts = (await page.locator('#confusion td:nth-child(3)').allTextContents()).map(Number);
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
    await page.close();
  });

  test('no text can break out of its place, and no script but its own would run', async () => {
    const evil = [
      '</script><img src=x onerror="globalThis.hacked=1">',
      '"><svg onload=globalThis.hacked=1>',
      `' onmouseover='globalThis.hacked=1`,
      '<!--<script>globalThis.hacked=1</script>',
      '</style></title><script>globalThis.hacked=1</script>',
    ];
    let n = 0;
    const hostile = withTexts(data, (text) => `${text}${evil[n++ % evil.length]}`);
    const names = NAMES.map((name, i) => `${name}${evil[i]}`);
    // Names of values and of options are texts of strangers too.
    const keys = Object.fromEntries(evil.map((e, i) => [e, i]));
    const log = [...hostile.log, ...hostile.log.slice(0, 3).map((r) => ({ ...r, values: keys }))];
    const run = { ...hostile.run, settings: keys };
    const thumbnail = 'javascript:globalThis.hacked=1';
    const topLosses = hostile.topLosses!.map((s) => ({ ...s, thumbnail }));
    const { page, faults } = await open({
      ...hostile,
      log,
      run,
      classes: { ...hostile.classes!, names },
      topLosses: [...topLosses, ...hostile.topLosses!],
    });
    const state = await page.evaluate(() => ({
      hacked: 'hacked' in globalThis,
      planted: document.querySelectorAll(
        'img:not([src^="data:image/jpeg;base64,"]), [onerror], [onload], [onmouseover], svg:not(.reliability)',
      ).length,
      scripts: document.scripts.length,
      settings: [...document.querySelectorAll('#repeat dt')].map((dt) => dt.textContent),
      names: [...document.querySelectorAll('#classes tbody th')].map((th) => th.textContent),
    }));
    expect(state).toMatchObject({ hacked: false, planted: 0, scripts: 3, names });
    expect(state.settings).toEqual(expect.arrayContaining(evil));
    expect(faults).toEqual([]);
    // Were one planted all the same, the page's policy would not let it run or call home.
    const blocked = await page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.hacked = 1';
      document.body.append(script);
      document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="hacked = 1">');
      const home = await fetch('http://127.0.0.1:9/').then(
        () => 'reached',
        () => 'blocked',
      );
      return ['hacked' in globalThis, home];
    });
    expect(blocked).toEqual([false, 'blocked']);
    expect(faults.filter((f) => f.includes('Content Security Policy')).length).toBeGreaterThan(1);
    await page.close();
  });

  test('fits a phone: nothing is wider than the screen', async () => {
    const long = NAMES.map((name) => `${name}-${'x'.repeat(120)}`);
    const report = { ...data, title: 'y'.repeat(200), classes: { ...data.classes!, names: long } };
    for (const width of [320, 390, 768]) {
      const { page, faults } = await open(report, { width });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        width,
      );
      expect(faults).toEqual([]);
      await page.close();
    }
  });

  test('many classes are painted, and read out under the pointer', async () => {
    const names = Array.from({ length: 60 }, (_, i) => `c${i}`);
    const many = await sampleReport(names, { count: 600 });
    const { page, faults } = await open(many);
    const canvas = page.locator('.matrix-canvas');
    const painted = await canvas.evaluate((c: HTMLCanvasElement) => {
      const { data, width } = c.getContext('2d')!.getImageData(0, 0, c.width, c.height);
      const full = Array.from({ length: width * width }, (_, i) => data[i * 4 + 3]! > 0);
      const hits = names(width).filter((i) => full[i * width + i]).length;
      function names(n: number) {
        return Array.from({ length: n }, (_, i) => i);
      }
      return { width, cells: full.filter(Boolean).length, hits };
    });
    const { confusion } = many.classes!;
    expect(painted).toEqual({ width: 60, cells: confusion.filter((n) => n > 0).length, hits: 60 });
    const box = (await canvas.boundingBox())!;
    const at = (i: number) => ((i + 0.5) / 60) * box.width;
    await canvas.hover({ position: { x: at(7), y: at(7) } });
    const total = confusion.slice(7 * 60, 8 * 60).reduce((a, b) => a + b, 0);
    expect(await page.locator('#matrix-readout').textContent()).toBe(
      `c7 taken for c7: ${confusion[7 * 61]} of ${total}`,
    );
    expect(faults).toEqual([]);
    await page.close();
  });
});
