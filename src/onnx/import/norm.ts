/** Normalisations. */
import { sameShape, scalar, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import { lpNorm } from './nn.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

const batchNorm: Rule = (node) => {
  const x = node.tensor(0);
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => node.tensor(i)) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const epsilon = node.float('epsilon', 1e-5);
  if (node.opset < 9 && !node.flag('spatial', true)) {
    node.fail(
      'normalises every position by itself (spatial = 0), which no exporter writes any more.',
    );
  }
  if (!node.flag('training_mode')) {
    const same = (t: Tensor) => ops.cast(t, x.dtype);
    const parameters = {
      scale: same(scale),
      bias: same(bias),
      mean: same(mean),
      variance: same(variance),
    };
    return ops.batchNorm(x, parameters, { normalizeBy: 'running', epsilon }).y;
  }
  const momentum = node.float('momentum', 0.9);
  const { y, batchMean, batchVariance } = ops.batchNorm(
    x,
    { scale, bias },
    { normalizeBy: 'batch', epsilon },
  );
  const count = x.size / x.shape[1]!;
  // ONNX keeps the variance divided by the count, Graft by the count less one.
  const moved = (old: Tensor, now: Tensor) =>
    ops.add(ops.mul(old, momentum), ops.mul(now, 1 - momentum));
  return [y, moved(mean, batchMean), moved(variance, ops.mul(batchVariance, (count - 1) / count))];
};

/** Trailing axes that are normalised together, and the operands that scale and shift them. */
function trailing(node: OnnxNode) {
  const x = node.tensor(0);
  const axis = node.axis(node.int('axis', -1), x.rank);
  const shape = x.shape.slice(axis);
  const fits = (t: Tensor | undefined) => !t || sameShape(t.shape, shape);
  return { x, axes: x.rank - axis, shape, fits };
}

const layerNorm: Rule = (node) => {
  const { x, axes, fits } = trailing(node);
  const [scale, bias] = [node.tensor(1), node.optional(2)];
  const epsilon = node.float('epsilon', 1e-5);
  const direct = fits(scale) && fits(bias);
  const norm = ops.layerNormWithStatistics(x, {
    ...(direct ? { scale } : {}),
    ...(direct && bias ? { bias } : {}),
    epsilon,
    axes,
  });
  let { y } = norm;
  // Operands that only broadcast to the normalised axes.
  if (!direct) y = bias ? ops.add(ops.mul(y, scale), bias) : ops.mul(y, scale);
  const kept = x.shape.map((d, i) => (i < x.rank - axes ? d : 1));
  const statistic = (t: Tensor) => ops.reshape(t, kept);
  return [
    y,
    node.wants(1) ? statistic(norm.mean) : undefined,
    node.wants(2) ? statistic(norm.inverseDeviation) : undefined,
  ];
};

const rmsNorm: Rule = (node) => {
  const { x, axes, fits } = trailing(node);
  const scale = node.tensor(1);
  const epsilon = node.float('epsilon', 1e-5);
  if (fits(scale)) return ops.rmsNorm(x, { scale, epsilon, axes });
  return ops.mul(ops.rmsNorm(x, { epsilon, axes }), scale);
};

const groupNorm: Rule = (node) => {
  const [x, scale, bias] = [node.tensor(0), node.tensor(1), node.tensor(2)];
  const groups = node.int('num_groups');
  const channels = x.shape[1] ?? node.fail('needs [batch, channels, ...].');
  if (groups < 1 || channels % groups !== 0)
    node.fail(`cannot cut ${channels} channels into ${groups} groups.`);
  // Until opset 21 there was one scale and bias a group.
  const perChannel = (t: Tensor) =>
    t.size === channels
      ? t
      : ops.reshape(ops.expand(ops.reshape(t, [groups, 1]), [groups, channels / groups]), [
          channels,
        ]);
  return ops.groupNorm(x, groups, {
    scale: perChannel(scale),
    bias: perChannel(bias),
    epsilon: node.float('epsilon', 1e-5),
  });
};

const instanceNorm: Rule = (node) =>
  ops.instanceNorm(node.tensor(0), {
    scale: node.tensor(1),
    bias: node.tensor(2),
    epsilon: node.float('epsilon', 1e-5),
  });

/** (x - E x) / sqrt(E x^2 - (E x)^2), kept away from a division by zero. */
const meanVariance: Rule = (node) => {
  const x = node.tensor(0);
  const axes = node.ints('axes', [0, 2, 3]);
  const mean = ops.mean(x, { axes, keepDims: true });
  const square = ops.mean(ops.square(x), { axes, keepDims: true });
  const deviation = ops.sqrt(ops.sub(square, ops.square(mean)));
  return ops.div(ops.sub(x, mean), ops.add(deviation, 1e-9));
};

const lpNormalization: Rule = (node) => {
  const x = node.tensor(0);
  const axis = node.axis(node.int('axis', -1), x.rank);
  const norm = lpNorm(x, node.int('p', 2), [axis]);
  // A row of zeros stays one.
  const zero = ops.equal(norm, scalar(0, x.dtype));
  return ops.div(x, ops.where(zero, scalar(1, x.dtype), norm));
};

/** Largest window of local response normalisation; each element of it is a slice. */
const MAX_WINDOW = 1024;

/** x / (bias + alpha / size * sum of squares over neighbouring channels)^beta. */
const localResponse: Rule = (node) => {
  const x = node.tensor(0);
  const size = node.int('size');
  if (x.rank < 2 || size < 1 || size > MAX_WINDOW) node.fail(`size is ${size}.`);
  const channels = x.shape[1]!;
  const before = Math.floor((size - 1) / 2);
  const squares = ops.pad(
    ops.square(x),
    x.shape.map((_, i): [number, number] => (i === 1 ? [before, size - 1 - before] : [0, 0])),
  );
  const parts = Array.from({ length: size }, (_, i) =>
    ops.slice(squares, { starts: [i], ends: [i + channels], axes: [1] }),
  );
  const scaled = ops.mul(ops.addAll(parts), node.float('alpha', 1e-4) / size);
  return ops.div(x, ops.pow(ops.add(scaled, node.float('bias', 1)), node.float('beta', 0.75)));
};

/** Rules of normalisations. */
export const normRules: Rules = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  RMSNormalization: rmsNorm,
  GroupNormalization: groupNorm,
  InstanceNormalization: instanceNorm,
  MeanVarianceNormalization: meanVariance,
  LpNormalization: lpNormalization,
  LRN: localResponse,
};
