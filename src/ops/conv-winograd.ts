/**
 * 3x3 convolutions and their gradients by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray,
 * arXiv:1509.09308). A tile of 4x4 outputs is A' ((G w G') * (B' d B)) A, from a tile d of 6x6 inputs,
 * with 36 multiplications where the plain sum has 144. The sums over channels are 36 matrix products
 * [out, in] by [in, tiles]. This is bilinear in d and w, so its adjoint by w is the gradient, exactly:
 *
 *     dw = G' (sum over tiles of (A g A') * (B' d B)) G
 *
 * with g a tile of 4x4 output gradients. The transforms of tiles are linear and are written as
 * convolutions of single planes.
 */
import {
  type HostTensor,
  hostTensor,
  type OnnxEmitter,
  type Shape,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import type { ConvAttrs, WeightGradAttrs } from './conv-attrs.js';

const TILE = 4;
const SPAN = 6;
const PRODUCTS = SPAN * SPAN;

/**
 * Points of interpolation, infinity beside them. Those of the paper (0, 1, -1, 2, -2) double the error of
 * the plain sum in float32; with these it is below it (rms 3.9e-7 against 5.6e-7 of the sums' own).
 */
const POINTS = [0, 5 / 8, -5 / 8, 3 / 2, -3 / 2] as const;

type Matrix = readonly (readonly number[])[];

/** Coefficients of the product of (x - root), the constant first. */
function fromRoots(roots: readonly number[]): number[] {
  let product = [1];
  for (const root of roots) {
    product = [...product, 0].map((c, k) => (product[k - 1] ?? 0) - root * c);
  }
  return product;
}

/** The transforms of tiles of 6 inputs, of 3 weights, and of 4 output gradients, each with 6 rows. */
function toomCook(points: readonly number[]): { input: Matrix; weight: Matrix; output: Matrix } {
  const others = (i: number) => points.filter((_, k) => k !== i);
  const powers = (p: number, count: number) => Array.from({ length: count }, (_, k) => p ** k);
  const last = (count: number) => powers(0, count).toReversed();
  return {
    input: [...points.map((_, i) => [...fromRoots(others(i)), 0]), fromRoots(points)],
    weight: [
      ...points.map((p, i) => {
        const scale = others(i).reduce((product, q) => product * (p - q), 1);
        return powers(p, 3).map((v) => v / scale);
      }),
      last(3),
    ],
    output: [...points.map((p) => powers(p, TILE)), last(TILE)],
  };
}

const TRANSFORM = toomCook(POINTS);

/** Fewer channels than these make the products too small to pay for the transforms. */
const MIN_CHANNELS = { conv: 128, weightGrad: 32 } as const;
/** The same for tiles of all samples together. */
const MIN_TILES = 32;

/** All products of an element of one row of `m` with an element of another: [rows, rows, n, n]. */
function squared(m: Matrix): number[] {
  return m.flatMap((a) => m.flatMap((b) => a.flatMap((u) => b.map((v) => u * v))));
}

/** Every row of a matrix read backwards: the transform of weights that are turned around. */
function backwards(m: Matrix): Matrix {
  return m.map((row) => row.toReversed());
}

/** The columns of a matrix as rows. */
function transposed(m: Matrix): number[][] {
  return m[0]!.map((_, k) => m.map((row) => row[k]!));
}

/** Rows of [36, ...] in the order in which the second of their two indices leads. */
function secondFirst(values: readonly number[]): number[] {
  const width = values.length / PRODUCTS;
  return Array.from({ length: values.length }, (_, i) => {
    const row = Math.floor(i / width);
    const from = (row % SPAN) * SPAN + Math.floor(row / SPAN);
    return values[from * width + (i % width)]!;
  });
}

const tileKernel = (values: number[], span: number) =>
  hostTensor('float32', [PRODUCTS, 1, span, span], values);

// Made once: a session is found again by its large constants, which are told apart by where they lie.
const INPUT_TILES = tileKernel(squared(TRANSFORM.input), SPAN);
const WEIGHT_SPREAD = hostTensor('float32', [PRODUCTS, 9], squared(TRANSFORM.weight));
const TURNED_SPREAD = hostTensor('float32', [PRODUCTS, 9], squared(backwards(TRANSFORM.weight)));
const OUTPUT_SUMS = hostTensor(
  'float32',
  [TILE * TILE, PRODUCTS],
  squared(transposed(TRANSFORM.output)),
);
// The gradient by the weight counts its products in another order. In the same one, ONNX Runtime would see that
// the forward pass has made these tiles of x already and keep them: 100 MB of a ResNet-50 step.
const INPUT_TILES_AGAIN = tileKernel(secondFirst(squared(TRANSFORM.input)), SPAN);
const GRADIENT_TILES = tileKernel(secondFirst(squared(TRANSFORM.output)), TILE);
const SPREAD_AGAIN = secondFirst(squared(TRANSFORM.weight));
/** [9, 36], that spread transposed. */
const WEIGHT_SUMS = hostTensor(
  'float32',
  [9, PRODUCTS],
  Array.from({ length: 9 * PRODUCTS }, (_, i) => {
    const [element, product] = [Math.floor(i / PRODUCTS), i % PRODUCTS];
    return SPREAD_AGAIN[9 * product + element]!;
  }),
);

/** True when the algorithm is right for a convolution of x. @param kernel spatial size */
export function winogradAllows(
  x: TensorType,
  kernel: Shape,
  { strides, dilations, groups }: ConvAttrs,
): boolean {
  return (
    x.dtype === 'float32' &&
    groups === 1 &&
    kernel.join() === '3,3' &&
    [...strides, ...dilations].every((s) => s === 1)
  );
}

/**
 * True when it is the faster way on a processor.
 * @param y shape of the convolution's output
 * @param what the gradient by the weight gains most: the sums of the plain forms need shifted copies
 */
export function winogradPays(x: TensorType, y: Shape, what: keyof typeof MIN_CHANNELS): boolean {
  const count = y[0]! * Math.ceil(y[2]! / TILE) * Math.ceil(y[3]! / TILE);
  return Math.min(x.shape[1]!, y[1]!) >= MIN_CHANNELS[what] && count >= MIN_TILES;
}

/**
 * Tiles of all planes of `t` [batch, channels, rows, columns] through a transform, as
 * [36, channels, batch tiles].
 */
function tiles(
  emit: OnnxEmitter,
  t: Tensor,
  kernel: HostTensor,
  before: readonly number[],
  count: readonly [number, number],
): string {
  const [batch, channels, ...size] = t.shape as [number, number, number, number];
  const span = kernel.shape[2]!;
  const after = size.map((n, i) => TILE * (count[i]! - 1) + span - before[i]! - n);
  const planes = emit.one('Reshape', [emit.name(t), emit.ints([batch * channels, 1, ...size])]);
  const seen = emit.one('Conv', [planes, emit.constant(kernel)], {
    strides: { ints: [TILE, TILE] },
    pads: { ints: [...before, ...after] },
  });
  const each = count[0] * count[1];
  const apart = emit.one('Reshape', [seen, emit.ints([batch, channels, PRODUCTS, each])]);
  const turned = emit.one('Transpose', [apart], { perm: { ints: [2, 1, 0, 3] } });
  return emit.one('Reshape', [turned, emit.ints([PRODUCTS, channels, batch * each])]);
}

/** Writes the gradient by the weight [out, in, 3, 3]; see {@link winogradAllows}. */
export function emitWinogradWeightGrad(
  emit: OnnxEmitter,
  x: Tensor,
  g: Tensor,
  { pads }: WeightGradAttrs,
): string {
  const [channels, out] = [x.shape[1]!, g.shape[1]!];
  const count = [Math.ceil(g.shape[2]! / TILE), Math.ceil(g.shape[3]! / TILE)] as const;
  const inputs = tiles(emit, x, INPUT_TILES_AGAIN, pads.slice(0, 2), count);
  const grads = tiles(emit, g, GRADIENT_TILES, [0, 0], count);
  // ONNX Runtime fuses the transposition into the product.
  const products = emit.one('MatMul', [
    grads,
    emit.one('Transpose', [inputs], { perm: { ints: [0, 2, 1] } }),
  ]);
  const flat = emit.one('Reshape', [products, emit.ints([PRODUCTS, out * channels])]);
  const weights = emit.one('MatMul', [emit.constant(WEIGHT_SUMS), flat]);
  const apart = emit.one('Reshape', [weights, emit.ints([9, out, channels])]);
  const turned = emit.one('Transpose', [apart], { perm: { ints: [1, 2, 0] } });
  return emit.one('Reshape', [turned, emit.ints([out, channels, 3, 3])]);
}

/**
 * Writes a convolution of x [batch, in, rows, columns] with a weight [out, in, 3, 3]; see
 * {@link winogradAllows}. With `reverse`, what lies in memory is the weight of the convolution of
 * which this one is the gradient by the input.
 */
export function emitWinogradConv(
  emit: OnnxEmitter,
  { x, w, bias }: { readonly x: Tensor; readonly w: Tensor; readonly bias?: string },
  y: Shape,
  pads: readonly number[],
  reverse = false,
): string {
  const [batch, out, ...size] = y as [number, number, number, number];
  const channels = x.shape[1]!;
  const count = [Math.ceil(size[0] / TILE), Math.ceil(size[1] / TILE)] as const;
  const each = count[0] * count[1];
  const inputs = tiles(emit, x, INPUT_TILES, pads.slice(0, 2), count);
  // [36, 9] by [9, out in].
  const spread = reverse ? TURNED_SPREAD : WEIGHT_SPREAD;
  const flat = emit.one('Reshape', [emit.name(w), emit.ints([out * channels, 9])]);
  const columns = emit.one('Transpose', [flat], { perm: { ints: [1, 0] } });
  const planes = emit.one('MatMul', [emit.constant(spread), columns]);
  const shape = reverse ? [PRODUCTS, channels, out] : [PRODUCTS, out, channels];
  const kernels = emit.one('Reshape', [planes, emit.ints(shape)]);
  const first = reverse ? emit.one('Transpose', [kernels], { perm: { ints: [0, 2, 1] } }) : kernels;
  const products = emit.one('MatMul', [first, inputs]);
  const rows = emit.one('Reshape', [products, emit.ints([PRODUCTS, out * batch * each])]);
  const sums = emit.one('MatMul', [emit.constant(OUTPUT_SUMS), rows]);
  const apart = emit.one('Reshape', [sums, emit.ints([TILE * TILE, out, batch, each])]);
  const turned = emit.one('Transpose', [apart], { perm: { ints: [2, 1, 0, 3] } });
  const deep = emit.one('Reshape', [turned, emit.ints([batch, out * TILE * TILE, ...count])]);
  let whole = emit.one('DepthToSpace', [deep], {
    blocksize: { int: TILE },
    mode: { string: 'CRD' },
  });
  if (size.some((n, i) => n !== TILE * count[i]!)) {
    whole = emit.one('Slice', [whole, emit.ints([0, 0]), emit.ints(size), emit.ints([2, 3])]);
  }
  if (bias === undefined) return whole;
  return emit.one('Add', [whole, emit.one('Reshape', [bias, emit.ints([1, out, 1, 1])])]);
}
