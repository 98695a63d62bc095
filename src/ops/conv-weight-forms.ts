/** Forms of a convolution's weight gradient that are matrix products; `conv-forms.ts` chooses. */
import { hostTensor, type OnnxEmitter, type Tensor } from '../graph/index.js';
import type { WeightGradAttrs } from './conv-attrs.js';

/** A convolution over two spatial axes, [rows, columns]; one over a single axis has one row. */
interface Plane {
  readonly batch: number;
  readonly channels: number;
  readonly out: number;
  readonly groups: number;
  readonly size: readonly [number, number];
  readonly positions: readonly [number, number];
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
}

function planeOf(x: Tensor, g: Tensor, attrs: WeightGradAttrs): Plane {
  const axes = attrs.kernel.length;
  const pair = (list: readonly number[], missing: number): [number, number] =>
    axes === 1 ? [missing, list[0]!] : [list[0]!, list[1]!];
  return {
    batch: x.shape[0]!,
    channels: x.shape[1]!,
    out: g.shape[1]!,
    groups: attrs.groups,
    size: pair(x.shape.slice(2), 1),
    positions: pair(g.shape.slice(2), 1),
    kernel: pair(attrs.kernel, 1),
    strides: pair(attrs.strides, 1),
    dilations: pair(attrs.dilations, 1),
    before: pair(attrs.pads, 0),
    after: pair(attrs.pads.slice(axes), 0),
  };
}

function reshape(emit: OnnxEmitter, x: string, shape: readonly number[]): string {
  return emit.one('Reshape', [x, emit.ints(shape)]);
}

function concat(emit: OnnxEmitter, parts: readonly string[], axis: number): string {
  return parts.length === 1 ? parts[0]! : emit.one('Concat', parts, { axis: { int: axis } });
}

/** a [..., m, k] by b [..., n, k], as the [..., m, n] of all dot products of rows. */
function rowProducts(emit: OnnxEmitter, a: string, b: string, rank: number): string {
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.splice(-2, 2, rank - 1, rank - 2);
  // ONNX Runtime fuses the transposition into the product.
  return emit.one('MatMul', [a, emit.one('Transpose', [b], { perm: { ints: perm } })]);
}

/** Rows and columns of `x` (axes 2 and 3) from `start`, `count` of them, `step` apart. */
function window(
  emit: OnnxEmitter,
  x: string,
  start: readonly number[],
  count: readonly number[],
  step: readonly number[],
): string {
  const ends = start.map((s, i) => s + (count[i]! - 1) * step[i]! + 1);
  return emit.one('Slice', [
    x,
    emit.ints(start),
    emit.ints(ends),
    emit.ints([2, 3]),
    emit.ints(step),
  ]);
}

/**
 * One matrix product of g with all shifted copies of x. With stride s the input is first cut into
 * s planes an axis, so that the copies, of which there are many, are of adjoining elements.
 */
