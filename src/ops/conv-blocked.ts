/**
 * Convolutions by ONNX Runtime's blocked kernels, which keep as many channels side by side as a
 * vector register holds and need no im2col. ONNX Runtime takes them by itself where the weight is
 * a constant; a weight that is trained is put into their order here, at every step, which costs
 * little beside the convolution of a whole batch. Over one or two spatial axes, float32 only.
 */
import type { OnnxEmitter, Shape, TensorType } from '../graph/index.js';
import { BLOCKED_DOMAIN } from './blocked-domain.js';
import type { ConvAttrs, WeightGradAttrs } from './conv-attrs.js';
import { kernelSpan } from './window.js';

/** Multiplications per weight below which its reordering would cost more than it saves. */
const MIN_POSITIONS = 512;

/** Shapes of a convolution: x [batch, in, ...], w [out, in / groups, ...], y [batch, out, ...]. */
export interface ConvShapes {
  readonly x: TensorType;
  readonly w: Shape;
  readonly y: Shape;
}

/** True when the blocked kernels take these numbers of channels. */
export function blockedAllows(block: number, { x, w }: ConvShapes, groups: number): boolean {
  const [out, perGroup] = w as [number, number];
  const channels = perGroup * groups;
  const axes = w.length - 2;
  if (block === 0 || x.dtype !== 'float32' || axes < 1 || axes > 2 || out % block) return false;
  return groups === 1
    ? channels < block || channels % block === 0
    : perGroup === 1 && out === groups;
}

/** True when the blocked kernels are the faster ones: more than a matrix product, over a large batch. */
export function blockedPays({ w, y }: ConvShapes): boolean {
  const size = (shape: Shape) => shape.slice(2).reduce((n, d) => n * d, 1);
  return size(w) > 1 && y[0]! * size(y) >= MIN_POSITIONS;
}

/** Over a single spatial axis, an image of one row. */
function image(shape: Shape): number[] {
  return shape.length === 3 ? [shape[0]!, shape[1]!, 1, shape[2]!] : [...shape];
}

function reshape(emit: OnnxEmitter, x: string, shape: readonly number[]): string {
  return emit.one('Reshape', [x, emit.ints(shape)]);
}

function toBlocks(emit: OnnxEmitter, x: string): string {
  return emit.one('ReorderInput', [x], {}, BLOCKED_DOMAIN);
}

function fromBlocks(emit: OnnxEmitter, x: string, channels: number): string {
  return emit.one('ReorderOutput', [x], { channels: { int: channels } }, BLOCKED_DOMAIN);
}

/** Attributes of a blocked convolution over an image. */
function blockedAttrs({ strides, pads, dilations, groups }: ConvAttrs, kernel: readonly number[]) {
  const rows = strides.length === 1;
  const lift = (list: readonly number[], missing: number) => (rows ? [missing, ...list] : list);
  const [before, after] = [pads.slice(0, strides.length), pads.slice(strides.length)];
  return {
    kernel_shape: { ints: kernel },
    strides: { ints: lift(strides, 1) },
    pads: { ints: [...lift(before, 0), ...lift(after, 0)] },
    dilations: { ints: lift(dilations, 1) },
    group: { int: groups },
  };
}

/** The weight [out, in, ...] in the order of the kernels. */
function blockedWeight(emit: OnnxEmitter, w: string, shape: Shape): string {
  const block = emit.channelBlock;
  const [out, channels, rows, columns] = image(shape) as [number, number, number, number];
  // As images of `block` channels, the outputs of one block become the innermost axis.
  const images = reshape(emit, w, [out / block, block, channels * rows, columns]);
  const outer = toBlocks(emit, images);
  if (channels < block) return reshape(emit, outer, [out, channels, rows, columns]);
  const split = reshape(emit, outer, [out / block, channels / block, block, rows * columns, block]);
  const turned = emit.one('Transpose', [split], { perm: { ints: [0, 1, 3, 2, 4] } });
  return reshape(emit, turned, [out, channels, rows, columns]);
}

/**
 * The weight of the reverse convolution, [in, out, ...] in memory, turned around, in the order of
 * the kernels.
 * @param shape [out, in, ...]
 */
function blockedFlipped(emit: OnnxEmitter, w: string, shape: Shape): string {
  const block = emit.channelBlock;
  const [out, channels, rows, columns] = image(shape) as [number, number, number, number];
  const elements = rows * columns;
  const blocks = toBlocks(emit, reshape(emit, w, [channels, out, elements, 1]));
  const reversed = (name: string, axis: number) =>
    elements === 1
      ? name
      : emit.one('Slice', [
          name,
          emit.ints([-1]),
          emit.ints([-elements - 1]),
          emit.ints([axis]),
          emit.ints([-1]),
        ]);
  const split = reshape(emit, blocks, [channels, out / block, elements, block]);
  if (channels < block) {
    const turned = emit.one('Transpose', [split], { perm: { ints: [1, 0, 2, 3] } });
    return reshape(emit, reversed(turned, 2), [out, channels, rows, columns]);
  }
  const apart = reshape(emit, split, [channels / block, block, out / block, elements, block]);
  const turned = emit.one('Transpose', [apart], { perm: { ints: [2, 0, 3, 1, 4] } });
  return reshape(emit, reversed(turned, 2), [out, channels, rows, columns]);
}

