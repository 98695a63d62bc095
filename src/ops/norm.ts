/** Layer and RMS norm: the trailing axes of each sample by their own statistics. */
import { ConfigError, ShapeError } from '../errors.js';
import {
  defineOp,
  formatType,
  type OnnxEmitter,
  type Shape,
  sameShape,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { add, mul, neg, sub } from './arithmetic.js';
import { rowAffine } from './channel-affine.js';
import { requireFloat, requireSameDType } from './check.js';
import { full, reshape, sum } from './layout.js';
import { matmul } from './matmul.js';

interface NormAttrs {
  /** Number of trailing axes that are normalised together. */
  readonly axes: number;
  readonly epsilon: number;
}

function statisticsShape(shape: Shape, axes: number): number[] {
  return shape.map((d, a) => (a < shape.length - axes ? d : 1));
}

function requireTrailing(op: string, what: string, t: TensorType, x: TensorType, axes: number) {
  if (!sameShape(t.shape, x.shape.slice(-axes))) {
    throw new ShapeError(
      `${op}: ${what} is ${formatType(t)} but the normalised axes of ${formatType(x)} are [${x.shape.slice(-axes).join(',')}].`,
      { op, what, shape: t.shape, x: x.shape, axes },
    );
  }
}

/** What the backward passes work on: rows of n elements, and their statistics as [rows, 1]. */
export interface NormRows {
  readonly x: Tensor;
  readonly dy: Tensor | null;
  /** [n], or null for a scale of one. */
  readonly scale: Tensor | null;
  /** Null for norms that do not subtract a mean. */
  readonly mean: Tensor | null;
  /** 1 / standard deviation (or root mean square). */
  readonly inverse: Tensor;
  readonly dMean: Tensor | null;
  readonly dInverse: Tensor | null;
}

/**
 * With h = scale dy, c = x - mean and r = inverse, a row's gradient is
 *
 *     dx = r h + c (-r^3 / n) (sum(h c) + dr) + (dmean - r sum(h)) / n
 *
 * and since the sums, sum(h x) and sum(h), are products with the scale as a vector, c is never
 * made: the data is passed over five times. Multiplying x instead of c costs no more digits than
 * x has lost by being stored.
 */
export function normRowsGradient(r: NormRows): { dx: Tensor; product: Tensor | null } {
  const { x, dy, scale, mean, inverse, dMean, dInverse } = r;
  const n = x.shape[1]!;
  const product = dy && mul(dy, x);
  const total = (t: Tensor) =>
    scale ? matmul(t, reshape(scale, [n, 1])) : sum(t, { axes: 1, keepDims: true });
  const sumH = dy && mean && total(dy);
  let slope = product && total(product);
  if (slope && sumH) slope = sub(slope, mul(mean, sumH));
  if (dInverse) slope = slope ? add(slope, dInverse) : dInverse;
  const cubed = mul(mul(inverse, inverse), inverse);
  const rowScale = slope ? mul(mul(slope, cubed), -1 / n) : full(x.dtype, inverse.shape, 0);
  let shift: Tensor | null = mean && neg(mul(mean, rowScale));
  if (sumH) shift = sub(shift!, mul(mul(inverse, sumH), 1 / n));
  if (dMean) shift = add(shift!, mul(dMean, 1 / n));
  const residual = dy && mul(scale ? mul(dy, scale) : dy, inverse);
  const dx = rowAffine(x, {
    scale: rowScale,
    ...(shift ? { shift } : {}),
    ...(residual ? { residual } : {}),
  });
  return { dx, product };
}

/** x as rows: the normalised axes become the second one. */
export function normRows(t: Tensor, axes: number): Tensor {
  const n = sizeOf(t.shape.slice(t.rank - axes));
  return reshape(t, [n === 0 ? 0 : t.size / n, n]);
}

/**
 * y = (x - mean) / sqrt(variance + epsilon) scale + bias over the trailing axes; the mean and the
 * inverse deviation are outputs too, since the backward pass reads them.
 * dx: see {@link normRowsGradient}; dscale = sum over rows of dy (x - mean) / deviation, dbias = sum dy.
 */
export const layerNormOp = defineOp<NormAttrs>({
  name: 'layerNorm',
  infer: (inputs, { axes }) => {
    const [x, scale, bias] = inputs as [TensorType, TensorType, TensorType | undefined];
    requireFloat('layerNorm', x);
    const dtype = requireSameDType('layerNorm', inputs);
    requireTrailing('layerNorm', 'scale', scale, x, axes);
    if (bias) requireTrailing('layerNorm', 'bias', bias, x, axes);
    const shape = statisticsShape(x.shape, axes);
    return [
      { dtype, shape: x.shape },
      { dtype, shape },
      { dtype, shape },
    ];
  },
  grad: ({ inputs, outputs: [, meanOut, inverseOut], attrs: { axes }, dys, needs }) => {
    const [x, scale] = inputs as [Tensor, Tensor];
    const rows = (t: Tensor | null | undefined) => (t ? normRows(t, axes) : null);
    const flatScale = reshape(scale, [scale.size]);
    const mean = normRows(meanOut!, axes);
    const inverse = normRows(inverseOut!, axes);
    const dy = rows(dys[0]);
    const { dx, product } = normRowsGradient({
      x: normRows(x, axes),
      dy,
      scale: flatScale,
      mean,
      inverse,
      dMean: rows(dys[1]),
      dInverse: rows(dys[2]),
    });
    const dScale = needs[1] && dy && product ? scaleGradient(dy, product, mean, inverse) : null;
    const dBias = needs[2] && dy ? sum(dy, { axes: 0, keepDims: true }) : null;
    return [
      reshape(dx, x.shape),
      dScale && reshape(dScale, scale.shape),
      ...(inputs.length > 2 ? [dBias && reshape(dBias, scale.shape)] : []),
    ];
  },
  onnx: (emit, { inputs, outputs, attrs: { axes, epsilon } }) =>
    emit.node(
      'LayerNormalization',
      inputs.map((t) => emit.name(t)),
      { axis: { int: -axes }, epsilon: { float: epsilon } },
      { outputs: trimmed(outputs.map((t, i) => i === 0 || emit.used(t))) },
    ),
});

/** Drops unused outputs from the end: kernels look at how many there are. */
function trimmed(mask: boolean[]): boolean[] {
  return mask.slice(0, mask.lastIndexOf(true) + 1);
}

/**
 * The sums over rows, as products with vectors of the rows (measured at 2048 x 768: 0.25 ms each
 * against 0.8 for Mul and ReduceSum): dscale = inverse^T (dy x) - (mean inverse)^T dy.
 */
function scaleGradient(dy: Tensor, product: Tensor, mean: Tensor, inverse: Tensor): Tensor {
  const asVector = (t: Tensor) => reshape(t, [1, t.size]);
  return sub(matmul(asVector(inverse), product), matmul(asVector(mul(mean, inverse)), dy));
}

/** Options of {@link layerNorm} and {@link rmsNorm}. */
export interface NormOptions {
  /** Of the shape of the normalised axes; ones by default. */
  readonly scale?: Tensor;
  /** Of the shape of the normalised axes; none by default. */
  readonly bias?: Tensor;
  /** Added to the variance. Defaults to 1e-5. */
  readonly epsilon?: number;
  /** How many trailing axes are normalised together. Defaults to 1. */
  readonly axes?: number;
}

function requireAxes(op: string, x: Tensor, axes: number) {
  if (!Number.isInteger(axes) || axes < 1 || axes > x.rank) {
    throw new ConfigError(
      `${op}: ${axes} trailing axes of ${formatType(x)} cannot be normalised; give a number from 1 to ${x.rank}.`,
      { op, axes, shape: x.shape },
    );
  }
}

/**
 * Layer normalisation: each sample's trailing axes get mean 0 and variance 1, then scale and bias.
 * @param x [..., n]
 * @see https://arxiv.org/abs/1607.06450
 */
export function layerNorm(x: Tensor, options: NormOptions = {}): Tensor {
  return layerNormWithStatistics(x, options).y;
}

/** {@link layerNorm} with the mean and the inverse deviation, both [..., 1]. */
export function layerNormWithStatistics(
  x: Tensor,
  { scale, bias, epsilon = 1e-5, axes = 1 }: NormOptions = {},
): { readonly y: Tensor; readonly mean: Tensor; readonly inverseDeviation: Tensor } {
  requireAxes('layerNorm', x, axes);
  const gain = scale ?? full(x.dtype, x.shape.slice(-axes), 1);
  const inputs = bias ? [x, gain, bias] : [x, gain];
  const [y, mean, inverseDeviation] = layerNormOp.apply(inputs, { axes, epsilon });
  return { y: y!, mean: mean!, inverseDeviation: inverseDeviation! };
}

/**
 * y = x / sqrt(mean(x^2) + epsilon) scale over the trailing axes, and the inverse root mean square.
 * dx: {@link normRowsGradient} without a mean; dscale = sum over rows of dy x / rms.
 */
export const rmsNormOp = defineOp<NormAttrs>({
  name: 'rmsNorm',
  infer: (inputs, { axes }) => {
    const [x, scale] = inputs as [TensorType, TensorType];
    requireFloat('rmsNorm', x);
    const dtype = requireSameDType('rmsNorm', inputs);
    requireTrailing('rmsNorm', 'scale', scale, x, axes);
    return [
      { dtype, shape: x.shape },
      { dtype, shape: statisticsShape(x.shape, axes) },
    ];
  },
  grad: ({ inputs, outputs: [, inverseOut], attrs: { axes }, dys, needs }) => {
    const [x, scale] = inputs as [Tensor, Tensor];
    const inverse = normRows(inverseOut!, axes);
    const { dx, product } = normRowsGradient({
      x: normRows(x, axes),
      dy: dys[0] ? normRows(dys[0], axes) : null,
      scale: reshape(scale, [scale.size]),
      mean: null,
      inverse,
      dMean: null,
      dInverse: dys[1] ? normRows(dys[1], axes) : null,
    });
    const dScale =
      needs[1] && product ? matmul(reshape(inverse, [1, product.shape[0]!]), product) : null;
    return [reshape(dx, x.shape), dScale && reshape(dScale, scale.shape)];
  },
  onnx: (emit, { inputs, outputs, attrs: { axes, epsilon } }) => {
    const wantsInverse = emit.used(outputs[1]!);
    const kept = emit.target === 'cpu' || emit.target === 'wasm';
    if (emit.target === 'portable') {
      const inverse = emitInverseRms(emit, inputs[0]!, axes, epsilon);
      const normed = emit.one('Mul', [emit.name(inputs[0]!), inverse]);
      return [emit.one('Mul', [normed, emit.name(inputs[1]!)]), inverse];
    }
    // ONNX has this operation from opset 23 on only; ONNX Runtime has it under this name before.
    const made = emit.node(
      'SimplifiedLayerNormalization',
      inputs.map((t) => emit.name(t)),
      { axis: { int: -axes }, epsilon: { float: epsilon } },
      { outputs: kept && wantsInverse ? 2 : 1 },
    );
    if (kept || !wantsInverse) return made;
    // The kernel for WebGPU leaves the second output wrong, so that it is made apart.
    return [made[0]!, emitInverseRms(emit, inputs[0]!, axes, epsilon)];
  },
});

/** 1 / sqrt(mean(x^2) + epsilon) over the trailing axes, of plain operators. */
function emitInverseRms(emit: OnnxEmitter, t: Tensor, axes: number, epsilon: number): string {
  const x = emit.name(t);
  const trailing = emit.ints(Array.from({ length: axes }, (_, i) => i - axes));
  const square = emit.one('ReduceMean', [emit.one('Mul', [x, x]), trailing]);
  const shifted = emit.one('Add', [square, emit.scalar(t.dtype, epsilon)]);
  return emit.one('Reciprocal', [emit.one('Sqrt', [shifted])]);
}

/**
 * Root-mean-square normalisation: like {@link layerNorm} without subtracting the mean.
 * @param x [..., n]
 * @see https://arxiv.org/abs/1910.07467
 */
export function rmsNorm(
  x: Tensor,
  { scale, bias, epsilon = 1e-5, axes = 1 }: NormOptions = {},
): Tensor {
  requireAxes('rmsNorm', x, axes);
  const gain = scale ?? full(x.dtype, x.shape.slice(-axes), 1);
  const y = rmsNormOp.one([x, gain], { axes, epsilon });
  return bias ? add(y, bias) : y;
}
