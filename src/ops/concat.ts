/** Joining tensors and taking them apart. Concat and split are each other's gradient. */
import { ConfigError, ShapeError } from '../errors.js';
import {
  type DType,
  defineOp,
  dtypeInfo,
  formatType,
  type HostTensor,
  type Shape,
  sizeOf,
  type Tensor,
} from '../graph/index.js';
import { normalizeAxes, normalizeAxis, requireSameDType } from './check.js';
import { offsetIn, pick } from './host.js';
import { reshape, squeeze, sum, unsqueeze, zerosLike } from './layout.js';
import { slice } from './slice.js';

/** Tensors side by side along `axis`. The gradient of each is its part of dy. */
export const concatOp = defineOp<{ axis: number }>({
  name: 'concat',
  infer: (inputs, { axis }) => {
    const dtype = requireSameDType('concat', inputs);
    const first = inputs[0]!.shape;
    for (const { shape } of inputs) {
      if (shape.length !== first.length || shape.some((d, a) => a !== axis && d !== first[a])) {
        throw new ShapeError(
          `concat: ${inputs.map(formatType).join(', ')} cannot be joined along axis ${axis}: all other axes must be equal. Check the axis.`,
          { op: 'concat', axis, shapes: inputs.map((t) => t.shape) },
        );
      }
    }
    return {
      dtype,
      shape: first.with(
        axis,
        inputs.reduce((n, t) => n + t.shape[axis]!, 0),
      ),
    };
  },
  grad: ({ inputs, attrs: { axis }, dy, needs }) => {
    if (needs.every((n) => n)) {
      return split(
        dy,
        inputs.map((t) => t.shape[axis]!),
        axis,
      );
    }
    let at = 0;
    return inputs.map((t, i) => {
      const from = at;
      at += t.shape[axis]!;
      return needs[i] ? slice(dy, { starts: [from], ends: [at], axes: [axis] }) : null;
    });
  },
  onnx: (emit, { inputs, attrs: { axis } }) =>
    emit.one(
      'Concat',
      inputs.map((t) => emit.name(t)),
      { axis: { int: axis } },
    ),
  fold: (inputs, { axis }, [type]) => [joined(inputs, type!.dtype, type!.shape, axis)],
});

function joined(parts: readonly HostTensor[], dtype: DType, shape: Shape, axis: number) {
  const data = new (dtypeInfo(dtype).array)(sizeOf(shape)) as Float32Array;
  const outer = sizeOf(shape.slice(0, axis));
  let at = 0;
  for (let i = 0; i < outer; i++) {
    for (const part of parts) {
      const run = part.data.length / outer;
      data.set((part.data as Float32Array).subarray(i * run, (i + 1) * run), at);
      at += run;
    }
  }
  return { dtype, shape, data };
}

/**
 * Joins tensors along an existing axis.
 * @throws ConfigError for an empty list; ShapeError when another axis differs
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = tensors[0];
  if (!first) throw new ConfigError('concat: the list of tensors is empty.', { op: 'concat' });
  if (tensors.length === 1) return first;
  return concatOp.one(tensors, { axis: normalizeAxis('concat', axis, first.rank) });
}

/** Consecutive parts along `axis`. dx = the parts' gradients joined. */
export const splitOp = defineOp<{ axis: number; sizes: readonly number[] }>({
  name: 'split',
  infer: ([x], { axis, sizes }) => {
    const total = sizes.reduce((a, b) => a + b, 0);
    if (total !== x!.shape[axis]) {
      throw new ShapeError(
        `split: sizes [${sizes.join(',')}] add up to ${total}, but axis ${axis} of ${formatType(x!)} has ${x!.shape[axis]}.`,
        { op: 'split', axis, sizes, shape: x!.shape },
      );
    }
    return sizes.map((size) => ({ dtype: x!.dtype, shape: x!.shape.with(axis, size) }));
  },
  grad: ({ outputs, dys, attrs: { axis } }) => [
    concat(
      dys.map((d, i) => d ?? zerosLike(outputs[i]!)),
      axis,
    ),
  ],
  onnx: (emit, { inputs: [x], attrs: { axis, sizes } }) =>
    emit.node(
      'Split',
      [emit.name(x!), emit.ints(sizes)],
      { axis: { int: axis } },
      { outputs: sizes.length },
    ),
  fold: ([x], { axis, sizes }, types) => {
    let at = 0;
    return types.map((type, i) => {
      const from = at;
      at += sizes[i]!;
      return pick(x!, type.shape, (index) =>
        offsetIn(x!.shape, (a) => index[a]! + (a === axis ? from : 0)),
      );
    });
  },
});

