/**
 * How max pooling's gradient is written as ONNX. Two forms, both with the first maximum of a
 * window taking the whole gradient, as in PyTorch:
 *
 * - `scatter`: MaxPool's own indices and one ScatterElements that adds. One pass, on one thread.
 *   The forward pass is asked for the indices, so that there is only one MaxPool.
 * - `phases`: compares each position of the kernel with the maximum, and adds what it wins to the
 *   plane of input elements with the same remainder by the stride (its phase); the planes are
 *   interleaved once, at the end. Elementwise operations only, so that it runs anywhere.
 */
import {
  hostTensor,
  type OnnxEmitter,
  type Shape,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import type { WindowAttrs } from './window.js';

/** The forms; see the head of this file. */
export type MaxPoolForm = 'scatter' | 'phases';

/** How a max pool moves, and over what. */
export interface MaxPoolAttrs extends WindowAttrs {
  readonly kernel: readonly number[];
  /** Forces a form; chosen by shape and target when absent. */
  readonly form?: MaxPoolForm;
}

/** MaxPool takes no padding as wide as the kernel; dilation can ask for it. */
export function wideMaxPadding({ kernel, pads }: MaxPoolAttrs): boolean {
  return pads.some((p, i) => p >= kernel[i % kernel.length]!);
}

/** The form for these shapes. */
export function chooseMaxPoolForm(emit: OnnxEmitter, attrs: MaxPoolAttrs): MaxPoolForm {
  if (emit.target === 'webgpu' || wideMaxPadding(attrs)) return 'phases';
  return attrs.form ?? 'scatter';
}

/** ONNX attributes of a max pool. */
export function maxPoolOnnx({ kernel, strides, pads, dilations }: MaxPoolAttrs) {
  return {
    kernel_shape: { ints: kernel },
    strides: { ints: strides },
    pads: { ints: pads },
    dilations: { ints: dilations },
  };
}

/** Pads the spatial axes with -Infinity. */
export function padLowest(emit: OnnxEmitter, x: string, type: TensorType, pads: readonly number[]) {
  const axes = pads.length / 2;
  const full = [0, 0, ...pads.slice(0, axes), 0, 0, ...pads.slice(axes)];
  const lowest = emit.scalar(type.dtype, Number.NEGATIVE_INFINITY);
  return emit.one('Pad', [x, emit.ints(full), lowest]);
}

/** Writes `maxPool`: the maxima, and where they are if a gradient by `scatter` wants to know. */
export function emitMaxPool(
  emit: OnnxEmitter,
  x: Tensor,
  indices: Tensor,
  attrs: MaxPoolAttrs,
): readonly string[] {
  if (wideMaxPadding(attrs)) {
    const padded = padLowest(emit, emit.name(x), x, attrs.pads);
    const unpadded = { ...attrs, pads: attrs.pads.map(() => 0) };
    return [emit.one('MaxPool', [padded], maxPoolOnnx(unpadded)), ''];
  }
  const wanted = emit.used(indices) && chooseMaxPoolForm(emit, attrs) === 'scatter';
  const outputs = emit.node('MaxPool', [emit.name(x)], maxPoolOnnx(attrs), {
    outputs: wanted ? 2 : 1,
  });
  return [outputs[0]!, outputs[1] ?? ''];
}

/** What both forms work on: input, output, where the maxima are, and what is moved. */
interface Operands {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly indices: Tensor;
  readonly moved: Tensor;
}

function flatIndices(emit: OnnxEmitter, { indices }: Operands): string {
  return emit.one('Reshape', [emit.name(indices), emit.ints([-1])]);
}

/** One position of the kernel: which phase of the input it falls in, and how far along. */
interface Position {
  readonly phase: readonly number[];
  readonly offset: readonly number[];
}

function positions({ kernel, strides, dilations }: MaxPoolAttrs): Position[] {
  let list: number[][] = [[]];
  for (const k of kernel)
    list = list.flatMap((p) => Array.from({ length: k }, (_, i) => [...p, i]));
  return list.map((at) => {
    const distance = at.map((k, i) => k * dilations[i]!);
    return {
      phase: distance.map((d, i) => d % strides[i]!),
      offset: distance.map((d, i) => Math.floor(d / strides[i]!)),
    };
  });
}

/** Sizes of the phases' planes: enough for every window, and for the whole padded input. */
function planeSizes(input: TensorType, output: Shape, attrs: MaxPoolAttrs): number[] {
  const { kernel, strides, pads, dilations } = attrs;
  return kernel.map((k, i) => {
    const reach = output[2 + i]! + Math.floor(((k - 1) * dilations[i]!) / strides[i]!);
    const covers = Math.ceil((input.shape[2 + i]! + pads[i]!) / strides[i]!);
    return Math.max(reach, covers);
  });
}

/** Slices `phase` shifted by `offset` out of a padded input, at the size of the output. */
function takePosition(
  emit: OnnxEmitter,
  padded: string,
  { phase, offset }: Position,
  output: Shape,
  strides: readonly number[],
): string {
  const starts = phase.map((p, i) => p + offset[i]! * strides[i]!);
  const ends = starts.map((s, i) => s + (output[2 + i]! - 1) * strides[i]! + 1);
  return emit.one('Slice', [
    padded,
    emit.ints(starts),
    emit.ints(ends),
    emit.ints(phase.map((_, i) => i + 2)),
    emit.ints(strides),
  ]);
}

/** The input padded so that it is made of whole planes, and where each position wins. */
function winners(
  emit: OnnxEmitter,
  { x, y }: Operands,
  attrs: MaxPoolAttrs,
): { list: Position[]; wins: string[]; pads: number[]; planes: number[] } {
  const { strides, pads } = attrs;
  const planes = planeSizes(x, y.shape, attrs);
  const after = planes.map((m, i) => m * strides[i]! - x.shape[2 + i]! - pads[i]!);
  const full = [...pads.slice(0, planes.length), ...after];
  const padded = padLowest(emit, emit.name(x), x, full);
  const list = positions(attrs);
  let open = '';
  const wins = list.map((position, i) => {
    const here = takePosition(emit, padded, position, y.shape, strides);
    const equal = emit.one('Equal', [here, emit.name(y)]);
    const win = open ? emit.one('And', [equal, open]) : equal;
    if (i < list.length - 1) {
      const lost = emit.one('Not', [equal]);
      open = open ? emit.one('And', [open, lost]) : lost;
    }
    return win;
  });
  return { list, wins, pads: full, planes };
}

/** Gradient by the input: `moved` is the gradient of the output. */
export function emitMaxPoolGrad(
  emit: OnnxEmitter,
  operands: Operands,
  attrs: MaxPoolAttrs,
): string {
  const { x: input } = operands;
  const moved = emit.name(operands.moved);
  const output = operands.y.shape;
  const flat = emit.ints([-1]);
  if (chooseMaxPoolForm(emit, attrs) === 'scatter') {
    const size = input.shape.reduce((n, d) => n * d, 1);
    const zeros = emit.one('ConstantOfShape', [emit.ints([size])], {
      value: { tensor: hostTensor(input.dtype, [1], [0]) },
    });
    const values = emit.one('Reshape', [moved, flat]);
    const sum = emit.one('ScatterElements', [zeros, flatIndices(emit, operands), values], {
      axis: { int: 0 },
      reduction: { string: 'add' },
    });
    return emit.one('Reshape', [sum, emit.ints(input.shape)]);
  }
  const { list, wins, pads, planes } = winners(emit, operands, attrs);
  const zero = emit.scalar(input.dtype, 0);
  const axes = planes.length;
  const sums = new Map<string, string>();
  for (const [i, { phase, offset }] of list.entries()) {
    const won = emit.one('Where', [wins[i]!, moved, zero]);
    const after = planes.map((m, a) => m - output[2 + a]! - offset[a]!);
    const placed = [...offset, ...after].every((p) => p === 0)
      ? won
      : emit.one('Pad', [won, emit.ints([0, 0, ...offset, 0, 0, ...after])]);
    const key = phase.join();
    const before = sums.get(key);
    sums.set(key, before ? emit.one('Add', [before, placed]) : placed);
  }
  const [batch, channels] = input.shape as [number, number];
  const { strides } = attrs;
  const count = strides.reduce((n, s) => n * s, 1);
  let whole: string;
  if (count === 1) {
    whole = sums.values().next().value!;
  } else {
    let phases: number[][] = [[]];
    for (const s of strides)
      phases = phases.flatMap((p) => Array.from({ length: s }, (_, i) => [...p, i]));
    // A stride beyond the kernel leaves phases that no window sees.
    const nothing = () => emit.one('Expand', [zero, emit.ints([batch, channels, ...planes])]);
    const unsqueezed = phases.map((p) =>
      emit.one('Reshape', [
        sums.get(p.join()) ?? nothing(),
        emit.ints([batch, channels, 1, ...planes]),
      ]),
    );
    const joined = emit.one('Concat', unsqueezed, { axis: { int: 2 } });
    const apart = emit.one('Reshape', [
      joined,
      emit.ints([batch * channels, ...strides, ...planes]),
    ]);
    const perm = [0, ...planes.flatMap((_, a) => [1 + axes + a, 1 + a])];
    const woven = emit.one('Transpose', [apart], { perm: { ints: perm } });
    whole = emit.one('Reshape', [
      woven,
      emit.ints([batch, channels, ...planes.map((m, a) => m * strides[a]!)]),
    ]);
  }
  if (pads.every((p) => p === 0)) return whole;
  return emit.one('Slice', [
    whole,
    emit.ints(pads.slice(0, axes)),
    emit.ints(pads.slice(0, axes).map((p, a) => p + input.shape[2 + a]!)),
    emit.ints(planes.map((_, a) => a + 2)),
  ]);
}

/** The values of `moved`, of the type of the input, at the maxima. */
export function emitMaxPoolPick(
  emit: OnnxEmitter,
  operands: Operands,
  attrs: MaxPoolAttrs,
): string {
  const { x: input } = operands;
  const moved = emit.name(operands.moved);
  const output = operands.y.shape;
  if (chooseMaxPoolForm(emit, attrs) === 'scatter') {
    const values = emit.one('Reshape', [moved, emit.ints([-1])]);
    const picked = emit.one('GatherElements', [values, flatIndices(emit, operands)], {
      axis: { int: 0 },
    });
    return emit.one('Reshape', [picked, emit.ints(output)]);
  }
  const { list, wins, pads } = winners(emit, operands, attrs);
  const axes = pads.length / 2;
  const zero = emit.scalar(input.dtype, 0);
  const full = [0, 0, ...pads.slice(0, axes), 0, 0, ...pads.slice(axes)];
  const padded = emit.one('Pad', [moved, emit.ints(full)]);
  const terms = list.map((position, i) =>
    emit.one('Where', [
      wins[i]!,
      takePosition(emit, padded, position, output, attrs.strides),
      zero,
    ]),
  );
  return terms.reduce((a, b) => emit.one('Add', [a, b]));
}
