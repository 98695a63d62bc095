/** Losses: from predictions and targets to one number, with weights that make padding count nothing. */
import { ConfigError, ShapeError } from '../errors.js';
import { defineOp, formatType, type Tensor, type TensorType } from '../graph/index.js';
import { softplus } from './activation.js';
import { add, div, mul, neg, sub } from './arithmetic.js';
import { normalizeAxis, requireDType, requireFloat } from './check.js';
import { equal, notEqual, where } from './compare.js';
import { minimum } from './extrema.js';
import { gather, INDEX_DTYPES } from './gather.js';
import { cast, expand, reshape, sum, unsqueeze } from './layout.js';
import { emitLogSoftmax } from './log-sum-exp.js';
import { pickAlong, scatterAdd } from './scatter.js';
import { logSoftmax, softmax } from './softmax.js';
import { abs, exp } from './unary.js';

/** How the losses of the elements become the result. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of every loss. */
export interface LossOptions {
  /**
   * Factor of each element's loss; must broadcast to the losses. `mean` divides by their sum, so
   * that an element of weight 0 (padding) is as good as absent.
   */
  readonly weights?: Tensor;
  /** Defaults to `mean`; the mean of nothing (all weights 0) is 0. */
  readonly reduction?: Reduction;
}

function reduceLoss(losses: Tensor, { weights, reduction = 'mean' }: LossOptions): Tensor {
  if (!['mean', 'sum', 'none'].includes(reduction)) {
    throw new ConfigError(`loss: reduction '${reduction}' is none of mean, sum and none.`, {
      reduction,
    });
  }
  if (!weights) {
    if (reduction === 'none') return losses;
    const total = sum(losses);
    return reduction === 'sum' ? total : mul(total, 1 / Math.max(1, losses.size));
  }
  const weighted = mul(losses, expand(weights, losses.shape));
  if (reduction === 'none') return weighted;
  const total = sum(weighted);
  if (reduction === 'sum') return total;
  const mass = mul(sum(weights), losses.size / Math.max(1, weights.size));
  return div(total, where(equal(mass, 0), 1, mass));
}

interface CrossEntropyAttrs {
  readonly axis: number;
  readonly smoothing: number;
}

/**
 * With p = softmax(x) and s the smoothing, l = -(1 - s) log p[label] - s mean(log p).
 * dx = dl (p - s / classes - (1 - s) at the label). The probabilities are computed again in the
 * backward pass, where they are needed; a one-hot tensor is never made.
 */
export const crossEntropyOp = defineOp<CrossEntropyAttrs>({
  name: 'crossEntropy',
  infer: ([x, labels], { axis }) => {
    requireFloat('crossEntropy', x!);
    requireDType('crossEntropy (labels)', labels!, INDEX_DTYPES);
    const shape = x!.shape.filter((_, a) => a !== axis);
    if (shape.join() !== labels!.shape.join()) {
      throw new ShapeError(
        `crossEntropy: logits ${formatType(x!)} with classes on axis ${axis} need labels [${shape.join(',')}], got ${formatType(labels!)}. Check the class axis.`,
        { op: 'crossEntropy', logits: x!.shape, labels: labels!.shape, axis },
      );
    }
    return { dtype: x!.dtype, shape };
  },
  grad: ({ inputs: [x, labels], attrs: { axis, smoothing }, dy }) => {
    const column = unsqueeze(dy, axis);
    const p = softmax(x!, axis);
    const even = smoothing === 0 ? p : sub(p, smoothing / x!.shape[axis]!);
    const atLabel = mul(column, smoothing - 1);
    return [scatterAdd(mul(even, column), unsqueeze(labels!, axis), atLabel, axis), null];
  },
  onnx: (emit, { inputs: [x, labels], outputs: [y], attrs: { axis, smoothing } }) => {
    const atAxis = { axis: { int: axis } };
    const index = emit.one('Unsqueeze', [emit.name(labels!), emit.ints([axis])]);
    const logP = emitLogSoftmax(emit, emit.name(x!), x!.dtype, axis);
    const picked = emit.one('GatherElements', [logP, index], atAxis);
    let loss = emit.one('Neg', [picked]);
    if (smoothing !== 0) {
      const mean = emit.one('ReduceMean', [logP, emit.ints([axis])]);
      const [hard, even] = [1 - smoothing, smoothing].map((v) => emit.scalar(x!.dtype, v));
      loss = emit.one('Mul', [loss, hard!]);
      loss = emit.one('Sub', [loss, emit.one('Mul', [mean, even!])]);
    }
    return emit.one('Reshape', [loss, emit.ints(y!.shape)]);
  },
});

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** Share of the target spread evenly over the classes, 0 to 1. Defaults to 0. */
  readonly labelSmoothing?: number;
  /** Factor of each class, [classes]; multiplies the weights. */
  readonly classWeights?: Tensor;
  /** Elements with this label count nothing. None by default. */
  readonly ignoreIndex?: number;
  /** Axis of the classes. Defaults to the last. */
  readonly axis?: number;
}

