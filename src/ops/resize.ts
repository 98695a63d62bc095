/**
 * Resampling of spatial axes. Along each axis every output element is a fixed mix of input
 * elements, so a resize is one matrix an axis, y = R_h x R_w^T, and its gradient R_h^T dy R_w:
 * the forward pass uses ONNX's Resize, the gradient the matrices.
 */
import { ConfigError, ShapeError } from '../errors.js';
import { constant, defineOp, formatType, type Tensor, type TensorType } from '../graph/index.js';
import { requireFloat } from './check.js';
import { reshape, sum, transpose } from './layout.js';
import { matmul } from './matmul.js';
import { type PerAxis, perAxis } from './window.js';

/**
 * How an output position maps to an input coordinate. `half-pixel`: the centres of elements are at
 * halves, (i + 0.5) / scale - 0.5. `align-corners`: the first and the last centres coincide.
 * `asymmetric`: i / scale.
 */
export type Coordinates = 'half-pixel' | 'align-corners' | 'asymmetric';

interface ResizeAttrs {
  readonly size: readonly number[];
  /** Output elements an input element, where it is not size / input size. */
  readonly scales: readonly number[];
  readonly mode: 'nearest' | 'bilinear';
  readonly coordinates: Coordinates;
}

/** Input coordinate of output element `i`. */
function coordinate(i: number, from: number, to: number, scale: number, how: Coordinates): number {
  if (how === 'align-corners') return to === 1 ? 0 : (i * (from - 1)) / (to - 1);
  return how === 'half-pixel' ? (i + 0.5) / scale - 0.5 : i / scale;
}

/** The matrix of one axis, [to, from], in row-major order. */
function axisMatrix(from: number, to: number, scale: number, attrs: ResizeAttrs): number[] {
  const rows = new Array<number>(to * from).fill(0);
  const clamp = (v: number) => Math.min(Math.max(v, 0), from - 1);
  for (let i = 0; i < to; i++) {
    const at = coordinate(i, from, to, scale, attrs.coordinates);
    if (attrs.mode === 'nearest') {
      // Half-pixel centres round to the nearest, the right of two; corners of elements round down.
      const nearest = attrs.coordinates === 'asymmetric' ? Math.floor(at) : Math.floor(at + 0.5);
      rows[i * from + clamp(nearest)]! += 1;
      continue;
    }
    const low = Math.floor(clamp(at));
    const weight = clamp(at) - low;
    rows[i * from + low]! += 1 - weight;
    rows[i * from + clamp(low + 1)]! += weight;
  }
  return rows;
}

/** Resampled spatial axes. dx = R^T dy along each of them. */
export const resizeOp = defineOp<ResizeAttrs>({
  name: 'resize',
  infer: ([x], { size }): TensorType => {
    requireFloat('resize', x!);
    return { dtype: x!.dtype, shape: [...x!.shape.slice(0, 2), ...size] };
  },
  grad: ({ inputs: [x], dy, attrs }) => [resizeGrad(dy, x!, attrs)],
  onnx: (emit, { inputs: [x], attrs: { size, scales, mode, coordinates } }) =>
    emit.one(
      'Resize',
      [
        emit.name(x!),
        '',
        ...(coordinates === 'align-corners'
          ? ['', emit.ints([...x!.shape.slice(0, 2), ...size])]
          : [
              emit.constant({
                dtype: 'float32',
                shape: [2 + size.length],
                data: Float32Array.of(1, 1, ...scales),
              }),
            ]),
      ],
      {
        mode: { string: mode === 'nearest' ? 'nearest' : 'linear' },
        coordinate_transformation_mode: { string: coordinates.replace('-', '_') },
        nearest_mode: { string: coordinates === 'asymmetric' ? 'floor' : 'round_prefer_ceil' },
      },
    ),
});

