/**
 * How convolutions and their gradients are written as ONNX. Each has a plain form that is right
 * for every shape and provider; on the CPU the choosers below take faster ones where they apply.
 * The reasons are measurements, in bench/NOTES.md.
 */
import type { Node, OnnxEmitter, Shape, Tensor } from '../graph/index.js';
import type { ConvAttrs, ConvOpAttrs, InputGradAttrs, WeightGradAttrs } from './conv.js';
import { emitConvNode, emitConvTransposeNode } from './conv-webgpu.js';
import { emitColumns, emitSeparable } from './conv-weight-forms.js';
import { kernelSpan } from './window.js';

/** `plain`: Conv. */
export type ConvForm = 'plain';

/** `plain`: ConvTranspose. `flipped`: Conv of the gradient with the kernel turned around (stride 1). */
export type InputGradForm = 'plain' | 'flipped';

/**
 * `plain`: Conv with samples and channels swapped, the gradient being its kernel.
 * `columns`, `columns-folded`: a matrix product with the shifted inputs, one a sample and a sum,
 * or one over all samples. `separable`: columns of x are shifted by the kernel's columns and rows
 * of g by its rows, so that k + k copies do where `columns` makes k k (stride 1, no groups).
 */
export type WeightGradForm = 'plain' | 'columns' | 'columns-folded' | 'separable';

/** Kernels of more elements than this would need too many shifted copies of the input. */
const MAX_SHIFTS = 64;

/** ONNX attributes of a convolution. */
function onnxAttrs({ strides, pads, dilations, groups }: ConvAttrs) {
  return {
    strides: { ints: strides },
    pads: { ints: pads },
    dilations: { ints: dilations },
    group: { int: groups },
  };
}

/** Writes `conv`. */
export function emitConv(emit: OnnxEmitter, { inputs, attrs }: Node<ConvOpAttrs>): string {
  const [x, w, bias] = inputs.map((t) => emit.name(t));
  const operands = { x: x!, w: w!, wShape: inputs[1]!.shape, groups: attrs.groups };
  const all = bias === undefined ? operands : { ...operands, bias };
  return emitConvNode(emit, all, onnxAttrs(attrs));
}

function padsOfFlipped(w: Shape, { size, pads, dilations }: InputGradAttrs): number[] {
  return pads.map((p, i) => {
    const axis = i % size.length;
    return kernelSpan(w[2 + axis]!, dilations[axis]!) - 1 - p;
  });
}

/** True when a form of `convInputGrad` is right for these shapes. */
export function inputGradAllows(form: InputGradForm, w: Shape, attrs: InputGradAttrs): boolean {
  return (
    form === 'plain' ||
    (attrs.strides.every((s) => s === 1) && padsOfFlipped(w, attrs).every((p) => p >= 0))
  );
}

