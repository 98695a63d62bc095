/** Logistic regression on fixed features: how much of the labels they tell. */

/** Features of samples, one row each, with labels from 0. */
export interface Labelled {
  readonly features: readonly (readonly number[])[];
  readonly labels: readonly number[];
}

function argmax(values: readonly number[]): number {
  return values.indexOf(Math.max(...values));
}

/** A fitted probe: features to a class. */
export type Probe = (features: readonly number[]) => number;

/**
 * Fits by full-batch gradient descent on standardised features.
 * @param decay weight of the squared norm
 */
export function fitProbe({ features, labels }: Labelled, decay = 1e-2, steps = 800): Probe {
  const width = features[0]!.length;
  const count = features.length;
  const classes = Math.max(...labels) + 1;
  const mean = Array.from({ length: width }, (_, j) =>
    features.reduce((sum, row) => sum + row[j]! / count, 0),
  );
  const scale = mean.map((m, j) => {
    const variance = features.reduce((sum, row) => sum + (row[j]! - m) ** 2 / count, 0);
    return variance > 1e-12 ? 1 / Math.sqrt(variance) : 0;
  });
  const standard = (row: readonly number[]) => row.map((v, j) => (v - mean[j]!) * scale[j]!);
  const rows = features.map(standard);
  const weights = Array.from({ length: classes }, () => new Array<number>(width + 1).fill(0));
  const scoresOf = (row: readonly number[]) =>
    weights.map((w) => row.reduce((sum, v, j) => sum + v * w[j]!, w[width]!));
  const rate = 2 / (width + 1);
  for (let step = 0; step < steps; step++) {
    const slopes = weights.map((w) => w.map((v, j) => (j < width ? decay * v : 0)));
    for (const [i, row] of rows.entries()) {
      const scores = scoresOf(row);
      const top = Math.max(...scores);
      const exps = scores.map((s) => Math.exp(s - top));
      const total = exps.reduce((a, b) => a + b, 0);
      for (let c = 0; c < classes; c++) {
        const error = (exps[c]! / total - (labels[i] === c ? 1 : 0)) / count;
        const slope = slopes[c]!;
        for (let j = 0; j < width; j++) slope[j]! += error * row[j]!;
        slope[width]! += error;
      }
    }
    for (const [c, w] of weights.entries()) {
      for (let j = 0; j <= width; j++) w[j]! -= rate * slopes[c]![j]!;
    }
  }
  return (row) => argmax(scoresOf(standard(row)));
}

/** Share of samples that a probe gets right. */
export function probeAccuracy(probe: Probe, { features, labels }: Labelled): number {
  const right = features.filter((row, i) => probe(row) === labels[i]);
  return right.length / features.length;
}
