/** Learning rates against PyTorch's schedulers, and against closed formulas where it has none. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import {
  constantRate,
  cosineRate,
  linearRate,
  oneCycleRate,
  PlateauRate,
  rateAt,
  type Schedule,
  stepRate,
  triStageRate,
} from './index.js';

const makers = { oneCycleRate, stepRate, cosineRate, linearRate };

const golden: {
  readonly cases: readonly {
    readonly schedule: keyof typeof makers;
    readonly options: never;
    readonly rates: readonly number[];
  }[];
  readonly plateaus: readonly {
    readonly options: ConstructorParameters<typeof PlateauRate>[0];
    readonly metrics: readonly (number | 'NaN')[];
    readonly rates: readonly number[];
  }[];
} = JSON.parse(
  readFileSync(new URL('../../test/golden/optim/schedules.json', import.meta.url), 'utf8'),
);

/** Both are computed in double precision; the file keeps nine digits. */
function expectRates(got: readonly number[], want: readonly number[]): void {
  expect(got.length).toBe(want.length);
  for (const [i, w] of want.entries()) {
    expect(Math.abs(got[i]! - w), `step ${i + 1}: ${got[i]}, expected ${w}`).toBeLessThanOrEqual(
      1e-8 * Math.abs(w) + 1e-15,
    );
  }
}

const ratesOf = (schedule: Schedule, steps: number) =>
  Array.from({ length: steps }, (_, i) => schedule(i + 1));

describe('as PyTorch:', () => {
  for (const { schedule, options, rates } of golden.cases) {
    test(`${schedule} ${JSON.stringify(options)}`, () => {
      expectRates(ratesOf(makers[schedule](options), rates.length), rates);
    });
  }
  for (const { options, metrics, rates } of golden.plateaus) {
    test(`PlateauRate ${JSON.stringify(options)} on ${metrics.slice(0, 3)}...`, () => {
      const plateau = new PlateauRate(options);
      const got = metrics.map((m) => {
        plateau.observe(Number(m));
        return plateau.rate(1);
      });
      expectRates(got, rates);
    });
  }
});

describe('linear warm-up', () => {
  const formula = (lr: number, warmup: number, total: number, t: number) =>
    t < warmup ? (lr * t) / warmup : Math.max(0, (lr * (total - t)) / (total - warmup));

  test('rises from 0 to the rate and falls to 0 at the end', () => {
    const schedule = linearRate({ lr: 0.2, warmup: 4, total: 12 });
    expectRates(
      ratesOf(schedule, 13),
      Array.from({ length: 13 }, (_, t) => formula(0.2, 4, 12, t)),
    );
    expect([schedule(1), schedule(5), schedule(13), schedule(99)]).toEqual([0, 0.2, 0, 0]);
  });

  test('goes before a cosine too', () => {
    const schedule = cosineRate({ lr: 0.2, warmup: 4, total: 12, end: 0.02 });
    expectRates(ratesOf(schedule, 5), [0, 0.05, 0.1, 0.15, 0.2]);
    expectRates([schedule(9), schedule(13), schedule(50)], [0.11, 0.02, 0.02]);
  });

  test('may take the whole run', () => {
    expectRates(ratesOf(linearRate({ lr: 1, warmup: 4, total: 4 }), 5), [0, 0.25, 0.5, 0.75, 0]);
  });
});

describe('tri-stage', () => {
  test('rises from a hundredth, holds, and decays exponentially to a twentieth', () => {
    const schedule = triStageRate({ lr: 0.4, total: 100 });
    expectRates([1, 2, 6, 10, 11, 50, 51, 76, 101, 500].map(schedule), [
      0.004,
      0.004 + 0.0396,
      0.004 + 5 * 0.0396,
      0.004 + 9 * 0.0396,
      0.4,
      0.4,
      0.4,
      0.4 * Math.sqrt(0.05),
      0.02,
      0.02,
    ]);
  });

  test('a stage may be missing', () => {
    const schedule = triStageRate({ lr: 1, total: 10, phases: [0, 0.5, 0.5], endScale: 0.1 });
    expectRates([1, 5, 6, 11].map(schedule), [1, 1, 1, 0.1]);
    expectRates([1, 10, 11].map(triStageRate({ lr: 1, total: 10, phases: [0, 1, 0] })), [1, 1, 1]);
  });
});

test('every schedule gives numbers, whatever the lengths', () => {
  for (const total of [1, 2, 3, 10]) {
    for (const schedule of [
      linearRate({ lr: 1, warmup: total, total }),
      cosineRate({ lr: 1, warmup: total, total }),
      // With ten steps the rise of a tenth ends on the first: its length is zero.
      oneCycleRate({ lr: 1, total, rise: 0.1 }),
      triStageRate({ lr: 1, total }),
      stepRate({ lr: 1, every: total }),
      constantRate(1),
    ]) {
      for (const rate of ratesOf(schedule, total + 2)) {
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(rate).toBeLessThanOrEqual(1);
      }
    }
  }
});

test('a rate is a number or a schedule', () => {
  expect(rateAt(0.1, 7)).toBe(0.1);
  expect(rateAt((step) => step / 10, 7)).toBe(0.7);
  expect(constantRate(0.3)(1000)).toBe(0.3);
});

describe('PlateauRate', () => {
  const options = { lr: 1, patience: 1, factor: 0.5, cooldown: 1 };

  test('a restored state continues as if nothing had happened', () => {
    const metrics = [3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1];
    const straight = new PlateauRate(options);
    const rates = metrics.map((m) => {
      straight.observe(m);
      return straight.rate(1);
    });
    expect(new Set(rates).size).toBeGreaterThan(2);
    for (let cut = 0; cut < metrics.length; cut++) {
      const first = new PlateauRate(options);
      for (const m of metrics.slice(0, cut)) first.observe(m);
      const saved = JSON.parse(JSON.stringify(first.state));
      const second = new PlateauRate(options);
      second.state = saved;
      const rest = metrics.slice(cut).map((m) => {
        second.observe(m);
        return second.rate(1);
      });
      expect(rest, `cut after ${cut}`).toEqual(rates.slice(cut));
      expect(second.state).toEqual(straight.state);
    }
  });
});

describe('wrong options are refused:', () => {
  const cases: Record<string, () => unknown> = {
    'negative warm-up': () => linearRate({ lr: 1, warmup: -1, total: 10 }),
    'a run without end': () => cosineRate({ lr: 1, total: Number.POSITIVE_INFINITY }),
    'a run of NaN steps': () => triStageRate({ lr: 1, total: Number.NaN }),
    'no rise': () => oneCycleRate({ lr: 1, total: 10, rise: 0 }),
    'nothing but rise': () => oneCycleRate({ lr: 1, total: 10, rise: 1 }),
    'every 0 steps': () => stepRate({ lr: 1, every: 0 }),
    'phases of another sum': () => triStageRate({ lr: 1, total: 10, phases: [0.5, 0.4, 0.2] }),
    'a factor that does not reduce': () => new PlateauRate({ lr: 1, factor: 1 }),
  };
  for (const [name, make] of Object.entries(cases)) {
    test(name, () => expect(make).toThrow(ConfigError));
  }
});
