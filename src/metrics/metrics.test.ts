/** What must hold of the metrics whatever the predictions. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '../errors.js';
import { KeyedRandom } from '../util/index.js';
import {
  accuracy,
  auroc,
  betterThanGuessing,
  bootstrapInterval,
  classificationMetrics,
  confusionMatrix,
  LOWER_IS_BETTER,
  macroF1,
  mostConfused,
  type Predictions,
  reliability,
  topKAccuracy,
  transferGain,
} from './index.js';

/** Predictions with coarse probabilities, so that ties are frequent. */
const predictions = fc
  .record({ classes: fc.integer({ min: 2, max: 7 }), count: fc.integer({ min: 1, max: 12 }) })
  .chain(({ classes, count }) =>
    fc.record({
      classes: fc.constant(classes),
      probabilities: fc
        .array(
          fc.array(fc.integer({ min: 0, max: 4 }), { minLength: classes, maxLength: classes }),
          {
            minLength: count,
            maxLength: count,
          },
        )
        .map((rows) => {
          const flat = rows.flatMap((row) => {
            const sum = row.reduce((a, b) => a + b, 0);
            return row.map((v, i) => (sum > 0 ? v / sum : i === 0 ? 1 : 0));
          });
          return Float32Array.from(flat);
        }),
      labels: fc.array(fc.integer({ min: 0, max: classes - 1 }), {
        minLength: count,
        maxLength: count,
      }),
      weights: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: count, maxLength: count }),
    }),
  );

/** The samples at `indices`, in that order. */
function pick(p: Predictions, indices: readonly number[]): Predictions {
  const rows = indices.flatMap((i) => [
    ...p.probabilities.subarray(i * p.classes, (i + 1) * p.classes),
  ]);
  return {
    classes: p.classes,
    probabilities: Float32Array.from(rows),
    labels: indices.map((i) => p.labels[i]!),
    ...(p.weights ? { weights: indices.map((i) => p.weights![i]!) } : {}),
  };
}

/** Equal up to the order of summation. */
function expectSame(a: Predictions, b: Predictions): void {
  const [got, want] = [classificationMetrics(a), classificationMetrics(b)];
  for (const [name, value] of Object.entries(want)) {
    const other = got[name as keyof typeof got]!;
    if (Number.isNaN(value)) expect(other, name).toBeNaN();
    else expect(other, name).toBeCloseTo(value, 9);
  }
}

describe('whatever the predictions', () => {
  test('every metric lies in its range', () => {
    fc.assert(
      fc.property(predictions, (p) => {
        const all = classificationMetrics(p);
        for (const [name, value] of Object.entries(all)) {
          if (name === 'auroc' && Number.isNaN(value)) continue;
          const [low, high] = name === 'matthews' ? [-1, 1] : name === 'logLoss' ? [0, 16] : [0, 1];
          expect(value, name).toBeGreaterThanOrEqual(low! - 1e-12);
          expect(value, name).toBeLessThanOrEqual(
            name === 'brier' && p.classes > 2 ? 2 : high! + 1e-9,
          );
        }
        expect('top5' in all).toBe(p.classes > 5);
      }),
    );
  });

  test('the order of the samples does not matter', () => {
    fc.assert(
      fc.property(predictions, fc.integer(), (p, seed) => {
        expectSame(pick(p, KeyedRandom.of(seed).permutation(p.labels.length)), p);
      }),
    );
  });

  test('a weight of k is k equal samples, a weight of 0 no sample', () => {
    fc.assert(
      fc.property(predictions, fc.integer(), (p, seed) => {
        const random = KeyedRandom.of(seed);
        const weights = p.weights.map((w, i) => (i > 0 && random.bernoulli(i, 0.3) ? 0 : w));
        const copies = weights.flatMap((w, i) => Array<number>(w).fill(i));
        const { weights: _, ...plain } = p;
        expectSame({ ...p, weights }, pick(plain, copies));
      }),
    );
  });

  test('top-k grows with k, from accuracy to 1', () => {
    fc.assert(
      fc.property(predictions, (p) => {
        const all = Array.from({ length: p.classes }, (_, k) => topKAccuracy(p, k + 1));
        expect(all[0]).toBeCloseTo(accuracy(p), 12);
        expect(all.at(-1)).toBeCloseTo(1, 12);
        for (let k = 1; k < all.length; k++)
          expect(all[k]!).toBeGreaterThanOrEqual(all[k - 1]! - 1e-12);
      }),
    );
  });

  test('matrix and bins hold the weight of all samples, mistakes the rest of it', () => {
    fc.assert(
      fc.property(predictions, (p) => {
        const total = p.weights.reduce((a, b) => a + b, 0);
        const matrix = confusionMatrix(p);
        expect(matrix.counts.reduce((a, b) => a + b, 0)).toBe(total);
        const inBins = reliability(p).reduce((sum, b) => sum + b.count, 0);
        expect(inBins).toBe(total);
        const wrong = mostConfused(matrix).reduce((sum, c) => sum + c.count, 0);
        expect(wrong).toBeCloseTo(total * (1 - accuracy(p)), 9);
      }),
    );
  });

  test('two classes: AUROC is the share of pairs in the right order, halves for ties', () => {
    const two = predictions.filter((p) => p.classes === 2);
    fc.assert(
      fc.property(two, ({ weights: _, ...p }) => {
        let [pairs, good] = [0, 0];
        for (const [i, a] of p.labels.entries()) {
          for (const [j, b] of p.labels.entries()) {
            if (a !== 1 || b !== 0) continue;
            pairs++;
            const difference = p.probabilities[2 * i + 1]! - p.probabilities[2 * j + 1]!;
            good += difference > 0 ? 1 : difference === 0 ? 0.5 : 0;
          }
        }
        if (pairs === 0) expect(auroc(p)).toBeNaN();
        else expect(auroc(p)).toBeCloseTo(good / pairs, 12);
      }),
    );
  });
});

