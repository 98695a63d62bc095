/**
 * Batch normalisation with its switches apart: which statistics normalise is chosen here; whether
 * scale and bias train is a matter of which parameters move; and whether the running statistics
 * are updated is up to who holds them, from the batch statistics that come back.
 */
import { ShapeError } from '../errors.js';
import {
  defineOp,
  formatType,
  type Node,
  type OnnxEmitter,
  sameShape,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { channelAffine } from './channel-affine.js';
import { requireFloat, requireSameDType } from './check.js';
import { convOp } from './conv.js';
import type { ConvAttrs } from './conv-attrs.js';
import { full, reshape, sum } from './layout.js';
import { rsqrt } from './unary.js';

function requireChannels(x: TensorType, what: string, t: TensorType) {
  if (!sameShape(t.shape, [x.shape[1]!])) {
    throw new ShapeError(
      `batchNorm: ${what} is ${formatType(t)} but ${formatType(x)} has ${x.shape[1]} channels (axis 1).`,
      { op: 'batchNorm', x: x.shape, shape: t.shape },
    );
  }
}

function allButChannels(t: TensorType): number[] {
  return [...t.shape.keys()].filter((a) => a !== 1);
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) scale + bias by the statistics of the batch, and these:
 * mean and (biased) variance of each channel. With r = 1 / sqrt(variance + epsilon), c = x - mean
 * and m elements a channel,
 *
 *     dx = r scale dy + c (2 dvariance - r^3 scale sum(dy c)) / m + (dmean - r scale sum(dy)) / m
 *
 * dscale = r sum(dy c), dbias = sum(dy). As in the other norms sum(dy c) is taken from sum(dy x),
 * so that c is never made.
 */
export const batchNormOp = defineOp<{ epsilon: number }>({
  name: 'batchNorm',
  infer: (inputs) => {
    const [x, scale, bias] = inputs as [TensorType, TensorType, TensorType];
    requireFloat('batchNorm', x);
    const dtype = requireSameDType('batchNorm', inputs);
    requireChannels(x, 'scale', scale);
    requireChannels(x, 'bias', bias);
    const { shape } = scale;
    return [
      { dtype, shape: x.shape },
      { dtype, shape },
      { dtype, shape },
    ];
  },
  grad: ({ inputs, outputs: [, mean, variance], attrs: { epsilon }, dys, needs }) => {
    const [x, scale] = inputs as [Tensor, Tensor];
    const [dy, dMean, dVariance] = dys;
    const axes = allButChannels(x);
    const share = scale.size / x.size;
    const r = rsqrt(add(variance!, epsilon));
    const gain = mul(r, scale);
    const sumDy = dy ? sum(dy, { axes }) : null;
    const sumDyC = dy && sumDy ? sub(sum(mul(dy, x), { axes }), mul(mean!, sumDy)) : null;
    let dx: Tensor | null = null;
    if (needs[0]) {
      // What depends on dy is divided by the gain and multiplied by it last, apart, so that a
      // convolution below can take the factor off the activations (`withoutChannelScale`).
      const zero = full(x.dtype, scale.shape, 0);
      if (sumDy && sumDyC) {
        const slope = neg(mul(mul(r, r), mul(sumDyC, share)));
        const shift = neg(mul(mean!, slope));
        const inner = { scale: slope, shift: sub(shift, mul(sumDy, share)), residual: dy! };
        dx = channelAffine(channelAffine(x, inner), { scale: gain });
      }
      if (dMean || dVariance) {
        const ofVariance = dVariance ? mul(dVariance, 2 * share) : zero;
        const ofMean = dMean ? mul(dMean, share) : zero;
        const operands = { scale: ofVariance, shift: sub(ofMean, mul(mean!, ofVariance)) };
        dx = channelAffine(x, dx ? { ...operands, residual: dx } : operands);
      }
    }
    return [dx, sumDyC && mul(r, sumDyC), sumDy];
  },
  // Browsers' builds of ONNX Runtime and its GPU providers lack the training form of the operation.
  onnx: (emit, node) => (emit.target === 'cpu' ? emitTraining(emit, node) : emitPlain(emit, node)),
});

function emitTraining(
  emit: OnnxEmitter,
  { inputs, attrs: { epsilon } }: Node<{ epsilon: number }>,
) {
  const [x, scale, bias] = inputs as [Tensor, Tensor, Tensor];
  // With momentum 0 the "running" results are the statistics of this batch alone, whatever (finite)
  // numbers come in. ONNX Runtime writes them over those inputs, so each node gets two of its own:
  // a constant would be shared with its equals, and every layer's statistics be the last one's.
  const lastIndex = x.shape.map((d) => d - 1);
  const element = (at: readonly number[]) => {
    const axes = allButChannels(x);
    const one = emit.one('Slice', [
      emit.name(x),
      emit.ints(axes.map((a) => at[a]!)),
      emit.ints(axes.map((a) => at[a]! + 1)),
      emit.ints(axes),
    ]);
    return emit.one('Reshape', [one, emit.ints([scale.size])]);
  };
  const running = [element(x.shape.map(() => 0)), element(lastIndex)];
  return emit.node(
    'BatchNormalization',
    [emit.name(x), emit.name(scale), emit.name(bias), ...running],
    { epsilon: { float: epsilon }, momentum: { float: 0 }, training_mode: { int: 1 } },
    { outputs: 3 },
  );
}

function emitPlain(emit: OnnxEmitter, { inputs, attrs: { epsilon } }: Node<{ epsilon: number }>) {
  const [x, scale, bias] = inputs as [Tensor, Tensor, Tensor];
  const axes = emit.ints(allButChannels(x));
  const column = (name: string) =>
    emit.one('Reshape', [name, emit.ints([scale.size, ...x.shape.slice(2).map(() => 1)])]);
  const flat = (name: string) => emit.one('Reshape', [name, emit.ints([scale.size])]);
  const mean = emit.one('ReduceMean', [emit.name(x), axes]);
  const centred = emit.one('Sub', [emit.name(x), mean]);
  const variance = emit.one('ReduceMean', [emit.one('Mul', [centred, centred]), axes]);
  const shifted = emit.one('Add', [variance, emit.scalar(x.dtype, epsilon)]);
  const gain = emit.one('Div', [column(emit.name(scale)), emit.one('Sqrt', [shifted])]);
  const y = emit.one('Add', [emit.one('Mul', [centred, gain]), column(emit.name(bias))]);
  return [y, flat(mean), flat(variance)];
}

/** Parameters and running statistics of a batch norm, each [channels]. */
export interface BatchNormParameters {
  /** Ones by default. */
  readonly scale?: Tensor;
  /** Zeros by default. */
  readonly bias?: Tensor;
  /** Running mean and variance; needed to normalise by them. */
  readonly mean?: Tensor;
  readonly variance?: Tensor;
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /**
   * `batch`: by mean and variance of this batch, through which gradients flow. `running`: by those
   * given, which makes the layer an affine map a channel and each sample independent of the others.
   */
  readonly normalizeBy: 'batch' | 'running';
  /** Added to the variance. Defaults to 1e-5. */
  readonly epsilon?: number;
}

/** What {@link batchNorm} gives back. */
export interface BatchNormResult {
  readonly y: Tensor;
  /** Mean of this batch, [channels], for updating running statistics; costs nothing when unused. */
  readonly batchMean: Tensor;
  /** Variance of this batch, unbiased (divided by the count less one), as running ones are kept. */
  readonly batchVariance: Tensor;
}

/**
 * Batch normalisation.
 *
 * By running statistics, a convolution right before it is folded: its weight takes the scale and
 * its bias the shift, and the activations are passed over once less.
 * @param x [batch, channels, ...]
 * @throws ShapeError when the batch statistics are asked of one element a channel, or running ones
 *   are not given
 * @see https://arxiv.org/abs/1502.03167
 */
export function batchNorm(
  x: Tensor,
  { scale, bias, mean, variance }: BatchNormParameters,
  { normalizeBy, epsilon = 1e-5 }: BatchNormOptions,
): BatchNormResult {
  if (x.rank < 2) {
    throw new ShapeError(`batchNorm: expected [batch, channels, ...], got ${formatType(x)}.`, {
      op: 'batchNorm',
      shape: x.shape,
    });
  }
  const channels = [x.shape[1]!];
  const count = x.size / x.shape[1]!;
  const gain = scale ?? full(x.dtype, channels, 1);
  const offset = bias ?? full(x.dtype, channels, 0);
  if (normalizeBy === 'batch') {
    if (count < 2) {
      throw new ShapeError(
        `batchNorm: ${formatType(x)} has one element a channel, which has no variance. Use a larger batch, or normalizeBy: 'running'.`,
        { op: 'batchNorm', shape: x.shape },
      );
    }
    const [y, batchMean, biased] = batchNormOp.apply([x, gain, offset], { epsilon });
    return { y: y!, batchMean: batchMean!, batchVariance: mul(biased!, count / (count - 1)) };
  }
  if (!mean || !variance) {
    throw new ShapeError(
      `batchNorm: normalizeBy: 'running' needs the running mean and variance; give both, or use 'batch'.`,
      { op: 'batchNorm' },
    );
  }
  requireChannels(x, 'mean', mean);
  requireChannels(x, 'variance', variance);
  const factor = mul(gain, rsqrt(add(variance, epsilon)));
  const shift = sub(offset, mul(mean, factor));
  return {
    y: foldIntoConv(x, factor, shift) ?? channelAffine(x, { scale: factor, shift }),
    ...statistics(x),
  };
}

/** conv(x, w) s + t = conv(x, w s) + t, with one s and t an output channel. */
function foldIntoConv(y: Tensor, scale: Tensor, shift: Tensor): Tensor | null {
  const { node } = y;
  if (node.op !== (convOp as unknown)) return null;
  const [x, w, bias] = node.inputs as [Tensor, Tensor, Tensor | undefined];
  const weight = mul(w, reshape(scale, [scale.size, ...w.shape.slice(1).map(() => 1)]));
  const offset = bias ? add(mul(bias, scale), shift) : shift;
  return convOp.one([x, weight, offset], node.attrs as ConvAttrs);
}

function statistics(x: Tensor): { batchMean: Tensor; batchVariance: Tensor } {
  const axes = allButChannels(x);
  const count = x.size / x.shape[1]!;
  const mean = mul(sum(x, { axes, keepDims: true }), 1 / count);
  const centred = sub(x, mean);
  return {
    batchMean: reshape(mean, [x.shape[1]!]),
    batchVariance: mul(sum(mul(centred, centred), { axes }), 1 / Math.max(1, count - 1)),
  };
}