/**
 * Cuts `x` along an axis.
 * @param sizes length of each part, or the number of equal parts
 * @throws ShapeError when the parts do not make up the axis
 */
export function split(x: Tensor, sizes: number | readonly number[], axis = 0): readonly Tensor[] {
  const at = normalizeAxis('split', axis, x.rank);
  let list: readonly number[];
  if (typeof sizes === 'number') {
    const size = x.shape[at]! / sizes;
    if (!Number.isInteger(size)) {
      throw new ShapeError(
        `split: axis ${at} of ${formatType(x)} cannot be cut into ${sizes} equal parts. Give the sizes as a list.`,
        { op: 'split', axis: at, parts: sizes, shape: x.shape },
      );
    }
    list = new Array<number>(sizes).fill(size);
  } else {
    list = sizes;
  }
  if (list.length === 1 && list[0] === x.shape[at]) return [x];
  return splitOp.apply([x], { axis: at, sizes: [...list] });
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = tensors[0];
  if (!first) throw new ConfigError('stack: the list of tensors is empty.', { op: 'stack' });
  const at = normalizeAxis('stack', axis, first.rank + 1);
  return concat(
    tensors.map((t) => unsqueeze(t, at)),
    at,
  );
}

/** The slices of `x` along an axis, without that axis: undoes {@link stack}. */
export function unstack(x: Tensor, axis = 0): readonly Tensor[] {
  const at = normalizeAxis('unstack', axis, x.rank);
  return split(x, x.shape[at]!, at).map((t) => squeeze(t, at));
}

/** Whole copies side by side. dx = the sum of dy over the copies. */
export const tileOp = defineOp<{ repeats: readonly number[] }>({
  name: 'tile',
  infer: ([x], { repeats }) => ({
    dtype: x!.dtype,
    shape: x!.shape.map((d, a) => d * repeats[a]!),
  }),
  grad: ({ inputs: [x], dy, attrs: { repeats } }) => {
    // Copy r of element i lies at r d + i: with an axis for the copies in front of each, sum it.
    const copies = repeats.flatMap((r, a) => [r, x!.shape[a]!]);
    return [sum(reshape(dy, copies), { axes: repeats.map((_, a) => 2 * a) })];
  },
  onnx: (emit, { inputs: [x], attrs: { repeats } }) =>
    emit.one('Tile', [emit.name(x!), emit.ints(repeats)]),
  fold: ([x], _, [type]) => [
    pick(x!, type!.shape, (index) => offsetIn(x!.shape, (a) => index[a]! % x!.shape[a]!)),
  ],
});

/**
 * Repeats `x` as a whole along each axis.
 * @param repeats number of copies for every axis of `x`
 */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  if (repeats.length !== x.rank) {
    throw new ShapeError(
      `tile: ${repeats.length} repeats for ${formatType(x)}; give one for each of its ${x.rank} axes (unsqueeze adds axes).`,
      { op: 'tile', repeats, shape: x.shape },
    );
  }
  return repeats.every((r) => r === 1) ? x : tileOp.one([x], { repeats: [...repeats] });
}

/**
 * Shifts elements along axes; what leaves at one end comes in at the other.
 * @param shifts places to move, one an axis; positive moves towards the end
 */
export function roll(
  x: Tensor,
  shifts: number | readonly number[],
  axes: number | readonly number[],
): Tensor {
  const by = typeof shifts === 'number' ? [shifts] : shifts;
  const list = typeof axes === 'number' ? [axes] : axes;
  if (by.length !== list.length) {
    throw new ConfigError(`roll: ${by.length} shifts for ${list.length} axes; give one each.`, {
      op: 'roll',
    });
  }
  normalizeAxes('roll', list, x.rank);
  let t = x;
  for (const [i, axis] of list.entries()) {
    const length = t.shape[normalizeAxis('roll', axis, t.rank)]!;
    const shift = length === 0 ? 0 : ((by[i]! % length) + length) % length;
    if (shift === 0) continue;
    const [front, back] = split(t, [length - shift, shift], axis);
    t = concat([back!, front!], axis);
  }
  return t;
}
