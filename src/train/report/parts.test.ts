/** The parts of a report that need no browser. */
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../../errors.js';
import type { LogRecord } from '../metrics-log.js';
import { chartsOf, phasesOf } from './chart-data.js';
import {
  bytes,
  count,
  duration,
  metric,
  moment,
  namingOf,
  percent,
  plural,
  signed,
} from './format.js';
import { isPicture, overlay } from './heat-map.js';
import { escapeHtml, html, jsonBlock } from './html.js';
import type { ReportAttention, ReportComparison, ReportData } from './report-data.js';
import { results } from './result.js';

describe('html', () => {
  test('escapes text in and out of attributes, joins lists, leaves out nothing', () => {
    const evil = `</p>"'><img src=x onerror=1>&`;
    expect(
      html`<p title="${evil}">${[evil, 1, html`<b>${'<'}</b>`]}${null}${false}${undefined}</p>`
        .text,
    ).toBe(
      '<p title="&lt;/p&gt;&quot;&#39;&gt;&lt;img src=x onerror=1&gt;&amp;">' +
        '&lt;/p&gt;&quot;&#39;&gt;&lt;img src=x onerror=1&gt;&amp;1<b>&lt;</b></p>',
    );
  });

  test('escaped text has none of the characters that mean something', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'<>&"\'ab;/') }), (text) => {
        const escaped = escapeHtml(text);
        expect(escaped).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
      }),
    );
  });

  test('data in a script block cannot close it, and comes back', () => {
    const data = { '</script><!--<script>': ['</SCRIPT >', '\u2028', 0.5] };
    const [, inside] = /^<script[^>]*>(.*)<\/script>$/s.exec(jsonBlock('x', data).text)!;
    expect(inside).not.toContain('<');
    expect(JSON.parse(inside!)).toEqual(data);
  });
});

test('numbers for people', () => {
  expect([0.94117, -0.2, 0, 1e-5, 1234.5, 3e7, Number.NaN, null].map(metric)).toEqual([
    '0.941',
    '−0.200',
    '0.000',
    '0.0000100',
    '1235',
    '3.00e+7',
    '–',
    '–',
  ]);
  expect([0.2, -0.2, 0].map(signed)).toEqual(['+0.200', '−0.200', '0.000']);
  expect([0.123, 1, 0.9996, null].map(percent)).toEqual(['12.3 %', '100 %', '100 %', '–']);
  expect([7, 12345678, 2.5].map(count)).toEqual(['7', '12\u202f345\u202f678', '2.5']);
  expect([plural(1, 'class', 'classes'), plural(2, 'class', 'classes')]).toEqual([
    '1 class',
    '2 classes',
  ]);
  expect([0.83, 42, 727, 11100, Number.NaN].map(duration)).toEqual([
    '0.8 s',
    '42 s',
    '12 min 7 s',
    '3 h 5 min',
    '–',
  ]);
  expect([0, 900, 5 * 2 ** 10, 1.6 * 2 ** 30, null].map(bytes)).toEqual([
    '0 B',
    '900 B',
    '5 KiB',
    '1.6 GiB',
    '–',
  ]);
  expect(moment('2026-03-01T14:05:09Z')).toBe('2026-03-01 14:05 UTC');
  expect(moment('<b>')).toBe('<b>');
  const labelOf = namingOf('text-classification', ['f1', 'wer']);
  expect(['f1', 'constructor', 'wer'].map(labelOf)).toEqual(['F1 (macro)', 'constructor', 'wer']);
  const several = namingOf('text-classification', ['f1', 'macroF1']);
  expect(['f1', 'recall', 'macroF1'].map(several)).toEqual([
    'F1 (micro)',
    'Recall (micro)',
    'F1 (macro)',
  ]);
  expect(namingOf('token-classification', ['f1'])('precision')).toBe('Precision (entities, micro)');
  expect(namingOf('question-answering', ['f1'])('f1')).toBe('F1 (words of the answers)');
});

