/** The table of texts: rows with what there is, cells of older code where they are asked for. */
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Cell, KeptCells } from '../../scripts/results/cells.js';
import { CURVES } from '../../scripts/results/text-curves.js';
import { TEXT_SETS } from '../../scripts/results/text-sets.js';
import {
  curveMarkdown,
  curveRow,
  summaryMarkdown,
  type TextComparison,
  textMarkdown,
  textRow,
} from '../../scripts/results/text-table.js';

const cell = (metrics: Record<string, number>): Cell => ({ metrics, seconds: 10, threads: 2 });
const cells = (metric: string, ...values: number[]) => values.map((v) => cell({ [metric]: v }));
const set = TEXT_SETS.find((s) => s.name === 'trec')!;
const whole: TextComparison = {
  set,
  base: 'a base',
  real: true,
  tuned: cells('accuracy', 0.96, 0.97, 0.965),
  frozen: cells('accuracy', 0.7, 0.72, 0.71),
  scratch: cells('accuracy', 0.82, 0.84, 0.83),
};
const lines = (markdown: string) =>
  markdown.split('\n').map((l) => l.split('|').map((c) => c.trim()));

describe('rows of sets', () => {
  test('means, deviations, gain and goal', () => {
    const [, , row] = lines(textMarkdown([whole]));
    expect(row).toContain('0.965 ± 0.005');
    expect(row).toContain('0.710 ± 0.010');
    // Welch's interval: standard error 0.00645, 2.94 degrees of freedom, quantile 3.22.
    expect(row).toContain('+0.135 (+0.114 to +0.156)');
    expect(row).toContain('0.95: met');
    expect(textRow(whole)).toMatchObject({
      peer: expect.closeTo(0.83),
      ratio: expect.closeTo(0.135),
    });
  });

  test('what was not run is a dash, and fewer seeds are said', () => {
    const few = { ...whole, frozen: [], scratch: [], tuned: cells('accuracy', 0.9, 0.92) };
    const [, , row] = lines(textMarkdown([few]));
    expect(row!.filter((c) => c === '-').length).toBe(4);
    expect(row!.some((c) => c.endsWith(', 2 seeds'))).toBe(true);
    expect(row).toContain('0.95: missed');
    expect(textRow(few)).toMatchObject({ peer: null, ratio: null, spread: null });
  });

  test('models that do no better than guesses are counted', () => {
    const scratch = [0.5, 0.04, 0].map((matthews) => cell({ accuracy: 0.5, matthews }));
    const [, , row] = lines(textMarkdown([{ ...whole, scratch }]));
    expect(row).toContain('0.500 ± 0.000, 2 learned nothing');
  });

  test('a single seed on one side leaves the noise unknown', () => {
    const row = textRow({ ...whole, scratch: whole.scratch.slice(0, 1) });
    expect(row.spread).toBeNull();
    expect(row.ratio).toBeCloseTo(0.965 - 0.82);
  });
});

test('a curve gains where a lower score is better', () => {
  const curve = CURVES.find((c) => c.better === 'lower')!;
  const point = {
    curve,
    samples: 250,
    transfer: cells('perplexity', 220, 222),
    scratch: cells('perplexity', 470, 480),
  };
  expect(curveRow(point).ratio).toBeCloseTo(254);
  expect(curveMarkdown([point])).toContain('helped');
});

test('summaries stand under the first sentence, of those that were made', () => {
  const lead = { rouge1: 0.3, rouge2: 0.1, rougeL: 0.25 };
  const made = (rouge1: number) => cell({ ...lead, rouge1 });
  const result = { lead, cells: [made(0.2)], tuned: [made(0.4), made(0.42)], scratch: [] };
  const [, , first, picked, written, ...rest] = lines(summaryMarkdown(result));
  expect(first).toContain('0.300');
  expect(picked).toContain('0.410 ± 0.014');
  expect(written).toContain('0.200');
  expect(rest).toEqual([]);
});

describe('cells of another code', () => {
  const folder = mkdtempSync(join(tmpdir(), 'graft-cells-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const kept = new KeptCells(folder);
  const key = { choices: { seed: 1 }, data: 'd', start: 's', code: 'now' };

  test('count only where they are asked for, the newest first', () => {
    expect(kept.readOlder(key)).toBeNull();
    kept.write({ ...key, code: 'old' }, cell({ accuracy: 0.1 }));
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), 1, 1);
    kept.write({ ...key, code: 'newer' }, cell({ accuracy: 0.2 }));
    kept.write({ ...key, data: 'other' }, cell({ accuracy: 0.3 }));
    kept.write({ ...key, choices: { seed: 2 } }, cell({ accuracy: 0.4 }));
    expect(kept.read(key)).toBeNull();
    expect(kept.readOlder(key)!.metrics.accuracy).toBe(0.2);
  });
});
