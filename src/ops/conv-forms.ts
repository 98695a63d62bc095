/**
 * How convolutions and their gradients are written as ONNX. Each has a plain form that is right
 * for every shape and provider; on the CPU the choosers below take faster ones where they apply.
 * The reasons are measurements, in bench/NOTES.md.
 */
import {
  constantValue,
  hostTensor,
  input,
  type Node,
  type OnnxEmitter,
  type Shape,
  type Tensor,
  type TensorType,
} from '../graph/index.js';
import { add } from './arithmetic.js';
import type {
  ConvAttrs,
  ConvForm,
  ConvOpAttrs,
  InputGradAttrs,
  InputGradForm,
  WeightGradAttrs,
  WeightGradForm,
} from './conv-attrs.js';
import {
  blockedAllows,
  blockedPays,
  type ConvShapes,
  emitBlockedConv,
  emitBlockedWeightGrad,
} from './conv-blocked.js';
import { emitConvNode, emitConvTransposeNode } from './conv-webgpu.js';
import { emitColumns, emitSeparable } from './conv-weight-forms.js';
import {
  emitWinogradConv,
  emitWinogradWeightGrad,
  winogradAllows,
  winogradPays,
} from './conv-winograd.js';
import { reshape } from './layout.js';
import { kernelSpan } from './window.js';

/** Multiplications of one sample from which on a step of Scan (some 20 microseconds) is little. */
const MIN_EACH = 2e7;

/** Kernels of more elements than this would need too many shifted copies of the input. */
const MAX_SHIFTS = 64;

/** WebAssembly runs the kernels of the CPU, and gains from the same forms. */
function onProcessor(emit: OnnxEmitter): boolean {
  return emit.target === 'cpu' || emit.target === 'wasm';
}

/** ONNX attributes of a convolution. */
function onnxAttrs({ strides, pads, dilations, groups }: ConvAttrs) {
  return {
    strides: { ints: strides },
    pads: { ints: pads },
    dilations: { ints: dilations },
    group: { int: groups },
  };
}

/**
 * True when ONNX Runtime will know the value when it loads the graph: a constant, or a little
 * arithmetic on constants (a folded scale). It then puts a weight into blocks once, and keeps
 * what lies between two convolutions in blocks too.
 */
function isKnown(t: Tensor, depth = 6): boolean {
  if (t.node.inputs.length === 0) return constantValue(t) !== null;
  return depth > 0 && t.node.inputs.every((input) => isKnown(input, depth - 1));
}

/** A weight that is known is put into blocks once; this way it would be spread to four times its size. */
function prefersWinograd(emit: OnnxEmitter, w: Tensor, { x, y }: ConvShapes, attrs: ConvAttrs) {
  const allowed = emit.target === 'cpu' && winogradAllows(x, w.shape.slice(2), attrs);
  return allowed && winogradPays(x, y, 'conv') && !isKnown(w);
}

function prefersBlocked(emit: OnnxEmitter, w: Tensor, shapes: ConvShapes, groups: number): boolean {
  return blockedAllows(emit.channelBlock, shapes, groups) && blockedPays(shapes) && !isKnown(w);
}

function chooseConv(emit: OnnxEmitter, w: Tensor, shapes: ConvShapes, attrs: ConvAttrs): ConvForm {
  if (prefersWinograd(emit, w, shapes, attrs)) return 'winograd';
  return prefersBlocked(emit, w, shapes, attrs.groups) ? 'blocked' : 'plain';
}

/** Writes `conv`. */
export function emitConv(emit: OnnxEmitter, node: Node<ConvOpAttrs>): string {
  const { inputs, attrs } = node;
  const [x, w, bias] = inputs.map((t) => emit.name(t));
  const wShape = inputs[1]!.shape;
  const operands = { x: x!, w: w!, ...(bias === undefined ? {} : { bias }) };
  const shapes = { x: inputs[0]!, w: wShape, y: node.outputs[0]!.shape };
  const form = attrs.form ?? chooseConv(emit, inputs[1]!, shapes, attrs);
  if (form === 'winograd') {
    const pair = { x: inputs[0]!, w: inputs[1]!, ...(bias === undefined ? {} : { bias }) };
    return emitWinogradConv(emit, pair, shapes.y, attrs.pads);
  }
  if (form === 'blocked') return emitBlockedConv(emit, operands, shapes, attrs);
  return emitConvNode(emit, { ...operands, wShape, groups: attrs.groups }, onnxAttrs(attrs));
}