describe('charts', () => {
  const line = (
    step: number,
    split: string,
    values: Record<string, number>,
    phase = 'a',
  ): LogRecord => ({ step, epoch: step / 10, phase, split, values });

  test('one a value, a line a split; rates share one; the order is as asked', () => {
    const charts = chartsOf(
      [
        line(1, 'train', { 'lr.head': 0.1, 'lr.trunk': 0.01, loss: 2 }),
        line(2, 'train', { loss: Number.NaN }),
        line(2, 'valid', { f1: 0.4, accuracy: 0.5, loss: 3 }),
        line(2, 'valid', { lr: 1 }),
      ],
      ['loss', 'accuracy'],
    );
    expect(charts.map((c) => [c.name, ...c.series.map((s) => s.name)])).toEqual([
      ['loss', 'train', 'valid'],
      ['accuracy', 'valid'],
      ['f1', 'valid'],
      ['lr', 'head', 'trunk', 'all'],
    ]);
    expect(charts[0]!.series[0]).toEqual({
      name: 'train',
      steps: [1, 2],
      epochs: [0.1, 0.2],
      values: [2, null],
    });
  });

  test('the log loss of an evaluation stands beside the loss of training, if that has no line of its own', () => {
    const log = [line(1, 'train', { loss: 2 }), line(1, 'valid', { logLoss: 3 })];
    expect(chartsOf(log).map((c) => [c.name, ...c.series.map((s) => s.name)])).toEqual([
      ['loss', 'train', 'valid, log loss'],
    ]);
    const both = [...log, line(1, 'valid', { loss: 4 })];
    expect(chartsOf(both).map((c) => c.name)).toEqual(['loss', 'logLoss']);
  });

  test('long lines are thinned by their means, to the same end', () => {
    const log = Array.from({ length: 5000 }, (_, i) => line(i + 1, 'train', { loss: i % 2 }));
    const [series] = chartsOf(log)[0]!.series;
    expect(series!.values).toHaveLength(1000);
    expect(series!.steps.at(-1)).toBe(5000);
    const mean = series!.values.reduce<number>((sum, v) => sum + v!, 0) / 1000;
    expect(mean).toBeCloseTo(0.5, 5);
  });

  test('phases begin where they are first seen', () => {
    const log = [line(5, 'x', {}, 'b'), line(1, 'x', {}), line(2, 'x', {}), line(6, 'x', {}, 'b')];
    expect(phasesOf(log)).toEqual([
      { name: 'a', step: 1, epoch: 0.1 },
      { name: 'b', step: 5, epoch: 0.5 },
    ]);
  });
});

describe('the verdict on the base', () => {
  const run = { data: { counts: { valid: 10 } } };
  const said = (comparison: Partial<ReportComparison>) =>
    results({
      split: 'valid',
      run,
      metrics: [{ name: 'accuracy', value: 0.5 }],
      comparison: {
        metric: 'accuracy',
        higherIsBetter: true,
        transfer: [0.9, 0.92, 0.91],
        scratch: [0.5, 0.55, 0.52],
        budget: 'two epochs',
        ...comparison,
      },
    } as unknown as ReportData).text;

  test.each([
    ['helped', {}, /The base helped: \+0\.387/],
    ['hurt', { higherIsBetter: false }, /Negative transfer: −0\.387/],
    ['within-noise', { scratch: [0.77, 1, 0.93] }, /No clear gain: \+0\.010/],
    ['noise-unknown', { transfer: [0.9] }, /With the base: \+0\.377/],
  ])('%s', (kind, change, words) => {
    const text = said(change);
    expect(text).toMatch(words);
    expect(text).toContain(`verdict ${kind}`);
  });

  test('a note stands beside it', () => {
    expect(said({ note: 'Learned <nothing>.' })).toContain(
      '<strong>Learned &lt;nothing&gt;.</strong>',
    );
    expect(said({})).not.toContain('Learned');
  });

  test('every dot lies on its track, also when all are one', () => {
    for (const change of [{}, { transfer: [0.5, 0.5], scratch: [0.5, 0.5] }]) {
      const places = [...said(change).matchAll(/left:([\d.]+)%/g)].map((m) => Number(m[1]));
      expect(places.length).toBeGreaterThan(5);
      for (const place of places) {
        expect(place).toBeGreaterThan(0);
        expect(place).toBeLessThan(100);
      }
    }
  });

  test('is silent when a side is missing or diverged', () => {
    expect(said({ scratch: [] })).not.toContain('verdict');
    expect(said({ scratch: [Number.NaN] })).not.toContain('verdict');
  });
});

