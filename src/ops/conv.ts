/**
 * Convolution and its two gradients. All three are linear in each operand and are read off one
 * trilinear form, T(x, w, g) = sum(conv(x, w) g): `conv` is its derivative by g, `convInputGrad`
 * by x, `convWeightGrad` by w. So the set is closed under differentiation. How each is written as
 * ONNX is chosen by shape in `conv-forms.ts`.
 */
import { ShapeError } from '../errors.js';
import {
  defineOp,
  formatType,
  type Op,
  type Shape,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { mul } from './arithmetic.js';
import { withoutChannelScale } from './channel-affine.js';
import { requireFloat, requireRank, requireSameDType } from './check.js';
import type { ConvAttrs, ConvOpAttrs, InputGradAttrs, WeightGradAttrs } from './conv-attrs.js';
import { emitConv, emitConvInputGrad, emitConvWeightGrad } from './conv-forms.js';
import { reshape, sum } from './layout.js';
import { type Padding, type PerAxis, perAxis, resolvePadding, windowPositions } from './window.js';

function checkOperands(op: string, x: TensorType, w: TensorType, groups: number): void {
  requireFloat(op, x);
  requireSameDType(op, [x, w]);
  if (x.shape.length < 3) {
    throw new ShapeError(
      `${op}: the input must be [batch, channels, spatial axes...], got ${formatType(x)}.`,
      { op, shape: x.shape },
    );
  }
  requireRank(op, 'the weight', w, x.shape.length);
  const [, channels] = x.shape;
  const [out, perGroup] = w.shape;
  if (perGroup! * groups !== channels || out! % groups !== 0) {
    throw new ShapeError(
      `${op}: input has ${channels} channels but weight expects ${perGroup} x ${groups} group${groups === 1 ? '' : 's'} and makes ${out} (x ${formatType(x)}, w ${formatType(w)}). Check groups or the layer order.`,
      { op, x: x.shape, w: w.shape, groups },
    );
  }
}

/** y[n,o,i] = sum over c, k of x[n,c,i s + k d - p] w[o,c,k] + b[o]. See the head of this file for the gradients; db = sum of dy. */
export const convOp: Op<ConvOpAttrs> = defineOp<ConvOpAttrs>({
  name: 'conv',
  infer: ([x, w, bias], attrs) => {
    checkOperands('conv', x!, w!, attrs.groups);
    const [batch, , ...size] = x!.shape;
    const [out, , ...kernel] = w!.shape;
    if (bias && (bias.dtype !== x!.dtype || bias.shape.length !== 1 || bias.shape[0] !== out)) {
      throw new ShapeError(
        `conv: the bias must be ${x!.dtype}[${out}], one number an output channel, got ${formatType(bias)}.`,
        { op: 'conv', bias: bias.shape, channels: out },
      );
    }
    return {
      dtype: x!.dtype,
      shape: [batch!, out!, ...windowPositions('conv', size, kernel, attrs)],
    };
  },
  grad: ({ inputs: [x, w, bias], dy, attrs: { form: _, ...attrs }, needs }) => {
    // The backward pass of a batch norm ends in a scale a channel, which costs less on the weights.
    const { x: g, scale } = withoutChannelScale(dy);
    const filters = scale && reshape(scale, [scale.size, ...w!.shape.slice(1).map(() => 1)]);
    const scaled = (t: Tensor, by: Tensor | null) => (by ? mul(t, by) : t);
    const { shape } = x!;
    return [
      needs[0]
        ? convInputGradOp.one([g, scaled(w!, filters)], { ...attrs, size: shape.slice(2) })
        : null,
      needs[1]
        ? scaled(convWeightGradOp.one([x!, g], { ...attrs, kernel: w!.shape.slice(2) }), filters)
        : null,
      ...(bias ? [needs[2] ? scaled(sum(g, { axes: batchAndSpace(g) }), scale) : null] : []),
    ];
  },
  onnx: emitConv,
});

/**
 * The gradient of a convolution by its input: g [batch, out, ...] and w [out, in / groups, ...]
 * give [batch, in, ...size]. It is also the transposed convolution.
 */
export const convInputGradOp: Op<InputGradAttrs> = defineOp<InputGradAttrs>({
  name: 'convInputGrad',
  infer: ([g, w], { size, ...attrs }) => {
    const x = { dtype: g!.dtype, shape: [g!.shape[0]!, w!.shape[1]! * attrs.groups, ...size] };
    checkGradient('convInputGrad', x, w!, w!.shape.slice(2), g!, attrs);
    return x;
  },
  grad: ({ inputs: [g, w], dy, attrs: { form: _, size: __, ...attrs }, needs }) => [
    needs[0] ? convOp.one([dy, w!], attrs) : null,
    needs[1] ? convWeightGradOp.one([dy, g!], { ...attrs, kernel: w!.shape.slice(2) }) : null,
  ],
  onnx: emitConvInputGrad,
});

/** The gradient of a convolution by its weight: x and g give [out, in / groups, ...kernel]. */
export const convWeightGradOp: Op<WeightGradAttrs> = defineOp<WeightGradAttrs>({
  name: 'convWeightGrad',
  infer: ([x, g], { kernel, ...attrs }) => {
    const shape = [g!.shape[1]!, x!.shape[1]! / attrs.groups, ...kernel];
    const w = { dtype: x!.dtype, shape };
    checkGradient('convWeightGrad', x!, w, kernel, g!, attrs);
    return w;
  },
  grad: ({ inputs: [x, g], dy, attrs: { form: _, kernel: __, ...attrs }, needs }) => [
    needs[0] ? convInputGradOp.one([g!, dy], { ...attrs, size: x!.shape.slice(2) }) : null,
    needs[1] ? convOp.one([x!, dy], attrs) : null,
  ],
  onnx: (emit, node) =>
    emitConvWeightGrad(emit, node, (x, g, form) =>
      convWeightGradOp.one([x, g], { ...node.attrs, form }),
    ),
});

/** Throws unless `g` has the type that conv(x, w) would have. */
function checkGradient(
  op: string,
  x: TensorType,
  w: TensorType,
  kernel: Shape,
  g: TensorType,
  attrs: ConvAttrs,
): void {
  checkOperands(op, x, w, attrs.groups);
  requireSameDType(op, [x, g]);
  const want = [x.shape[0], w.shape[0], ...windowPositions(op, x.shape.slice(2), kernel, attrs)];
  if (want.length !== g.shape.length || want.some((d, i) => d !== g.shape[i])) {
    throw new ShapeError(
      `${op}: a convolution of ${formatType(x)} with ${formatType(w)} gives [${want.join(',')}], but its gradient is ${formatType(g)}.`,
      { op, expected: want, shape: g.shape },
    );
  }
}

function batchAndSpace(y: Tensor): number[] {
  return [...y.shape.keys()].filter((i) => i !== 1);
}

/** Options of {@link conv1d} and {@link conv2d}. */
export interface ConvOptions {
  /** [out channels]; none by default. */
  readonly bias?: Tensor;
  /** Step of the window. Defaults to 1. */
  readonly stride?: PerAxis;
  /** Zeros around the input. Defaults to 0. */
  readonly padding?: Padding;
  /** Distance between elements of the kernel. Defaults to 1. */
  readonly dilation?: PerAxis;
  /** Groups of channels that do not see each other; `channels` of them is a depthwise convolution. */
  readonly groups?: number;
}

/** Convolution over any number of spatial axes; {@link conv1d} and {@link conv2d} fix the number. */
function convolve(op: string, axes: number, x: Tensor, w: Tensor, options: ConvOptions): Tensor {
  const { bias, stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  requireRank(op, 'the input', x, axes + 2);
  requireRank(op, 'the weight', w, axes + 2);
  const strides = perAxis(op, 'stride', stride, axes, 1);
  const dilations = perAxis(op, 'dilation', dilation, axes, 1);
  perAxis(op, 'groups', groups, 1, 1);
  const pads = resolvePadding(op, padding, x.shape.slice(2), w.shape.slice(2), strides, dilations);
  return convOp.one(bias ? [x, w, bias] : [x, w], { strides, pads, dilations, groups });
}

/**
 * 1-d convolution (cross-correlation, as in all deep-learning libraries).
 * @param x [batch, channels, length]
 * @param w [out channels, channels / groups, kernel]
 * @returns [batch, out channels, length']
 */
export function conv1d(x: Tensor, w: Tensor, options: ConvOptions = {}): Tensor {
  return convolve('conv1d', 1, x, w, options);
}

/**
 * 2-d convolution (cross-correlation, as in all deep-learning libraries).
 * @param x [batch, channels, height, width]
 * @param w [out channels, channels / groups, kernel height, kernel width]
 * @returns [batch, out channels, height', width']
 */
export function conv2d(x: Tensor, w: Tensor, options: ConvOptions = {}): Tensor {
  return convolve('conv2d', 2, x, w, options);
}
