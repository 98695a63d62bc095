import type { Node, OnnxEmitter, Shape } from '../graph/index.js';
import type { ConvAttrs } from './conv.js';
import { emitConvNode, emitConvTransposeNode } from './conv-webgpu.js';
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
  const [x, w, bias] = inputs.map((t) => emit.name(t));
  const operands = { x: x!, w: w!, wShape: inputs[1]!.shape, groups: attrs.groups };
  return emitConvNode(
    emit,
    bias === undefined ? operands : { ...operands, bias },
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
  return emitConvTransposeNode(
    emit,
    { x: emit.name(g!), w: emit.name(w!), wShape: w!.shape, groups: attrs.groups },
    { ...onnxAttrs(attrs), output_padding: { ints: rest } },
    g!.shape[0]!,
    attrs.size,
  );
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
  const y = emitConvNode(
    emit,
    { x: xt, w: gt, wShape: [g!.shape[1]!, n, ...g!.shape.slice(2)], groups },
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
