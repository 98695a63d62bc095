/** Instance and group norm: channels, or groups of them, of each sample by their own statistics. */
import { ShapeError } from '../errors.js';
import { defineOp, filled, formatType, type Tensor } from '../graph/index.js';
import { add, mul, sub } from './arithmetic.js';
import { channelAffine } from './channel-affine.js';
import { requireFloat } from './check.js';
import { full, reshape, sum } from './layout.js';
import { normRows, normRowsGradient } from './norm.js';
import { rsqrt } from './unary.js';

/**
 * y = (x - mean) / sqrt(variance + epsilon) over the axes after the channels, for each sample and
 * channel. The statistics are worked out again in the backward pass: ONNX's operation keeps none.
 */
export const instanceNormOp = defineOp<{ epsilon: number }>({
  name: 'instanceNorm',
  infer: ([x]) => {
    requireFloat('instanceNorm', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: ({ inputs: [x], attrs: { epsilon }, dy }) => {
    const rows = normRows(x!, x!.rank - 2);
    const n = rows.shape[1]!;
    const mean = mul(sum(rows, { axes: 1, keepDims: true }), 1 / n);
    const centred = sub(rows, mean);
    const variance = mul(sum(mul(centred, centred), { axes: 1, keepDims: true }), 1 / n);
    const { dx } = normRowsGradient({
      x: rows,
      dy: reshape(dy, rows.shape),
      scale: null,
      mean,
      inverse: rsqrt(add(variance, epsilon)),
      dMean: null,
      dInverse: null,
    });
    return [reshape(dx, x!.shape)];
  },
  onnx: (emit, { inputs: [x], attrs: { epsilon } }) => {
    const channels = [x!.shape[1]!];
    const [ones, zeros] = [1, 0].map((v) => emit.constant(filled(x!.dtype, channels, v)));
    return emit.one('InstanceNormalization', [emit.name(x!), ones!, zeros!], {
      epsilon: { float: epsilon },
    });
  },
});

/** Options of {@link groupNorm} and {@link instanceNorm}. */
export interface GroupNormOptions {
  /** [channels]; ones by default. */
  readonly scale?: Tensor;
  /** [channels]; none by default. */
  readonly bias?: Tensor;
  /** Added to the variance. Defaults to 1e-5. */
  readonly epsilon?: number;
}

function affineChannels(x: Tensor, scale: Tensor | undefined, bias: Tensor | undefined): Tensor {
  if (!scale && !bias) return x;
  const gain = scale ?? full(x.dtype, [x.shape[1]!], 1);
  return channelAffine(x, bias ? { scale: gain, shift: bias } : { scale: gain });
}

/**
 * Instance normalisation: every channel of every sample by its own statistics.
 * @param x [batch, channels, ...spatial]
 */
export function instanceNorm(
  x: Tensor,
  { scale, bias, epsilon = 1e-5 }: GroupNormOptions = {},
): Tensor {
  if (x.rank < 3) {
    throw new ShapeError(
      `instanceNorm: expected [batch, channels, ...spatial], got ${formatType(x)}, which has no spatial axis. Use layerNorm.`,
      { op: 'instanceNorm', shape: x.shape },
    );
  }
  return affineChannels(instanceNormOp.one([x], { epsilon }), scale, bias);
}

/**
 * Group normalisation: the channels in `groups` groups, each group of each sample by its own
 * statistics, then scale and bias a channel.
 * @param x [batch, channels, ...spatial]
 * @see https://arxiv.org/abs/1803.08494
 */
export function groupNorm(
  x: Tensor,
  groups: number,
  { scale, bias, epsilon = 1e-5 }: GroupNormOptions = {},
): Tensor {
  const [batch, channels] = x.shape;
  if (batch === undefined || channels === undefined || channels % groups !== 0) {
    throw new ShapeError(
      `groupNorm: the channels (axis 1) of ${formatType(x)} cannot be cut into ${groups} equal groups.`,
      { op: 'groupNorm', groups, shape: x.shape },
    );
  }
  const grouped = reshape(x, [batch, groups, -1]);
  return affineChannels(reshape(instanceNormOp.one([grouped], { epsilon }), x.shape), scale, bias);
}