/**
 * Cross entropy of logits against class numbers.
 * @param logits [..., classes]: any real numbers
 * @param labels int64 or int32 [...]: 0 to classes - 1
 * @example crossEntropy(logits, labels, { ignoreIndex: -100 }) // token classification
 */
export function crossEntropy(
  logits: Tensor,
  labels: Tensor,
  { labelSmoothing = 0, classWeights, ignoreIndex, axis = -1, ...rest }: CrossEntropyOptions = {},
): Tensor {
  const at = normalizeAxis('crossEntropy', axis, logits.rank);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ConfigError(
      `crossEntropy: labelSmoothing is ${labelSmoothing}; it is a share from 0 to 1.`,
      { op: 'crossEntropy', labelSmoothing },
    );
  }
  let { weights } = rest;
  let safe = labels;
  if (ignoreIndex !== undefined) {
    const counts = notEqual(labels, ignoreIndex);
    safe = where(counts, labels, 0);
    const mask = cast(counts, logits.dtype);
    weights = weights ? mul(weights, mask) : mask;
  }
  if (!classWeights) {
    const losses = crossEntropyOp.one([logits, safe], { axis: at, smoothing: labelSmoothing });
    return reduceLoss(losses, withWeights(rest, weights));
  }
  const ofLabel = gather(classWeights, safe);
  if (labelSmoothing === 0) {
    const losses = crossEntropyOp.one([logits, safe], { axis: at, smoothing: 0 });
    return reduceLoss(losses, withWeights(rest, weights ? mul(weights, ofLabel) : ofLabel));
  }
  // The even share of the target is weighted class by class, so it cannot be left to one factor;
  // the mean still divides by the weights of the labels.
  const logP = logSoftmax(logits, at);
  const column = classWeights.shape.concat(new Array(logits.rank - 1 - at).fill(1));
  const even = sum(mul(logP, reshape(classWeights, column)), { axes: at });
  const hard = mul(mul(pickAlong(logP, safe, at), ofLabel), 1 - labelSmoothing);
  const losses = neg(add(hard, mul(even, labelSmoothing / classWeights.size)));
  const base = withWeights(rest, weights);
  if (rest.reduction === 'none' || rest.reduction === 'sum') return reduceLoss(losses, base);
  const total = reduceLoss(losses, { ...base, reduction: 'sum' });
  const mass = sum(weights ? mul(weights, ofLabel) : ofLabel);
  return div(total, where(equal(mass, 0), 1, mass));
}

function withWeights(options: LossOptions, weights: Tensor | undefined): LossOptions {
  return weights ? { ...options, weights } : options;
}

function requireSameShape(op: string, a: TensorType, b: TensorType) {
  if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) {
    throw new ShapeError(
      `${op}: prediction ${formatType(a)} and target ${formatType(b)} must have the same type.`,
      { op, prediction: a.shape, target: b.shape },
    );
  }
}

