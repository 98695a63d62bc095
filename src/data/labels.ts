/** What the loss reads beside the model's output. */
import { ConfigError } from '../errors.js';
import { type HostTensor, hostTensor } from '../graph/index.js';

/** How labels become targets and weights. */
export interface LabelOptions {
  readonly classes: number;
  /** Weight of each class in the training loss; 1 by default. */
  readonly classWeights?: readonly number[] | undefined;
  /** Share of each training target that is spread over all classes, in [0, 1). */
  readonly labelSmoothing?: number | undefined;
}

/** Targets and weights of a batch. */
export interface LabelTensors {
  /** float32 [batch, classes] */
  readonly targets: HostTensor;
  /** float32 [batch] */
  readonly weights: HostTensor;
}

/**
 * Refuses options that do not fit the labels.
 * @throws ConfigError
 */
export function checkLabels(labels: readonly number[], options: LabelOptions): void {
  const { classes, classWeights, labelSmoothing = 0 } = options;
  const wrong = labels.find((l) => !Number.isInteger(l) || l < 0 || l >= classes);
  if (wrong !== undefined) {
    throw new ConfigError(`A sample has the label ${wrong}; there are ${classes} classes.`, {
      label: wrong,
      classes,
    });
  }
  if (classWeights && (classWeights.length !== classes || classWeights.some((w) => !(w >= 0)))) {
    throw new ConfigError(
      `There must be one weight of at least 0 for each of ${classes} classes, got ${classWeights.join(', ')}.`,
      { classWeights, classes },
    );
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new ConfigError(`Label smoothing is at least 0 and below 1, got ${labelSmoothing}.`, {
      labelSmoothing,
    });
  }
}

/**
 * Targets and weights of samples. In training they are smoothed and weighted; in evaluation every
 * sample counts the same. Padding (-1) has weight 0 and the target of class 0, so that its loss is
 * a number.
 */
export function labelTensors(
  labels: readonly number[],
  indices: readonly number[],
  { classes, classWeights, labelSmoothing = 0 }: LabelOptions,
  training: boolean,
): LabelTensors {
  const smoothing = training ? labelSmoothing : 0;
  const targets = new Float32Array(indices.length * classes).fill(smoothing / classes);
  const weights = new Float32Array(indices.length);
  indices.forEach((index, row) => {
    const label = index < 0 ? 0 : labels[index]!;
    targets[row * classes + label]! += 1 - smoothing;
    if (index >= 0) weights[row] = training ? (classWeights?.[label] ?? 1) : 1;
  });
  return {
    targets: hostTensor('float32', [indices.length, classes], targets),
    weights: hostTensor('float32', [indices.length], weights),
  };
}

/** Weights that make every class count the same: total / (classes * count of the class). */
export function balancedWeights(labels: readonly number[], classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]!++;
  return counts.map((n) => (n === 0 ? 0 : labels.length / (classes * n)));
}