describe('heat maps', () => {
  /** A grey picture as a data URI. */
  async function grey(width: number, height: number, format: 'jpeg' | 'png' = 'png') {
    const image = sharp({ create: { width, height, channels: 3, background: '#808080' } });
    const data = await image.toFormat(format).toBuffer();
    return `data:image/${format};base64,${data.toString('base64')}`;
  }
  const sample = async (heat: ReportAttention['heat'], thumbnail?: string) =>
    ({
      id: 'a/b.jpg',
      heat,
      thumbnail: thumbnail ?? (await grey(40, 20)),
    }) as unknown as ReportAttention;
  const pixels = async (uri: string) =>
    sharp(Buffer.from(uri.split(',')[1]!, 'base64'))
      .raw()
      .toBuffer({ resolveWithObject: true });

  test('the hottest place glows, the coldest keeps its colour, the size stays', async () => {
    const heat = { height: 1, width: 2, values: Float32Array.of(0, 7) };
    const uri = await overlay(await sample(heat));
    expect(uri).toMatch(/^data:image\/jpeg;base64,/);
    const { data, info } = await pixels(uri);
    expect([info.width, info.height, info.channels]).toEqual([40, 20, 3]);
    const at = (x: number) => [...data.subarray((10 * 40 + x) * 3, (10 * 40 + x) * 3 + 3)];
    for (const [i, want] of [128, 128, 128].entries()) {
      expect(Math.abs(at(1)[i]! - want)).toBeLessThan(12);
    }
    const [red, , blue] = at(38);
    expect(red! - blue!).toBeGreaterThan(30);
    expect(red!).toBeGreaterThan(190);
  });

  test('a map without heat leaves the picture, plain lists and grey pictures do', async () => {
    const lone = await sharp({
      create: { width: 8, height: 8, channels: 3, background: '#808080' },
    })
      .toColourspace('b-w')
      .jpeg()
      .toBuffer();
    const thumbnail = `data:image/jpeg;base64,${lone.toString('base64')}`;
    const { data, info } = await pixels(
      await overlay(await sample({ height: 2, width: 2, values: [0, 0, 0, 0] }, thumbnail)),
    );
    expect(info.channels).toBe(3);
    for (const v of data) expect(Math.abs(v - 128)).toBeLessThan(4);
  });

  test.each([
    ['too few values', { height: 2, width: 2, values: [1] }, /1 values for 2 x 2/],
    ['NaN', { height: 1, width: 1, values: [Number.NaN] }, /finite/],
    ['no size', { height: 0, width: 4, values: [] }, /0 values for 0 x 4/],
    ['a huge side', { height: 1, width: 4096, values: new Float32Array(4096) }, /up to 2048/],
  ])('refused: %s', async (_, heat, message) => {
    const promise = overlay(await sample(heat));
    await expect(promise).rejects.toThrow(ConfigError);
    await expect(promise).rejects.toThrow(message);
  });

  test('refused: a thumbnail that is no picture', async () => {
    const heat = { height: 1, width: 1, values: [1] };
    await expect(overlay(await sample(heat, 'https://example.org/a.jpg'))).rejects.toThrow(
      /no data URI/,
    );
    await expect(overlay(await sample(heat, 'data:image/png;base64,AAAA'))).rejects.toThrow(
      /a\/b\.jpg cannot be decoded/,
    );
  });

  test('only pictures in the page itself count as pictures', () => {
    expect(isPicture('data:image/jpeg;base64,/9j/4A==')).toBe(true);
    for (const uri of [
      undefined,
      'https://example.org/a.jpg',
      'javascript:alert(1)',
      'data:image/svg+xml;base64,AAAA',
      'data:text/html;base64,AAAA',
      'data:image/png;base64,AA" onerror="x',
      'data:image/png;base64,AAAA\n',
    ]) {
      expect(isPicture(uri), uri).toBe(false);
    }
  });
});