export function emitColumns(
  emit: OnnxEmitter,
  x: Tensor,
  g: Tensor,
  attrs: WeightGradAttrs,
  folded: boolean,
): string {
  const p = planeOf(x, g, attrs);
  const { batch, channels, out, groups, kernel, strides, positions } = p;
  const perGroup = channels / groups;
  const outPerGroup = out / groups;
  const count = positions[0] * positions[1];
  let input = reshape(emit, emit.name(x), [batch, channels, ...p.size]);
  const pads = [0, 0, ...p.before, 0, 0, ...p.after];
  if (pads.some((v) => v > 0)) input = emit.one('Pad', [input, emit.ints(pads)]);
  let grads = reshape(emit, emit.name(g), [batch, groups, outPerGroup, count]);
  if (folded) {
    input = emit.one('Transpose', [input], { perm: { ints: [1, 0, 2, 3] } });
    grads = emit.one('Transpose', [grads], { perm: { ints: [1, 2, 0, 3] } });
    grads = reshape(emit, grads, [groups, outPerGroup, batch * count]);
  }
  const padded = [0, 1].map((a) => p.size[a]! + p.before[a]! + p.after[a]!);
  const planes = new Map<string, string>();
  const plane = (phase: readonly number[]): string => {
    if (strides[0] === 1 && strides[1] === 1) return input;
    const key = phase.join();
    let name = planes.get(key);
    if (name === undefined) {
      const length = phase.map((f, a) => Math.ceil((padded[a]! - f) / strides[a]!));
      name = window(emit, input, phase, length, strides);
      planes.set(key, name);
    }
    return name;
  };
  const columns: string[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const at = [i * p.dilations[0], j * p.dilations[1]];
      const phase = at.map((d, a) => d % strides[a]!);
      const start = at.map((d, a) => Math.floor(d / strides[a]!));
      const shifted = window(emit, plane(phase), start, positions, [1, 1]);
      columns.push(
        reshape(
          emit,
          shifted,
          folded ? [groups, perGroup, batch * count] : [batch, groups, perGroup, count],
        ),
      );
    }
  }
  const all = concat(emit, columns, folded ? 1 : 2);
  // The second operand is packed: beside a sum over samples, the smaller one should be it.
  const turn = !folded && kernel[0] * kernel[1] * perGroup > outPerGroup;
  let product = rowProducts(emit, turn ? all : grads, turn ? grads : all, folded ? 3 : 4);
  if (!folded && batch > 1) {
    product = emit.one('ReduceSum', [product, emit.ints([0])], { keepdims: { int: 0 } });
  }
  const elements = kernel[0] * kernel[1];
  const apart = reshape(
    emit,
    product,
    turn ? [groups, elements, perGroup, outPerGroup] : [groups, outPerGroup, elements, perGroup],
  );
  const turned = emit.one('Transpose', [apart], {
    perm: { ints: turn ? [0, 3, 2, 1] : [0, 1, 3, 2] },
  });
  return reshape(emit, turned, [out, perGroup, ...attrs.kernel]);
}

/**
 * Rows of the image are laid end to end, parted by enough zeros that a shift past the end of a row
 * reads zeros. Then shifting by (i, j) is shifting the line by i pitch + j, which is split: x is
 * shifted by the columns j, g the other way by the rows i, and one product of all shifted x with
 * all shifted g holds every pair. A shift is a Concat with zeros; the one Concat makes all of them.
 */
export function emitSeparable(
  emit: OnnxEmitter,
  x: Tensor,
  g: Tensor,
  attrs: WeightGradAttrs,
): string {
  const { batch, channels, out, size, positions, kernel, dilations, before, after } = planeOf(
    x,
    g,
    attrs,
  );
  const pitch = Math.max(size[1] + Math.max(before[1], after[1]), positions[1]);
  const lineOf = (t: Tensor, count: number, [rows, columns]: readonly [number, number]) => {
    const image = reshape(emit, emit.name(t), [batch, count, rows, columns]);
    const wide =
      pitch === columns
        ? image
        : emit.one('Pad', [image, emit.ints([0, 0, 0, 0, 0, 0, 0, pitch - columns])]);
    return reshape(emit, wide, [batch, count, rows * pitch]);
  };
  const lead = (kernel[1] - 1) * dilations[1];
  const gShift = Array.from({ length: kernel[0] }, (_, i) => lead + i * dilations[0] * pitch);
  const xShift = Array.from(
    { length: kernel[1] },
    (_, j) => lead + before[0] * pitch + before[1] - j * dilations[1],
  );
  const length = Math.max(gShift.at(-1)! + positions[0] * pitch, xShift[0]! + size[0] * pitch);
  const shifted = (line: string, count: number, own: number, shifts: readonly number[]) => {
    const zeros = (n: number) =>
      n === 0
        ? []
        : [
            emit.one('ConstantOfShape', [emit.ints([batch, count, n])], {
              value: { tensor: hostTensor(x.dtype, [1], [0]) },
            }),
          ];
    const parts = shifts.flatMap((s) => [...zeros(s), line, ...zeros(length - own - s)]);
    return reshape(emit, concat(emit, parts, 2), [batch, count * shifts.length, length]);
  };
  const xs = shifted(lineOf(x, channels, size), channels, size[0] * pitch, xShift);
  const gs = shifted(lineOf(g, out, positions), out, positions[0] * pitch, gShift);
  let product = rowProducts(emit, gs, xs, 3);
  if (batch > 1) {
    product = emit.one('ReduceSum', [product, emit.ints([0])], { keepdims: { int: 0 } });
  }
  const apart = reshape(emit, product, [out, kernel[0], channels, kernel[1]]);
  const turned = emit.one('Transpose', [apart], { perm: { ints: [0, 2, 1, 3] } });
  return reshape(emit, turned, [out, channels, ...attrs.kernel]);
}
