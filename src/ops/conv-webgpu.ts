/**
 * Conv and ConvTranspose nodes, around two kernels of ONNX Runtime 1.30 on WebGPU that compute wrong
 * values for some numbers of channels. Channels of zeros turn those numbers into others.
 */
import type { OnnxAttr, OnnxEmitter, Shape } from '../graph/index.js';

/** Inputs of a Conv or ConvTranspose node. */
export interface ConvOperands {
  readonly x: string;
  readonly w: string;
  readonly bias?: string;
  readonly wShape: Shape;
  readonly groups: number;
}

/** Appends `count` slices of zeros along `axis`. */
function padAxis(emit: OnnxEmitter, name: string, rank: number, axis: number, count: number) {
  const none = new Array<number>(rank).fill(0);
  return emit.one('Pad', [name, emit.ints([...none, ...none.with(axis, count)])]);
}

/** A Conv node; w is [out, in / groups, ...kernel]. */
export function emitConvNode(
  emit: OnnxEmitter,
  { x, w, bias, wShape, groups }: ConvOperands,
  attrs: Readonly<Record<string, OnnxAttr>>,
): string {
  const rest = bias === undefined ? [] : [bias];
  const [out, channels] = wShape as [number, number];
  const pointwise = wShape.slice(2).every((k) => k === 1);
  // The kernel that reads three channels at once, and writes four, is right for exactly three.
  const wrong =
    groups === 1 && !pointwise && channels > 3 && channels % 3 === 0 && channels % 4 !== 0;
  if (emit.target !== 'webgpu' || !wrong || out % 4 !== 0) {
    return emit.one('Conv', [x, w, ...rest], attrs);
  }
  const missing = 4 - (channels % 4);
  const wider = [x, w].map((name) => padAxis(emit, name, wShape.length, 1, missing));
  return emit.one('Conv', [...wider, ...rest], attrs);
}

/**
 * A ConvTranspose node; w is [in, out / groups, ...kernel].
 * @param size spatial axes of the result
 */
export function emitConvTransposeNode(
  emit: OnnxEmitter,
  { x, w, wShape, groups }: ConvOperands,
  attrs: Readonly<Record<string, OnnxAttr>>,
  batch: number,
  size: Shape,
): string {
  const [channels, perGroup] = wShape as [number, number];
  // Wrong for groups of several channels in and one out.
  const wrong = groups > 1 && perGroup === 1 && channels > groups;
  if (emit.target !== 'webgpu' || !wrong) return emit.one('ConvTranspose', [x, w], attrs);
  const both = emit.one('ConvTranspose', [x, padAxis(emit, w, wShape.length, 1, 1)], attrs);
  const split = emit.one('Reshape', [both, emit.ints([batch, groups, 2, ...size])]);
  const first = emit.one('Slice', [split, emit.ints([0]), emit.ints([1]), emit.ints([2])]);
  return emit.one('Reshape', [first, emit.ints([batch, groups, ...size])]);
}