/** A depthwise kernel [channels, 1, ...] turned around. */
function depthwiseFlipped(emit: OnnxEmitter, w: string, shape: Shape): string {
  const [channels, , rows, columns] = image(shape) as [number, number, number, number];
  const flat = reshape(emit, w, [channels, rows * columns]);
  const turned = emit.one('Slice', [
    flat,
    emit.ints([-1]),
    emit.ints([-rows * columns - 1]),
    emit.ints([1]),
    emit.ints([-1]),
  ]);
  return reshape(emit, turned, [channels, 1, rows, columns]);
}

/**
 * A convolution with a weight of the shape that `shapes` gives. With `reverse`, what lies in
 * memory is the weight of the convolution of which this one is the gradient: its first two axes
 * are exchanged and its kernel is to be turned around.
 */
export function emitBlockedConv(
  emit: OnnxEmitter,
  { x, w, bias }: { readonly x: string; readonly w: string; readonly bias?: string },
  { x: input, w: weight, y }: ConvShapes,
  attrs: ConvAttrs,
  reverse = false,
): string {
  const depthwise = attrs.groups > 1;
  const [, channels, ...space] = image(input.shape);
  const source = reshape(emit, x, [input.shape[0]!, channels!, ...space]);
  const blocks = channels! < emit.channelBlock ? source : toBlocks(emit, source);
  let kernel: string;
  if (reverse && !depthwise) kernel = blockedFlipped(emit, w, weight);
  else kernel = blockedWeight(emit, reverse ? depthwiseFlipped(emit, w, weight) : w, weight);
  const out = emit.one(
    'Conv',
    [blocks, kernel, ...(bias === undefined ? [] : [bias])],
    blockedAttrs(attrs, image(weight).slice(2)),
    BLOCKED_DOMAIN,
  );
  return reshape(emit, fromBlocks(emit, out, y[1]!), y);
}

/**
 * Gradient of a depthwise weight: every plane of every sample of x is a channel, convolved with
 * its plane of g as the kernel; then the samples are summed.
 * @param x [batch, channels, ...]
 */
export function emitBlockedWeightGrad(
  emit: OnnxEmitter,
  { x, g }: { readonly x: string; readonly g: string },
  { x: input, y }: Omit<ConvShapes, 'w'>,
  { strides, dilations, pads, kernel }: WeightGradAttrs,
): string {
  const [batch, channels, ...size] = input.shape as [number, number, ...number[]];
  const axes = size.length;
  const planes = batch * channels;
  const space = image(input.shape).slice(2);
  const positions = image(y).slice(2);
  // Just as much padding after as the last element of the kernel reads.
  const after = size.map((n, i) => {
    const reach = (y[2 + i]! - 1) * strides[i]! + kernelSpan(kernel[i]!, dilations[i]!);
    return Math.max(0, reach - n - pads[i]!);
  });
  const out = emit.one(
    'Conv',
    [
      toBlocks(emit, reshape(emit, x, [1, planes, ...space])),
      // In blocks, an image of many channels is a depthwise kernel already.
      reshape(emit, toBlocks(emit, reshape(emit, g, [1, planes, ...positions])), [
        planes,
        1,
        ...positions,
      ]),
    ],
    blockedAttrs(
      {
        groups: planes,
        strides: dilations,
        dilations: strides,
        pads: [...pads.slice(0, axes), ...after],
      },
      positions,
    ),
    BLOCKED_DOMAIN,
  );
  // Where the stride leaves a rest of the input, the result has rows beyond the kernel.
  const whole = [0, 1].map((i) => {
    const at = axes === 1 ? i - 1 : i;
    if (at < 0) return 1;
    const covered = size[at]! + pads[at]! + after[at]! - (y[2 + at]! - 1) * strides[at]! - 1;
    return Math.floor(covered / dilations[at]!) + 1;
  });
  const planar = fromBlocks(emit, out, planes);
  const flat = reshape(emit, planar, [batch, channels, ...whole]);
  const want = image([1, 1, ...kernel]).slice(2);
  const cut = want.every((k, i) => k === whole[i])
    ? flat
    : emit.one('Slice', [flat, emit.ints([0, 0]), emit.ints(want), emit.ints([2, 3])]);
  const sum = emit.one('ReduceSum', [cut, emit.ints([0])], { keepdims: { int: 0 } });
  return reshape(emit, sum, [channels, 1, ...kernel]);
}
