/**
 * x scale + shift + residual with one scale and shift a channel: the backward passes of softmax and
 * of every normalisation end in it, and a batch norm by running statistics is it. All of them are
 * bound by memory, so what counts is how many times the data is read and written.
 */
import { ShapeError } from '../errors.js';
import {
  defineOp,
  filled,
  formatType,
  type OnnxEmitter,
  sameShape,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { mul } from './arithmetic.js';
import { requireFloat, requireSameDType } from './check.js';
import { reshape, sum, unsqueeze } from './layout.js';

interface ChannelAffineAttrs {
  readonly shift: boolean;
  readonly residual: boolean;
}

/** Below this many elements a channel the fixed cost of a group outweighs the pass it saves. */
const MIN_FUSED_LENGTH = 48;

/**
 * y[n, c, ...] = x[n, c, ...] scale[c] + shift[c] + residual[n, c, ...].
 * dx = dy scale, dscale = sum of dy x, dshift = sum of dy (over all but the channel axis),
 * dresidual = dy.
 */
export const channelAffineOp = defineOp<ChannelAffineAttrs>({
  name: 'channelAffine',
  infer: (inputs, { shift, residual }) => {
    const [x, scale] = inputs as [TensorType, TensorType];
    requireFloat('channelAffine', x);
    const dtype = requireSameDType('channelAffine', inputs);
    for (const vector of shift ? [scale, inputs[2]!] : [scale]) {
      if (x.shape.length < 2 || !sameShape(vector.shape, [x.shape[1]!])) {
        throw new ShapeError(
          `channelAffine: ${formatType(vector)} must have one value for each of the channels (axis 1) of ${formatType(x)}.`,
          { op: 'channelAffine', x: x.shape, vector: vector.shape },
        );
      }
    }
    if (residual && !sameShape(inputs.at(-1)!.shape, x.shape)) {
      throw new ShapeError(
        `channelAffine: the residual is ${formatType(inputs.at(-1)!)} but x is ${formatType(x)}; they must have the same shape.`,
        { op: 'channelAffine', x: x.shape, residual: inputs.at(-1)!.shape },
      );
    }
    return { dtype, shape: x.shape };
  },
  grad: ({ inputs: [x, scale], attrs: { shift, residual }, dy, needs }) => {
    const axes = [...x!.shape.keys()].filter((a) => a !== 1);
    return [
      needs[0] ? channelAffine(dy, { scale: scale! }) : null,
      needs[1] ? sum(mul(dy, x!), { axes }) : null,
      ...(shift ? [needs[2] ? sum(dy, { axes }) : null] : []),
      ...(residual ? [dy] : []),
    ];
  },
  onnx: (emit, { inputs, attrs }) => {
    const [x, scale] = inputs as [Tensor, Tensor];
    const shift = attrs.shift ? inputs[2]! : null;
    const residual = attrs.residual ? inputs.at(-1)! : null;
    const native = emit.target === 'cpu' || emit.target === 'wasm';
    const long = x.rank >= 3 && sizeOf(x.shape.slice(2)) >= MIN_FUSED_LENGTH;
    if (native && long && residual && x.dtype === 'float32') {
      return emitFused(emit, x, scale, shift, residual);
    }
    const folds = native || emit.target === 'portable';
    if (folds && long && shift && !residual) return emitBatchNorm(emit, x, scale, shift);
    const column = (t: Tensor) =>
      emit.one('Reshape', [emit.name(t), emit.ints([t.size, ...x.shape.slice(2).map(() => 1)])]);
    let y = emit.one('Mul', [emit.name(x), column(scale)]);
    if (shift) y = emit.one('Add', [y, column(shift)]);
    return residual ? emit.one('Add', [y, emit.name(residual)]) : y;
  },
});

/** ONNX Runtime's convolution that adds a tensor, one 1x1 filter a channel: all in one pass. */
function emitFused(
  emit: OnnxEmitter,
  x: Tensor,
  scale: Tensor,
  shift: Tensor | null,
  residual: Tensor,
): string {
  const [batch, channels] = x.shape as readonly [number, number];
  const map = emit.ints([batch, channels, 1, sizeOf(x.shape.slice(2))]);
  const y = emit.one(
    'FusedConv',
    [
      emit.one('Reshape', [emit.name(x), map]),
      emit.one('Reshape', [emit.name(scale), emit.ints([channels, 1, 1, 1])]),
      shift ? emit.name(shift) : '',
      emit.one('Reshape', [emit.name(residual), map]),
    ],
    { group: { int: channels } },
    'com.microsoft',
  );
  return emit.one('Reshape', [y, emit.ints(x.shape)]);
}

/**
 * A batch norm of mean 0 and variance 1: one pass where Mul and Add are two, and a form that ONNX
 * Runtime folds into a convolution of constant weights before it.
 */
function emitBatchNorm(emit: OnnxEmitter, x: Tensor, scale: Tensor, shift: Tensor): string {
  const moments = [0, 1].map((v) => emit.constant(filled(x.dtype, scale.shape, v)));
  return emit.one(
    'BatchNormalization',
    [emit.name(x), emit.name(scale), emit.name(shift), ...moments],
    { epsilon: { float: 0 } },
  );
}

/** Operands of {@link channelAffine}. */
export interface ChannelAffineOptions {
  /** [channels] */
  readonly scale: Tensor;
  /** [channels]; none by default. */
  readonly shift?: Tensor;
  /** A tensor of the shape of `x` that is added; none by default. */
  readonly residual?: Tensor;
}

/**
 * `x scale + shift + residual` with one scale and shift a channel.
 * @param x [batch, channels, ...]
 */
export function channelAffine(x: Tensor, { scale, shift, residual }: ChannelAffineOptions): Tensor {
  const inputs = [x, scale, ...(shift ? [shift] : []), ...(residual ? [residual] : [])];
  return channelAffineOp.one(inputs, {
    shift: shift !== undefined,
    residual: residual !== undefined,
  });
}

/**
 * Takes a scale a channel off a tensor that was just given one: `t = x scale`, or `t` and null.
 * What is linear in `t` can then have the scale on something smaller than `t`.
 */
export function withoutChannelScale(t: Tensor): {
  readonly x: Tensor;
  readonly scale: Tensor | null;
} {
  const { node } = t;
  if (node.op !== (channelAffineOp as unknown) || node.inputs.length > 2) {
    return { x: t, scale: null };
  }
  return { x: node.inputs[0]!, scale: node.inputs[1]! };
}

/**
 * {@link channelAffine} over the rows of a matrix.
 * @param x [rows, n], as the residual
 * @param operands scale and shift are [rows, 1]
 */
export function rowAffine(x: Tensor, { scale, shift, residual }: ChannelAffineOptions): Tensor {
  const y = channelAffine(unsqueeze(x, 0), {
    scale: reshape(scale, [scale.size]),
    ...(shift ? { shift: reshape(shift, [shift.size]) } : {}),
    ...(residual ? { residual: unsqueeze(residual, 0) } : {}),
  });
  return reshape(y, x.shape);
}
