/** Processors against those of transformers (scripts/golden/processors.py), and draws against chances. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bucketed } from './buckets.js';
import { likeliest, sampler } from './choose.js';
import {
  badWords,
  chances,
  forcedBos,
  forcedEos,
  minNewTokens,
  minP,
  noRepeatNgram,
  type Processor,
  repetitionPenalty,
  suppressAtBegin,
  suppressTokens,
  temperature,
  topK,
  topP,
} from './processors.js';

const processors = {
  badWords,
  forcedBos,
  forcedEos,
  minNewTokens,
  minP,
  noRepeatNgram,
  repetitionPenalty,
  suppressAtBegin,
  suppressTokens,
  temperature,
  topK,
  topP,
};

interface Case {
  readonly name: keyof typeof processors;
  readonly arguments: readonly unknown[];
  readonly ids: readonly number[];
  readonly promptLength: number;
  readonly before: readonly (number | null)[];
  readonly after: readonly (number | null)[];
}

const file = new URL('../../test/golden/generate/processors.json', import.meta.url);
const cases: Case[] = JSON.parse(readFileSync(file, 'utf8'));
const scoresOf = (values: readonly (number | null)[]) =>
  Float32Array.from(values, (v) => v ?? Number.NEGATIVE_INFINITY);

describe('processors', () => {
  test.each(Object.keys(processors) as (keyof typeof processors)[])('%s', (name) => {
    const own = cases.filter((c) => c.name === name);
    expect(own.length).toBeGreaterThan(0);
    for (const { arguments: given, ids, promptLength, before, after } of own) {
      const make = processors[name] as unknown as (...args: readonly unknown[]) => Processor;
      const got = scoresOf(before);
      make(...given)(got, { ids, promptLength });
      const want = scoresOf(after);
      for (const [i, value] of want.entries()) {
        const what = `${name}(${JSON.stringify(given)}) after ${ids.join()}, word ${i}`;
        if (Number.isFinite(value)) expect(got[i]! - value, what).toBeCloseTo(0, 5);
        else expect(got[i], what).toBe(value);
      }
    }
  });

  test('a word that is forbidden first stays allowed as the second after a forced one', () => {
    const forced = suppressAtBegin([2], true);
    const scores = () => new Float32Array(4);
    const second = (ids: number[], promptLength: number) => {
      const s = scores();
      forced(s, { ids, promptLength });
      return s[2];
    };
    expect(second([0], 1)).toBe(0);
    expect(second([0, 1], 1)).toBe(Number.NEGATIVE_INFINITY);
    expect(second([0, 1], 2)).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('choosing words', () => {
  test('the likeliest is taken, the first of equals', () => {
    expect(likeliest(Float32Array.of(1, 3, 3, Number.NEGATIVE_INFINITY))).toBe(1);
  });

  test('draws come as often as their chances say, and never what is forbidden', () => {
    const scores = Float32Array.of(1, Number.NEGATIVE_INFINITY, 0, 2.5, -1);
    const p = chances(scores);
    const draws = 20_000;
    const counts = new Array<number>(scores.length).fill(0);
    const draw = sampler(11, 0);
    for (let at = 0; at < draws; at++) counts[draw(scores, at)]!++;
    expect(counts[1]).toBe(0);
    for (const [i, count] of counts.entries()) {
      // Four deviations of a binomial count.
      const deviation = Math.sqrt(draws * p[i]! * (1 - p[i]!));
      expect(Math.abs(count - draws * p[i]!), `word ${i}`).toBeLessThanOrEqual(4 * deviation);
    }
    const [again, other] = [sampler(11, 0), sampler(11, 1)];
    const first = Array.from({ length: 50 }, (_, at) => draw(scores, at));
    expect(Array.from({ length: 50 }, (_, at) => again(scores, at))).toEqual(first);
    expect(Array.from({ length: 50 }, (_, at) => other(scores, at))).not.toEqual(first);
  });

  test('lengths fall into few buckets, none of them half empty', () => {
    const buckets = new Set<number>();
    for (let length = 1; length <= 1024; length++) {
      const bucket = bucketed(length);
      buckets.add(bucket);
      expect(bucket).toBeGreaterThanOrEqual(length);
      if (length > 16) expect(bucket).toBeLessThanOrEqual(1.5 * length);
    }
    expect([...buckets]).toEqual([16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]);
  });
});
