/** Every metric against scikit-learn's value (scripts/golden/metrics.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  accuracy,
  auroc,
  averagePrecision,
  balancedAccuracy,
  binaryAuroc,
  binaryAveragePrecision,
  brier,
  type ClassScores,
  classScores,
  confusionMatrix,
  expectedCalibrationError,
  logLoss,
  macroAverage,
  matthews,
  type Predictions,
  reliability,
  studentCdf,
  studentQuantile,
  topKAccuracy,
  transferGain,
  weightedAverage,
} from './index.js';

type Num = number | 'NaN';
interface GoldenCase {
  kind: string;
  classes: number;
  probabilities: number[];
  labels: number[];
  weights: number[] | null;
  accuracy: Num;
  topK: Num[];
  balancedAccuracy: Num;
  perClass: Num[][];
  macro: Num[];
  weighted: Num[];
  aurocPerClass: Num[];
  averagePrecisionPerClass: Num[];
  auroc: Num | null;
  averagePrecision: Num | null;
  confusion: Num[];
  logLoss: Num;
  brier: Num;
  calibrationError: Num;
  bins: Num[][];
  matthews: Num;
}
const golden = JSON.parse(
  readFileSync(new URL('../../test/golden/metrics.json', import.meta.url), 'utf8'),
) as {
  cases: GoldenCase[];
  student: { df: number; p: number; t: number }[];
  gains: { transfer: number[]; scratch: number[]; gain: number; low: number; high: number }[];
};

/** Equal to nine digits as stored, or to single precision where scikit-learn computes in it. */
function near(what: string, got: number, want: Num, tolerance = 2e-8): void {
  if (want === 'NaN') expect(got, what).toBeNaN();
  else {
    expect(Math.abs(got - want), `${what}: ${got}, expected ${want}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(want)),
    );
  }
}
function nearAll(what: string, got: readonly number[], want: readonly Num[], tolerance?: number) {
  expect(got.length, what).toBe(want.length);
  for (const [i, w] of want.entries()) near(`${what}[${i}]`, got[i]!, w, tolerance);
}

const named = golden.cases.map(
  (c, i) =>
    [
      `${i}: ${c.kind}, ${c.labels.length} of ${c.classes}${c.weights ? ', weighted' : ''}`,
      c,
    ] as const,
);

describe.each(named)('case %s', (_, c) => {
  const p: Predictions = {
    probabilities: Float32Array.from(c.probabilities),
    labels: c.labels,
    classes: c.classes,
    ...(c.weights ? { weights: c.weights } : {}),
  };
  const matrix = confusionMatrix(p);
  const scores = classScores(matrix);

  test('confusion matrix, accuracy, top-k, balanced accuracy, Matthews', () => {
    nearAll('confusion', [...matrix.counts], c.confusion);
    near('accuracy', accuracy(p), c.accuracy);
    near('balanced accuracy', balancedAccuracy(p), c.balancedAccuracy);
    near('matthews', matthews(p), c.matthews);
    const top = c.topK.map((_, k) => topKAccuracy(p, k + 1));
    nearAll('top-k', top, c.topK);
  });

  test('precision, recall, F1: each class, macro, weighted', () => {
    const columns = (['precision', 'recall', 'f1', 'support'] as (keyof ClassScores)[]).map(
      (name) => scores.map((s) => s[name]),
    );
    for (const [i, column] of columns.entries()) nearAll(`column ${i}`, column, c.perClass[i]!);
    const triple = ({ precision, recall, f1 }: ReturnType<typeof macroAverage>) => [
      precision,
      recall,
      f1,
    ];
    nearAll('macro', triple(macroAverage(scores)), c.macro);
    nearAll('weighted', triple(weightedAverage(scores)), c.weighted);
  });

  test('AUROC and average precision: each class, and the mean', () => {
    const column = (k: number) => ({
      scores: c.labels.map((_, i) => p.probabilities[i * c.classes + k]!),
      positive: c.labels.map((l) => l === k),
      ...(c.weights ? { weights: c.weights } : {}),
    });
    const all = Array.from({ length: c.classes }, (_, k) => column(k));
    nearAll('auroc', all.map(binaryAuroc), c.aurocPerClass);
    nearAll('average precision', all.map(binaryAveragePrecision), c.averagePrecisionPerClass);
    if (c.auroc !== null) near('auroc', auroc(p), c.auroc);
    if (c.averagePrecision !== null)
      near('average precision', averagePrecision(p), c.averagePrecision);
  });

  test('log loss, Brier, calibration error and its bins', () => {
    near('log loss', logLoss(p), c.logLoss, 2e-6);
    near('brier', brier(p), c.brier, 1e-6);
    near('calibration error', expectedCalibrationError(p), c.calibrationError);
    const bins = reliability(p);
    const rows = bins.map((b) => [b.count, b.confidence, b.accuracy]);
    for (const [i, row] of rows.entries()) nearAll(`bin ${i}`, row, c.bins[i]!);
  });
});

test('Student quantiles are those of scipy, and the distribution undoes them', () => {
  for (const { df, p, t } of golden.student) {
    near(`t(${p}, ${df})`, studentQuantile(p, df), t, 1e-8);
    near(`cdf(t(${p}, ${df}))`, studentCdf(studentQuantile(p, df), df), p, 1e-12);
  }
});

test("gains have scipy's Welch interval", () => {
  for (const { transfer, scratch, ...want } of golden.gains) {
    const got = transferGain(transfer, scratch);
    for (const name of ['gain', 'low', 'high'] as const) near(name, got[name], want[name]);
  }
});