const three: Predictions = {
  classes: 3,
  probabilities: Float32Array.of(0.7, 0.2, 0.1, 0.3, 0.6, 0.1, 0.5, 0.3, 0.2, 0.1, 0.8, 0.1),
  labels: [0, 1, 1, 0],
};

test('absent classes: out of the macro averages, unless they are predicted', () => {
  expect(macroF1(three)).toBeCloseTo(0.5, 12);
  // Sample 0 is now taken for class 2: F1 of 0, 0.5 and 0.
  const wrong = { ...three, probabilities: three.probabilities.slice() };
  wrong.probabilities.set([0.1, 0.2, 0.7]);
  expect(macroF1(wrong)).toBeCloseTo(1 / 6, 12);
  expect(auroc(three)).toBeCloseTo((0.5 + 0.5) / 2, 12);
});

test('the upper edge of a reliability bin belongs to it, the lower one does not', () => {
  const p = {
    classes: 2,
    probabilities: Float32Array.of(0.5, 0.5, 0.25, 0.75, 0, 1),
    labels: [0, 1, 0],
  };
  const bins = reliability(p, 4);
  expect(bins.map((b) => b.count)).toEqual([0, 1, 1, 1]);
  expect(bins[1]).toEqual({ low: 0.25, high: 0.5, count: 1, confidence: 0.5, accuracy: 1 });
  expect(bins[3]!.accuracy).toBe(0);
});

test('mostConfused: most frequent first, with shares, limited', () => {
  const matrix = { classes: 3, counts: Float64Array.of(5, 2, 0, 0, 0, 3, 0, 2, 0) };
  expect(mostConfused(matrix)).toEqual([
    { actual: 1, predicted: 2, count: 3, share: 1 },
    { actual: 2, predicted: 1, count: 2, share: 1 },
    { actual: 0, predicted: 1, count: 2, share: 2 / 7 },
  ]);
  expect(mostConfused(matrix, 1)).toHaveLength(1);
});

describe('the bootstrap', () => {
  const random = KeyedRandom.of(7);
  /** 200 samples of two classes, 80 % of them right. */
  const many: Predictions = {
    classes: 2,
    probabilities: Float32Array.from({ length: 400 }, (_, i) =>
      Math.floor(i / 2) % 5 === 0 ? 1 - (i & 1) : i & 1,
    ),
    labels: Array<number>(200).fill(1),
  };

  test('has the width that theory gives: 1.96 sqrt(p (1 - p) / n) on either side', () => {
    const { value, low, high } = bootstrapInterval(accuracy, many, { random, replicates: 4000 });
    const half = 1.96 * Math.sqrt((0.8 * 0.2) / 200);
    expect(value).toBeCloseTo(0.8, 12);
    expect(Math.abs(value - low - half)).toBeLessThan(0.006);
    expect(Math.abs(high - value - half)).toBeLessThan(0.006);
  });

  test('is the same for the same key, another for another, narrower for a lower level', () => {
    const of = (key: KeyedRandom, level?: number) =>
      bootstrapInterval(accuracy, many, { random: key, replicates: 300, ...(level && { level }) });
    expect(of(random)).toEqual(of(KeyedRandom.of(7)));
    expect(of(random)).not.toEqual(of(KeyedRandom.of(8)));
    expect(of(random, 0.5).low).toBeGreaterThan(of(random, 0.95).low);
  });

  test('leaves out draws without a value, and samples of weight 0', () => {
    const rare = { ...three, labels: [0, 1, 0, 0], weights: [1, 1, 1, 0] };
    const { low, high } = bootstrapInterval(auroc, rare, { random, replicates: 200 });
    expect(low).toBeGreaterThanOrEqual(0);
    expect(high).toBeLessThanOrEqual(1);
    const none = bootstrapInterval(() => Number.NaN, rare, { random, replicates: 3 });
    expect([none.low, none.high]).toEqual([Number.NaN, Number.NaN]);
    expect(() => bootstrapInterval(accuracy, three, { random, level: 1 })).toThrow(ConfigError);
    expect(() => bootstrapInterval(accuracy, three, { random, replicates: 0 })).toThrow(
      /replicate/,
    );
  });
});