/** Writes `convInputGrad`. */
export function emitConvInputGrad(emit: OnnxEmitter, node: Node<InputGradAttrs>): string {
  const { attrs } = node;
  const [g, w] = node.inputs as [Tensor, Tensor];
  // Conv runs as fast as a matrix product does; ConvTranspose adds its columns up one by one.
  const best = emit.target === 'cpu' && inputGradAllows('flipped', w.shape, attrs);
  const form = attrs.form ?? (best ? 'flipped' : 'plain');
  const { size, groups } = attrs;
  const axes = size.length;
  if (form === 'flipped') {
    const pads = padsOfFlipped(w.shape, attrs);
    const [out, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
    const wShape = [groups * perGroup, out / groups, ...kernel];
    return emitConvNode(
      emit,
      { x: emit.name(g), w: flippedWeight(emit, w, groups), wShape, groups },
      onnxAttrs({ ...attrs, pads }),
    );
  }
  const rest = size.map((n, i) => {
    const span = kernelSpan(w.shape[2 + i]!, attrs.dilations[i]!);
    const covered = (g.shape[2 + i]! - 1) * attrs.strides[i]! + span;
    return n + attrs.pads[i]! + attrs.pads[axes + i]! - covered;
  });
  return emitConvTransposeNode(
    emit,
    { x: emit.name(g), w: emit.name(w), wShape: w.shape, groups },
    { ...onnxAttrs(attrs), output_padding: { ints: rest } },
    g.shape[0]!,
    size,
  );
}

/** w [out, in / groups, ...] as [in, out / groups, ...] with its spatial axes reversed. */
function flippedWeight(emit: OnnxEmitter, w: Tensor, groups: number): string {
  const [out, perGroup, ...kernel] = w.shape as [number, number, ...number[]];
  const space = kernel.map((_, i) => i);
  let name = emit.name(w);
  const long = space.filter((i) => kernel[i]! > 1);
  if (long.length > 0) {
    name = emit.one('Slice', [
      name,
      emit.ints(long.map(() => -1)),
      emit.ints(long.map((i) => -kernel[i]! - 1)),
      emit.ints(long.map((i) => i + 2)),
      emit.ints(long.map(() => -1)),
    ]);
  }
  if (groups === 1) {
    return emit.one('Transpose', [name], { perm: { ints: [1, 0, ...space.map((i) => i + 2)] } });
  }
  if (perGroup === 1 && out === groups) return name;
  const apart = emit.one('Reshape', [name, emit.ints([groups, out / groups, perGroup, ...kernel])]);
  const turned = emit.one('Transpose', [apart], {
    perm: { ints: [0, 2, 1, ...space.map((i) => i + 3)] },
  });
  return emit.one('Reshape', [turned, emit.ints([groups * perGroup, out / groups, ...kernel])]);
}

/** True when a form of `convWeightGrad` is right for these shapes. */
export function weightGradAllows(form: WeightGradForm, attrs: WeightGradAttrs): boolean {
  if (form === 'plain') return true;
  if (attrs.kernel.length > 2) return false;
  return form !== 'separable' || (attrs.groups === 1 && attrs.strides.every((s) => s === 1));
}

/** The form of `convWeightGrad` for these shapes on the CPU. */
export function chooseWeightGrad(x: Shape, g: Shape, attrs: WeightGradAttrs): WeightGradForm {
  const { groups, kernel } = attrs;
  const elements = kernel.reduce((n, k) => n * k, 1);
  const [channels, out] = [x[1]!, g[1]!];
  if (!weightGradAllows('columns', attrs) || elements > MAX_SHIFTS) return 'plain';
  // One row a product: the swapped convolution loses less.
  if (groups > 1 && out === groups) return 'plain';
  // One weight gradient a sample, to be summed, against moving both operands into one row.
  const positions = g.slice(2).reduce((n, d) => n * d, 1);
  const folded = (out * channels * elements) / groups > (channels + out) * positions;
  if (folded) return 'columns-folded';
  return elements > 1 && weightGradAllows('separable', attrs) ? 'separable' : 'columns';
}

/** Writes `convWeightGrad`. */
export function emitConvWeightGrad(emit: OnnxEmitter, node: Node<WeightGradAttrs>): string {
  const { attrs } = node;
  const [x, g] = node.inputs as [Tensor, Tensor];
  const best = emit.target === 'cpu' ? chooseWeightGrad(x.shape, g.shape, attrs) : 'plain';
  const form = attrs.form ?? best;
  if (form === 'separable') return emitSeparable(emit, x, g, attrs);
  if (form !== 'plain') return emitColumns(emit, x, g, attrs, form === 'columns-folded');
  return emitSwapped(emit, x, g, attrs);
}

function emitSwapped(emit: OnnxEmitter, x: Tensor, g: Tensor, attrs: WeightGradAttrs): string {
  const { groups, strides, dilations, pads, kernel } = attrs;
  const [n, c, ...size] = x.shape as [number, number, ...number[]];
  const space = size.map((_, i) => i);
  const swap = { perm: { ints: [1, 0, ...space.map((i) => i + 2)] } };
  const per = c / groups;
  const split = emit.one('Reshape', [emit.name(x), emit.ints([n, groups, per, ...size])]);
  const moved = emit.one('Transpose', [split], {
    perm: { ints: [2, 1, 0, ...space.map((i) => i + 3)] },
  });
  const xt = emit.one('Reshape', [moved, emit.ints([per, groups * n, ...size])]);
  const gt = emit.one('Transpose', [emit.name(g)], swap);
  const whole = emitConvNode(
    emit,
    { x: xt, w: gt, wShape: [g.shape[1]!, n, ...g.shape.slice(2)], groups },
    onnxAttrs({ groups, pads, strides: dilations, dilations: strides }),
  );
  // Where the stride leaves a rest of the input, the result has rows beyond the kernel.
  const cut = emit.one('Slice', [
    whole,
    emit.ints(space.map(() => 0)),
    emit.ints(kernel),
    emit.ints(space.map((i) => i + 2)),
  ]);
  return emit.one('Transpose', [cut], swap);
}