function resizeGrad(dy: Tensor, x: Tensor, attrs: ResizeAttrs): Tensor {
  const space = x.shape.slice(2);
  const factors = attrs.size.map((n, i) => n / space[i]!);
  // Elements that are only repeated: their gradients are summed, without any matrix.
  if (
    attrs.mode === 'nearest' &&
    attrs.coordinates !== 'align-corners' &&
    factors.every((f, i) => Number.isInteger(f) && f === attrs.scales[i])
  ) {
    const lead = x.shape.slice(0, 2);
    const apart = reshape(dy, [...lead, ...space.flatMap((n, i) => [n, factors[i]!])]);
    return sum(apart, { axes: factors.map((_, i) => 3 + 2 * i) });
  }
  let g = dy;
  for (const [i, from] of space.entries()) {
    const to = attrs.size[i]!;
    const matrix = constant(axisMatrix(from, to, attrs.scales[i]!, attrs), x.dtype, [to, from]);
    // The last axis is a product from the right; one before it, a product from the left.
    if (i === space.length - 1) g = matmul(g, matrix);
    else g = matmul(transpose(matrix), g);
  }
  return g;
}

/** Options of {@link resize}: either `size` or `scale`. */
export interface ResizeOptions {
  /** Spatial size of the result. */
  readonly size?: PerAxis;
  /** Output elements an input element; the size is rounded down. */
  readonly scale?: number | readonly number[];
  readonly mode: 'nearest' | 'bilinear';
  /** The first and the last elements keep their places (bilinear only). Defaults to false. */
  readonly alignCorners?: boolean;
  /**
   * Where output elements lie. Defaults to `align-corners` if asked for, else to `half-pixel` for
   * bilinear and `asymmetric` for nearest, as PyTorch does.
   */
  readonly coordinates?: Coordinates;
}

/**
 * `x` with its spatial axes resampled; the values agree with PyTorch's `interpolate`.
 * @param x [batch, channels, height, width] or [batch, channels, length]
 * @throws ConfigError when the options contradict each other
 */
export function resize(x: Tensor, options: ResizeOptions): Tensor {
  const { mode, alignCorners = false } = options;
  const axes = x.rank - 2;
  if ((axes !== 1 && axes !== 2) || x.shape.slice(2).includes(0)) {
    throw new ShapeError(
      `resize: the input must be [batch, channels, length] or [batch, channels, height, width], not empty, got ${formatType(x)}.`,
      { op: 'resize', shape: x.shape },
    );
  }
  if (mode !== 'nearest' && mode !== 'bilinear') {
    throw new ConfigError(`resize: mode '${String(mode)}' is not known; use nearest or bilinear.`);
  }
  if (
    alignCorners &&
    (mode === 'nearest' || (options.coordinates ?? 'align-corners') !== 'align-corners')
  ) {
    throw new ConfigError(
      'resize: alignCorners goes with mode bilinear and without other coordinates.',
      { mode, coordinates: options.coordinates },
    );
  }
  const coordinates =
    options.coordinates ??
    (alignCorners ? 'align-corners' : mode === 'nearest' ? 'asymmetric' : 'half-pixel');
  const space = x.shape.slice(2);
  const { size, scales } = sizeAndScales(options, space);
  if (size.every((n, i) => n === space[i]) && scales.every((s) => s === 1)) return x;
  return resizeOp.one([x], { size, scales, mode, coordinates });
}

function sizeAndScales({ size, scale }: ResizeOptions, space: readonly number[]) {
  const axes = space.length;
  if ((size === undefined) === (scale === undefined)) {
    throw new ConfigError('resize: give either size or scale.', { size, scale });
  }
  if (size !== undefined) {
    const list = perAxis('resize', 'size', size, axes, 1);
    return { size: list, scales: list.map((n, i) => n / space[i]!) };
  }
  const scales = typeof scale === 'number' ? new Array<number>(axes).fill(scale) : [...scale!];
  const list = scales.map((s, i) => Math.floor(space[i]! * s));
  if (list.length !== axes || list.some((n) => !(n >= 1) || !Number.isFinite(n))) {
    throw new ConfigError(
      `resize: scale ${JSON.stringify(scale)} of [${space.join(',')}] must give at least one element on each of ${axes} axes.`,
      { scale, space },
    );
  }
  return { size: list, scales };
}
