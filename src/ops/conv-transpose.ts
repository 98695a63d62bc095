/** Transposed convolution: the gradient of a convolution by its input, used as a layer. */
import { ConfigError, ShapeError } from '../errors.js';
import { formatType, type Tensor } from '../graph/index.js';
import { add } from './arithmetic.js';
import { requireRank } from './check.js';
import { convInputGradOp } from './conv.js';
import { reshape } from './layout.js';
import { kernelSpan, type PerAxis, perAxis, resolvePadding } from './window.js';

/** Options of {@link convTranspose1d} and {@link convTranspose2d}. */
export interface ConvTransposeOptions {
  /** [out channels]; none by default. */
  readonly bias?: Tensor;
  /** Step in the output for one step in the input. Defaults to 1. */
  readonly stride?: PerAxis;
  /** Elements cut off the output: one number, one an axis, or a pair [before, after] an axis. */
  readonly padding?: number | readonly (number | readonly [number, number])[];
  /** Elements added after the output's end, below the stride. Defaults to 0. */
  readonly outputPadding?: PerAxis;
  /** Distance between elements of the kernel. Defaults to 1. */
  readonly dilation?: PerAxis;
  /** Groups of channels that do not see each other. Defaults to 1. */
  readonly groups?: number;
}

function convolveTransposed(
  op: string,
  axes: number,
  x: Tensor,
  w: Tensor,
  options: ConvTransposeOptions,
): Tensor {
  const { bias, stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
  requireRank(op, 'the input', x, axes + 2);
  requireRank(op, 'the weight', w, axes + 2);
  if (x.shape[1] !== w.shape[0]) {
    throw new ShapeError(
      `${op}: input has ${x.shape[1]} channels but weight expects ${w.shape[0]} (x ${formatType(x)}, w ${formatType(w)}). A transposed convolution's weight is [in channels, out channels / groups, kernel].`,
      { op, x: x.shape, w: w.shape },
    );
  }
  const strides = perAxis(op, 'stride', stride, axes, 1);
  const dilations = perAxis(op, 'dilation', dilation, axes, 1);
  const extra = perAxis(op, 'outputPadding', outputPadding, axes, 0);
  perAxis(op, 'groups', groups, 1, 1);
  const kernel = w.shape.slice(2);
  const pads = resolvePadding(op, padding, x.shape.slice(2), kernel, strides, dilations);
  const size = x.shape.slice(2).map((n, i) => {
    if (extra[i]! >= strides[i]!) {
      throw new ConfigError(
        `${op}: outputPadding ${extra[i]} of spatial axis ${i} must be below its stride ${strides[i]}: it only tells apart the sizes that the stride rounds to one.`,
        { op, outputPadding: extra },
      );
    }
    const span = kernelSpan(kernel[i]!, dilations[i]!);
    return (n - 1) * strides[i]! + span + extra[i]! - pads[i]! - pads[axes + i]!;
  });
  const y = convInputGradOp.one([x, w], { strides, pads, dilations, groups, size });
  return bias ? add(y, reshape(bias, [bias.size, ...kernel.map(() => 1)])) : y;
}

/**
 * 1-d transposed convolution.
 * @param x [batch, channels, length]
 * @param w [channels, out channels / groups, kernel]
 * @returns [batch, out channels, (length - 1) stride - padding + span + outputPadding]
 */
export function convTranspose1d(x: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose1d', 1, x, w, options);
}

/**
 * 2-d transposed convolution.
 * @param x [batch, channels, height, width]
 * @param w [channels, out channels / groups, kernel height, kernel width]
 * @returns [batch, out channels, height', width'], each (n - 1) stride - padding + span + outputPadding
 */
export function convTranspose2d(x: Tensor, w: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return convolveTransposed('convTranspose2d', 2, x, w, options);
}
