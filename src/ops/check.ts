/** Checks and shape arithmetic that shape rules share. */
import { DTypeError, ShapeError } from '../errors.js';
import { type DType, formatType, isFloat, type Shape, type TensorType } from '../graph/index.js';

/** Throws DTypeError unless all `types` have the same dtype. */
export function requireSameDType(op: string, types: readonly TensorType[]): DType {
  const first = types[0]!;
  for (const type of types) {
    if (type.dtype !== first.dtype) {
      throw new DTypeError(
        `${op}: inputs have dtypes ${types.map(formatType).join(', ')}; all must be the same. Cast one of them with cast(x, '${first.dtype}').`,
        { op, dtypes: types.map((t) => t.dtype) },
      );
    }
  }
  return first.dtype;
}

/** Throws DTypeError unless `type` is a floating-point tensor. */
export function requireFloat(op: string, type: TensorType): void {
  if (!isFloat(type.dtype)) {
    throw new DTypeError(
      `${op}: expected a floating-point input, got ${formatType(type)}. Cast it with cast(x, 'float32').`,
      { op, dtype: type.dtype },
    );
  }
}

/** Throws DTypeError unless `type` has one of `allowed` dtypes. */
export function requireDType(op: string, type: TensorType, allowed: readonly DType[]): void {
  if (!allowed.includes(type.dtype)) {
    throw new DTypeError(
      `${op}: expected ${allowed.join(' or ')}, got ${formatType(type)}. Cast it with cast(x, '${allowed[0]}').`,
      { op, dtype: type.dtype, allowed },
    );
  }
}

/** Throws ShapeError unless `type` has `rank` axes. */
export function requireRank(op: string, what: string, type: TensorType, rank: number): void {
  if (type.shape.length !== rank) {
    throw new ShapeError(
      `${op}: ${what} must have ${rank} axes, got ${formatType(type)}. Use reshape or unsqueeze.`,
      { op, expected: rank, shape: type.shape },
    );
  }
}

/**
 * Axis as an index from 0; negative axes count from the end.
 * @throws ShapeError when it is out of range
 */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || index < 0 || index >= rank) {
    throw new ShapeError(
      `${op}: axis ${axis} is out of range for a tensor with ${rank} axes; use ${-rank} to ${rank - 1}.`,
      { op, axis, rank },
    );
  }
  return index;
}

/** Axes as sorted indices from 0 without repeats; `undefined` means all axes. */
export function normalizeAxes(
  op: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : axes).map((a) => normalizeAxis(op, a, rank));
  const unique = [...new Set(list)].sort((a, b) => a - b);
  if (unique.length !== list.length) {
    throw new ShapeError(`${op}: axes [${list.join(',')}] name an axis twice.`, { op, axes: list });
  }
  return unique;
}

/**
 * The shape that numpy broadcasting gives.
 * @throws ShapeError when two axes differ and neither is 1
 */
export function broadcastShapes(op: string, ...shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    const offset = rank - shape.length;
    for (const [i, d] of shape.entries()) {
      const at = offset + i;
      if (d === 1) continue;
      if (out[at] === 1) out[at] = d;
      else if (out[at] !== d) {
        throw new ShapeError(
          `${op}: shapes ${shapes.map((s) => `[${s.join(',')}]`).join(' and ')} do not broadcast: axis ${at - rank} is ${out[at]} in one and ${d} in another. Align them with reshape or unsqueeze.`,
          { op, shapes },
        );
      }
    }
  }
  return out;
}

/** The shape left after reducing `axes` (normalised). */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  const set = new Set(axes);
  return keepDims ? shape.map((d, i) => (set.has(i) ? 1 : d)) : shape.filter((_, i) => !set.has(i));
}