/**
 * Cross entropy against probabilities (mixed labels, a teacher): -sum of target log softmax(logits).
 * @param logits [..., classes]
 * @param targets of the same shape; each row sums to 1
 */
export function softCrossEntropy(
  logits: Tensor,
  targets: Tensor,
  { axis = -1, ...rest }: LossOptions & { readonly axis?: number } = {},
): Tensor {
  requireSameShape('softCrossEntropy', logits, targets);
  return reduceLoss(neg(sum(mul(targets, logSoftmax(logits, axis)), { axes: axis })), rest);
}

/** Options of {@link distillation}. */
export interface DistillationOptions extends LossOptions {
  /** Divides the logits of both before softmax. Defaults to 1. */
  readonly temperature?: number;
}

/**
 * Kullback-Leibler divergence of the student's softmax from the teacher's, times the squared
 * temperature, which keeps the size of the gradient the same whatever the temperature.
 * @param student [..., classes] logits
 * @param teacher of the same shape
 * @see https://arxiv.org/abs/1503.02531
 */
export function distillation(
  student: Tensor,
  teacher: Tensor,
  { temperature = 1, ...rest }: DistillationOptions = {},
): Tensor {
  requireSameShape('distillation', student, teacher);
  const ofStudent = logSoftmax(mul(student, 1 / temperature));
  const ofTeacher = logSoftmax(mul(teacher, 1 / temperature));
  const divergence = sum(mul(exp(ofTeacher), sub(ofTeacher, ofStudent)), { axes: -1 });
  return mul(reduceLoss(divergence, rest), temperature ** 2);
}

/** Options of {@link binaryCrossEntropy}. */
export interface BinaryCrossEntropyOptions extends LossOptions {
  /** Factor of the positive part, to balance rare positives. Must broadcast; 1 by default. */
  readonly positiveWeight?: Tensor | number;
}

/**
 * Binary cross entropy of logits, element by element (one or many labels a sample).
 * l = (1 - z) softplus(x) + positiveWeight z softplus(-x).
 * @param targets of the shape of `logits`, from 0 to 1
 */
export function binaryCrossEntropy(
  logits: Tensor,
  targets: Tensor,
  { positiveWeight, ...rest }: BinaryCrossEntropyOptions = {},
): Tensor {
  requireSameShape('binaryCrossEntropy', logits, targets);
  if (positiveWeight === undefined) {
    return reduceLoss(sub(softplus(logits), mul(logits, targets)), rest);
  }
  const negative = mul(sub(1, targets), softplus(logits));
  const positive = mul(mul(targets, positiveWeight), softplus(neg(logits)));
  return reduceLoss(add(negative, positive), rest);
}

/** (prediction - target)^2. */
export function squaredError(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  requireSameShape('squaredError', prediction, target);
  const difference = sub(prediction, target);
  return reduceLoss(mul(difference, difference), options);
}

/** |prediction - target|. */
export function absoluteError(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions = {},
): Tensor {
  requireSameShape('absoluteError', prediction, target);
  return reduceLoss(abs(sub(prediction, target)), options);
}

/**
 * d^2 / 2 where |d| < delta and delta (|d| - delta / 2) beyond, for d = prediction - target:
 * squared near zero, linear for outliers.
 * @param options.delta where it turns linear. Defaults to 1.
 */
export function huber(
  prediction: Tensor,
  target: Tensor,
  { delta = 1, ...rest }: LossOptions & { readonly delta?: number } = {},
): Tensor {
  requireSameShape('huber', prediction, target);
  const distance = abs(sub(prediction, target));
  const near = minimum(distance, delta);
  // With n = min(|d|, delta), both cases are n (|d| - n / 2).
  return reduceLoss(mul(near, sub(distance, mul(near, 0.5))), rest);
}
