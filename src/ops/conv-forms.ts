import type { Node, OnnxEmitter, Shape } from '../graph/index.js';
import type { ConvAttrs } from './conv.js';
import { kernelSpan } from './window.js';

export type ConvForm = 'plain';
export type InputGradForm = 'plain';
export type WeightGradForm = 'plain';

function onnxAttrs({ strides, pads, dilations, groups }: ConvAttrs) {
  return {
    strides: { ints: strides },
    pads: { ints: pads },
    dilations: { ints: dilations },
    group: { int: groups },
  };
}

export function emitConv(emit: OnnxEmitter, { inputs, attrs }: Node<ConvAttrs>): string {
  return emit.one(
    'Conv',
    inputs.map((t) => emit.name(t)),
    onnxAttrs(attrs),
  );
}

export function emitConvInputGrad(
  emit: OnnxEmitter,
  { inputs: [g, w], attrs }: Node<ConvAttrs & { size: Shape }>,
): string {
  const axes = attrs.size.length;
  const rest = attrs.size.map((n, i) => {
    const span = kernelSpan(w!.shape[2 + i]!, attrs.dilations[i]!);
    return (
      n + attrs.pads[i]! + attrs.pads[axes + i]! - (g!.shape[2 + i]! - 1) * attrs.strides[i]! - span
    );
  });
  const onnx = { ...onnxAttrs(attrs), output_padding: { ints: rest } };
  const perGroup = w!.shape[1]!;
  const filters = w!.shape[0]! / attrs.groups;
  if (emit.target !== 'webgpu' || perGroup > 1 || filters === 1 || attrs.groups === 1) {
    return emit.one('ConvTranspose', [emit.name(g!), emit.name(w!)], onnx);
  }
  // ONNX Runtime 1.30 on WebGPU is wrong for groups of several channels in and one out; a second
  // channel out, of zeros, makes it right and is cut off again.
  const none = w!.shape.map(() => 0);
  const padded = emit.one('Pad', [
    emit.name(w!),
    emit.ints([...none, ...none.map((_, axis) => (axis === 1 ? 1 : 0))]),
  ]);
  const both = emit.one('ConvTranspose', [emit.name(g!), padded], onnx);
  const batch = g!.shape[0]!;
  const split = emit.one('Reshape', [both, emit.ints([batch, attrs.groups, 2, ...attrs.size])]);
  const first = emit.one('Slice', [split, emit.ints([0]), emit.ints([1]), emit.ints([2])]);
  return emit.one('Reshape', [first, emit.ints([batch, attrs.groups, ...attrs.size])]);
}

export function emitConvWeightGrad(
  emit: OnnxEmitter,
  { inputs: [x, g], attrs }: Node<ConvAttrs & { kernel: Shape }>,
): string {
  const { groups, strides, dilations, pads, kernel } = attrs;
  const [n, c, ...size] = x!.shape as [number, number, ...number[]];
  const axes = size.length;
  const space = Array.from({ length: axes }, (_, i) => i);
  const swap = { perm: { ints: [1, 0, ...space.map((i) => i + 2)] } };
  const per = c / groups;
  const split = emit.one('Reshape', [emit.name(x!), emit.ints([n, groups, per, ...size])]);
  const moved = emit.one('Transpose', [split], {
    perm: { ints: [2, 1, 0, ...space.map((i) => i + 3)] },
  });
  const xt = emit.one('Reshape', [moved, emit.ints([per, groups * n, ...size])]);
  const gt = emit.one('Transpose', [emit.name(g!)], swap);
  const y = emit.one(
    'Conv',
    [xt, gt],
    onnxAttrs({ groups, pads, strides: dilations, dilations: strides }),
  );
  const cut = emit.one('Slice', [
    y,
    emit.ints(space.map(() => 0)),
    emit.ints(kernel),
    emit.ints(space.map((i) => i + 2)),
  ]);
  return emit.one('Transpose', [cut], swap);
}