function padsOfFlipped(w: Shape, { size, pads, dilations }: InputGradAttrs): number[] {
  return pads.map((p, i) => {
    const axis = i % size.length;
    return kernelSpan(w[2 + axis]!, dilations[axis]!) - 1 - p;
  });
}

/** Shapes of the convolution of g that `flipped` and `blocked` are. */
function reverseShapes(g: TensorType, w: Shape, { size, groups }: InputGradAttrs): ConvShapes {
  const [out, perGroup, ...kernel] = w as [number, number, ...number[]];
  const channels = perGroup * groups;
  return { x: g, w: [channels, out / groups, ...kernel], y: [g.shape[0]!, channels, ...size] };
}

/** True when a form of `convInputGrad` is right for these shapes. */
export function inputGradAllows(
  form: InputGradForm,
  g: TensorType,
  w: Shape,
  attrs: InputGradAttrs,
  block = 0,
): boolean {
  if (form === 'plain') return true;
  if (form === 'blocked' && !blockedAllows(block, reverseShapes(g, w, attrs), attrs.groups)) {
    return false;
  }
  if (form === 'winograd' && !winogradAllows(g, w.slice(2), attrs)) return false;
  return attrs.strides.every((s) => s === 1) && padsOfFlipped(w, attrs).every((p) => p >= 0);
}

function chooseInputGrad(
  emit: OnnxEmitter,
  g: Tensor,
  w: Tensor,
  attrs: InputGradAttrs,
): InputGradForm {
  // Conv runs as fast as a matrix product does; ConvTranspose adds its columns up one by one.
  if (!onProcessor(emit) || !inputGradAllows('flipped', g, w.shape, attrs)) return 'plain';
  const shapes = reverseShapes(g, w.shape, attrs);
  const reversed = { ...attrs, pads: padsOfFlipped(w.shape, attrs) };
  if (prefersWinograd(emit, w, shapes, reversed)) return 'winograd';
  return prefersBlocked(emit, w, shapes, attrs.groups) ? 'blocked' : 'flipped';
}