describe('betterThanGuessing', () => {
  const guesses = (seed: number, count: number, classes: number) =>
    Array.from({ length: count }, (_, i) => KeyedRandom.of(seed).integer(i, classes));

  test.each([2, 5])('of %i classes passes over most who guess', (classes) => {
    const lucky = Array.from({ length: 200 }, (_, seed) => {
      const [labels, said] = [guesses(seed, 100, classes), guesses(seed + 1000, 100, classes)];
      const probabilities = new Float32Array(100 * classes);
      for (const [i, c] of said.entries()) probabilities[i * classes + c] = 1;
      const { matthews } = classificationMetrics({ classes, labels, probabilities });
      return betterThanGuessing(matthews, 100);
    });
    expect(lucky.filter(Boolean).length).toBeLessThan(12);
  });

  test('sees who knows a little, from enough samples', () => {
    // 60 % right of two even classes: a correlation of 0.2.
    expect(betterThanGuessing(0.2, 50)).toBe(false);
    expect(betterThanGuessing(0.2, 200)).toBe(true);
    expect(betterThanGuessing(0, 1e9)).toBe(false);
    expect(betterThanGuessing(-0.5, 1000)).toBe(false);
    expect(() => betterThanGuessing(1, 0)).toThrow(/number of samples >= 1, got 0/);
  });
});

describe('transferGain', () => {
  test('tells help, harm and noise apart', () => {
    expect(transferGain([0.9, 0.91, 0.92], [0.6, 0.62, 0.61])).toMatchObject({ verdict: 'helped' });
    expect(transferGain([0.6, 0.62, 0.61], [0.9, 0.91, 0.92])).toMatchObject({ verdict: 'hurt' });
    const same = transferGain([0.8, 0.9], [0.82, 0.87]);
    expect(same.verdict).toBe('within-noise');
    expect(same.low).toBeLessThan(0);
    expect(transferGain([0.9], [0.1, 0.2])).toMatchObject({ verdict: 'noise-unknown' });
  });

  test('turns round for a loss, and takes sides without spread', () => {
    const gain = transferGain([0.2, 0.2], [0.5, 0.5], { higherIsBetter: false });
    expect(gain).toEqual({ gain: 0.3, low: 0.3, high: 0.3, verdict: 'helped' });
    expect(transferGain([1, 1], [1, 1])).toMatchObject({ gain: 0, verdict: 'within-noise' });
    expect(LOWER_IS_BETTER.has('logLoss')).toBe(true);
    expect(LOWER_IS_BETTER.has('f1')).toBe(false);
  });

  test('refuses an empty side and values that are no numbers', () => {
    expect(() => transferGain([], [1])).toThrow(/values of transfer are \[\]/);
    expect(() => transferGain([1], [Number.NaN])).toThrow(/values of scratch are \[NaN\]/);
  });
});

describe('predictions that make no sense are refused:', () => {
  const with_ = (change: Partial<Predictions>) => () => accuracy({ ...three, ...change });
  test.each([
    ['lengths', with_({ labels: [0] }), /12 probabilities for 1 labels and 3 classes/],
    ['a label that is no class', with_({ labels: [0, 1, 3, 0] }), /label 2 is 3.*0 to 2/],
    ['a label that is no integer', with_({ labels: [0, 1, 0.5, 0] }), /label 2 is 0.5/],
    ['NaN', with_({ probabilities: new Float32Array(12).fill(Number.NaN) }), /NaN.*diverged/],
    ['logits', with_({ probabilities: new Float32Array(12).fill(3) }), /probability 3 .*softmax/],
    ['weights of another length', with_({ weights: [1] }), /1 weights for 4 samples/],
    ['a negative weight', with_({ weights: [1, -1, 1, 1] }), /weight 1 is -1/],
    ['no weight at all', with_({ weights: [0, 0, 0, 0] }), /all 4 samples have weight 0/],
    ['no samples', with_({ labels: [], probabilities: new Float32Array() }), /no samples/],
    ['top 0', () => topKAccuracy(three, 0), /k is 0; expected 1 to 3/],
    ['no bins', () => reliability(three, 0), /0 bins/],
  ])('%s', (_, run, message) => {
    expect(run).toThrow(ConfigError);
    expect(run).toThrow(message);
  });
});