/** Writes `convInputGrad`. */
export function emitConvInputGrad(emit: OnnxEmitter, node: Node<InputGradAttrs>): string {
  const { attrs } = node;
  const [g, w] = node.inputs as [Tensor, Tensor];
  const form = attrs.form ?? chooseInputGrad(emit, g, w, attrs);
  const { size, groups } = attrs;
  const axes = size.length;
  if (form !== 'plain') {
    const reversed = { ...attrs, pads: padsOfFlipped(w.shape, attrs) };
    const shapes = reverseShapes(g, w.shape, attrs);
    if (form === 'winograd') {
      return emitWinogradConv(emit, { x: g, w }, shapes.y, reversed.pads, true);
    }
    if (form === 'blocked') {
      const operands = { x: emit.name(g), w: emit.name(w) };
      return emitBlockedConv(emit, operands, shapes, reversed, true);
    }
    const flipped = flippedWeight(emit, w, groups);
    return emitConvNode(
      emit,
      { x: emit.name(g), w: flipped, wShape: shapes.w, groups },
      onnxAttrs(reversed),
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
export function weightGradAllows(
  form: WeightGradForm,
  x: TensorType,
  g: Shape,
  attrs: WeightGradAttrs,
  block = 0,
): boolean {
  if (form === 'plain') return true;
  if (attrs.kernel.length > 2) return false;
  if (form === 'winograd') return winogradAllows(x, attrs.kernel, attrs);
  if (form === 'blocked') {
    const planes = x.shape[0]! * x.shape[1]!;
    const depthwise = attrs.groups === x.shape[1] && attrs.groups === g[1];
    return block > 0 && x.dtype === 'float32' && depthwise && planes % block === 0;
  }
  return (
    !form.startsWith('separable') || (attrs.groups === 1 && attrs.strides.every((s) => s === 1))
  );
}

/** The form of `convWeightGrad` for these shapes on the CPU. */
export function chooseWeightGrad(
  x: TensorType,
  g: Shape,
  attrs: WeightGradAttrs,
  block: number,
): WeightGradForm {
  const { groups, kernel } = attrs;
  const elements = kernel.reduce((n, k) => n * k, 1);
  const [channels, out] = [x.shape[1]!, g[1]!];
  if (groups > 1 && weightGradAllows('blocked', x, g, attrs, block)) return 'blocked';
  if (!weightGradAllows('columns', x, g, attrs) || elements > MAX_SHIFTS) return 'plain';
  // One row a product: the swapped convolution loses less.
  if (groups > 1 && out === groups) return 'plain';
  if (winogradAllows(x, attrs.kernel, attrs) && winogradPays(x, g, 'weightGrad')) return 'winograd';
  // One weight gradient a sample, to be summed, against moving both operands into one row.
  const positions = g.slice(2).reduce((n, d) => n * d, 1);
  const folded = (out * channels * elements) / groups > (channels + out) * positions;
  if (folded) return 'columns-folded';
  // Without copies to be made there is nothing to keep in the cache.
  if (elements === 1) return 'columns';
  const separable = weightGradAllows('separable', x, g, attrs) ? 'separable' : 'columns';
  const each = x.shape[0]! > 1 && (out * channels * elements * positions) / groups >= MIN_EACH;
  return each ? `${separable}-each` : separable;
}

/**
 * Writes `convWeightGrad`.
 * @param make the operation on a part of the samples, in a form of its own
 */
export function emitConvWeightGrad(
  emit: OnnxEmitter,
  node: Node<WeightGradAttrs>,
  make: (x: Tensor, g: Tensor, form: WeightGradForm) => Tensor,
): string {
  const { attrs } = node;
  const [x, g] = node.inputs as [Tensor, Tensor];
  const best = onProcessor(emit) ? chooseWeightGrad(x, g.shape, attrs, emit.channelBlock) : 'plain';
  const form = attrs.form ?? best;
  if (form === 'blocked') {
    const operands = { x: emit.name(x), g: emit.name(g) };
    return emitBlockedWeightGrad(emit, operands, { x, y: g.shape }, attrs);
  }
  if (form === 'columns-each' || form === 'separable-each') {
    const inner = form === 'columns-each' ? 'columns' : 'separable';
    return emitEach(emit, node, (one, dOne) => make(one, dOne, inner));
  }
  if (form === 'winograd') return emitWinogradWeightGrad(emit, x, g, attrs);
  if (form === 'separable') return emitSeparable(emit, x, g, attrs);
  if (form !== 'plain') return emitColumns(emit, x, g, attrs, form === 'columns-folded');
  return emitSwapped(emit, x, g, attrs);
}

function emitEach(
  emit: OnnxEmitter,
  { inputs, outputs }: Node<WeightGradAttrs>,
  make: (x: Tensor, g: Tensor) => Tensor,
): string {
  const { dtype, shape } = outputs[0]!;
  const samples = inputs.map((t, i) => input(`sample${i}`, dtype, t.shape.slice(1)));
  const [x, g] = samples.map((t) => reshape(t, [1, ...t.shape])) as [Tensor, Tensor];
  const total = input('total', dtype, shape);
  const zeros = emit.one('ConstantOfShape', [emit.ints(shape)], {
    value: { tensor: hostTensor(dtype, [1], [0]) },
  });
  return emit.one('Scan', [zeros, ...inputs.map((t) => emit.name(t))], {
    body: {
      graph: emit.subgraph({ inputs: [total, ...samples], outputs: [add(total, make(x, g))] }),
    },
    num_scan_inputs: { int: samples.length },
  });
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
