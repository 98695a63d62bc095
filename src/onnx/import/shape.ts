/** Operators that make, move and rearrange elements by shape. */
import {
  constant,
  constantOf,
  dtypeInfo,
  filled,
  type HostTensor,
  scalar,
  sizeOf,
  type Tensor,
} from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

/** Most elements of a constant that the import itself makes up (index lists, identity matrices). */
export const MAX_MADE_ELEMENTS = 2 ** 20;

/** The integers from 0 to n - 1. */
export function iota(node: OnnxNode, n: number, shape: readonly number[] = [n]): Tensor {
  if (n > MAX_MADE_ELEMENTS) node.fail(`would need a list of ${n} indices, too many to make up.`);
  return constant(
    Array.from({ length: n }, (_, i) => i),
    'int64',
    shape,
  );
}

/** Indices of any integer type as int64, which every gather takes. */
export function asIndex(t: Tensor): Tensor {
  return t.dtype === 'int64' || t.dtype === 'int32' ? t : ops.cast(t, 'int64');
}

const shape: Rule = (node) => {
  const dims = node.type(0).shape;
  const at = (v: number) => Math.min(Math.max(v < 0 ? v + dims.length : v, 0), dims.length);
  const start = at(node.int('start', 0));
  const end = at(node.int('end', dims.length));
  const part = dims.slice(start, Math.max(start, end));
  return constant(part, 'int64', [part.length]);
};

const reshape: Rule = async (node) => {
  const x = node.tensor(0);
  const given = await node.intsAt(1);
  const keepZero = node.flag('allowzero');
  const dims = given.map((d, i) => {
    if (d !== 0 || keepZero) return d;
    return (
      x.shape[i] ??
      node.fail(`axis ${i} of the new shape is copied from an axis that is not there.`)
    );
  });
  if (dims.filter((d) => d === -1).length > 1 || dims.some((d) => d < -1)) {
    node.fail(`the new shape [${dims.join(',')}] must have at most one -1 and nothing below.`);
  }
  const unknown = dims.indexOf(-1);
  if (unknown >= 0) {
    const rest = dims.reduce((n, d, i) => (i === unknown ? n : n * d), 1);
    if (rest === 0 || x.size % rest !== 0) {
      node.fail(`${x.size} elements cannot fill [${dims.join(',')}].`);
    }
    dims[unknown] = x.size / rest;
  }
  return ops.reshape(x, node.checkShape(dims));
};

const flatten: Rule = (node) => {
  const x = node.tensor(0);
  const axis = node.int('axis', 1);
  const at = axis < 0 ? axis + x.rank : axis;
  if (at < 0 || at > x.rank) node.fail(`axis ${axis} is out of range for ${x.rank} axes.`);
  return ops.reshape(x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
};

const transpose: Rule = (node) => {
  const x = node.tensor(0);
  const reversed = [...x.shape.keys()].reverse();
  return ops.transpose(x, node.ints('perm', reversed));
};

const squeeze: Rule = async (node) => ops.squeeze(node.tensor(0), await node.axes(1, 13));

const unsqueeze: Rule = async (node) => {
  const axes = (await node.axes(1, 13)) ?? node.fail('axes are missing.');
  return ops.unsqueeze(node.tensor(0), axes);
};

const split: Rule = async (node) => {
  const x = node.tensor(0);
  const axis = node.axis(node.int('axis', 0), x.rank);
  const length = x.shape[axis]!;
  const given =
    node.opset < 13
      ? node.hasAttribute('split')
        ? node.ints('split')
        : undefined
      : node.has(1)
        ? await node.intsAt(1)
        : undefined;
  if (given && given.length !== node.outputCount) {
    node.fail(`has ${given.length} parts but ${node.outputCount} outputs.`);
  }
  const parts = node.int('num_outputs', node.outputCount);
  if (parts < 1 || parts > node.outputCount) node.fail(`num_outputs is ${parts}.`);
  // The last part is the smaller one where they cannot be equal.
  const even = Math.ceil(length / parts);
  const sizes =
    given ??
    Array.from({ length: parts }, (_, i) => Math.max(0, Math.min(even, length - i * even)));
  return sizes.length === 1 && sizes[0] === length ? [x] : ops.split(x, sizes, axis);
};

const slice: Rule = async (node) => {
  const x = node.tensor(0);
  const legacy = node.opset < 10;
  const starts = legacy ? node.ints('starts') : await node.intsAt(1);
  const ends = legacy ? node.ints('ends') : await node.intsAt(2);
  const axes = legacy
    ? node.hasAttribute('axes')
      ? node.ints('axes')
      : undefined
    : node.has(3)
      ? await node.intsAt(3)
      : undefined;
  const steps = !legacy && node.has(4) ? await node.intsAt(4) : undefined;
  return ops.slice(x, {
    starts,
    ends,
    ...(axes ? { axes } : {}),
    ...(steps ? { steps } : {}),
  });
};

const expand: Rule = async (node) => {
  const x = node.tensor(0);
  const to = node.checkShape(await node.intsAt(1));
  return ops.expand(x, node.checkShape(ops.broadcastShapes('Expand', x.shape, to)));
};

const tile: Rule = async (node) => {
  const x = node.tensor(0);
  const repeats = await node.intsAt(1);
  if (repeats.some((r) => r < 0))
    node.fail(`repeats are [${repeats.join(',')}]; none may be negative.`);
  node.checkShape(x.shape.map((d, i) => d * (repeats[i] ?? 1)));
  return ops.tile(x, repeats);
};

const pad: Rule = async (node) => {
  const x = node.tensor(0);
  const legacy = node.opset < 11;
  const given = legacy ? node.ints('pads') : await node.intsAt(1);
  const axes = !legacy && node.has(3) ? await node.intsAt(3) : [...x.shape.keys()];
  const mode = node.string('mode', 'constant');
  if (mode !== 'constant' && mode !== 'reflect' && mode !== 'edge' && mode !== 'wrap') {
    return node.fail(`mode is '${mode}'; expected constant, reflect, edge or wrap.`);
  }
  if (given.length !== 2 * axes.length) {
    node.fail(`has ${given.length} pads for ${axes.length} axes; expected two an axis.`);
  }
  const pads = x.shape.map((): [number, number] => [0, 0]);
  for (const [i, axis] of axes.entries()) {
    pads[node.axis(axis, x.rank)] = [given[i]!, given[axes.length + i]!];
  }
  node.checkShape(x.shape.map((d, i) => d + pads[i]![0] + pads[i]![1]));
  if (x.dtype === 'bool') {
    // Kernels for padding bools are rare; bytes are the same thing.
    const value = legacy || !node.has(2) ? 0 : await node.numberAt(2);
    return ops.cast(ops.pad(ops.cast(x, 'uint8'), pads, { mode, value }), 'bool');
  }
  const value = legacy ? node.float('value', 0) : node.has(2) ? await node.numberAt(2) : 0;
  return ops.pad(x, pads, { mode, value });
};

/** `value` everywhere; kept as one element however large the shape is. */
export function fill(value: HostTensor, dims: readonly number[]): Tensor {
  const one = constantOf({ ...value, shape: dims.map(() => 1) });
  return ops.expand(one, dims);
}

const constantOfShape: Rule = async (node) => {
  const dims = node.checkShape(await node.intsAt(0));
  const value = node.tensorAttribute('value') ?? filled('float32', [1], 0);
  if (value.data.length !== 1) node.fail(`value has ${value.data.length} elements; expected one.`);
  return fill(value, dims);
};

const constantRule: Rule = (node) => {
  const tensor = node.hasAttribute('value') ? node.tensorAttribute('value') : undefined;
  if (tensor) return constantOf(tensor);
  if (node.hasAttribute('value_float')) return scalar(node.float('value_float'));
  if (node.hasAttribute('value_int')) return scalar(node.int('value_int'), 'int64');
  if (node.hasAttribute('value_floats')) {
    const values = node.floats('value_floats');
    return constant(values, 'float32', [values.length]);
  }
  if (node.hasAttribute('value_ints')) {
    const values = node.ints('value_ints');
    return constant(values, 'int64', [values.length]);
  }
  return node.fail(
    'has no value that Graft can hold (strings and sparse tensors are none).',
    'onnx-dtype',
  );
};

const range: Rule = async (node) => {
  const { dtype } = node.type(0);
  const [start, limit, delta] = [
    await node.numberAt(0),
    await node.numberAt(1),
    await node.numberAt(2),
  ];
  if (delta === 0 || ![start, limit, delta].every(Number.isFinite)) {
    node.fail(`runs from ${start} to ${limit} in steps of ${delta}.`);
  }
  const n = Math.max(0, Math.ceil((limit - start) / delta));
  node.checkShape([n]);
  if (n <= 65536)
    return constant(
      Array.from({ length: n }, (_, i) => start + i * delta),
      dtype,
      [n],
    );
  return node.native({
    opType: 'Range',
    inputs: node.all(),
    outputs: [{ dtype, shape: [n] }],
    reason: 'A range does not depend on anything trained.',
  });
};

const eyeLike: Rule = (node) => {
  const type = node.type(0);
  const [rows, columns] = type.shape;
  if (type.shape.length !== 2) node.fail(`needs a matrix, got ${type.shape.length} axes.`);
  const dtype = node.dtype('dtype', type.dtype);
  const k = node.int('k', 0);
  const row = ops.add(iota(node, rows!, [rows!, 1]), k);
  return ops.cast(ops.equal(row, iota(node, columns!, [1, columns!])), dtype);
};

const trilu: Rule = (node) => {
  const x = node.tensor(0);
  if (x.rank < 2) node.fail(`needs at least two axes, got ${x.rank}.`);
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const k = node.optional(1);
  const row = iota(node, rows, [rows, 1]);
  const diagonal = k ? ops.add(row, ops.reshape(k, [])) : row;
  const column = iota(node, columns, [1, columns]);
  const keep = node.flag('upper', true)
    ? ops.greaterEqual(column, diagonal)
    : ops.lessEqual(column, diagonal);
  return ops.where(keep, x, scalar(0, x.dtype));
};

const depthToSpace: Rule = (node) => {
  const x = node.tensor(0);
  if (x.rank !== 4) node.fail(`needs [batch, channels, height, width], got ${x.rank} axes.`);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const b = node.int('blocksize');
  const out = c / (b * b);
  if (b < 1 || !Number.isInteger(out))
    node.fail(`${c} channels cannot fill blocks of ${b} x ${b}.`);
  const crd = node.string('mode', 'DCR') === 'CRD';
  const parts = crd ? [n, out, b, b, h, w] : [n, b, b, out, h, w];
  const perm = crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  return ops.reshape(ops.transpose(ops.reshape(x, parts), perm), [n, out, h * b, w * b]);
};

const spaceToDepth: Rule = (node) => {
  const x = node.tensor(0);
  if (x.rank !== 4) node.fail(`needs [batch, channels, height, width], got ${x.rank} axes.`);
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const b = node.int('blocksize');
  if (b < 1 || h % b || w % b) node.fail(`${h} x ${w} cannot be cut into blocks of ${b} x ${b}.`);
  const parts = ops.reshape(x, [n, c, h / b, b, w / b, b]);
  const perm = node.string('mode', 'DCR') === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
  return ops.reshape(ops.transpose(parts, perm), [n, c * b * b, h / b, w / b]);
};

const centerCropPad: Rule = async (node) => {
  const x = node.tensor(0);
  const target = node.checkShape(await node.intsAt(1));
  const axes = node.ints('axes', [...x.shape.keys()]);
  if (axes.length !== target.length)
    node.fail(`has ${target.length} sizes for ${axes.length} axes.`);
  const pads = x.shape.map((): [number, number] => [0, 0]);
  for (const [i, axis] of axes.entries()) {
    const at = node.axis(axis, x.rank);
    const more = target[i]! - x.shape[at]!;
    // The odd element is added after, and cut off after.
    const before = more < 0 ? -Math.floor(-more / 2) : Math.floor(more / 2);
    pads[at] = [before, more - before];
  }
  return ops.pad(x, pads);
};

const bitCast: Rule = (node) => {
  const x = node.tensor(0);
  const to = node.dtype('to');
  if (dtypeInfo(to).bytes !== dtypeInfo(x.dtype).bytes) {
    node.fail(`${x.dtype} and ${to} differ in size.`);
  }
  return node.native({
    opType: 'BitCast',
    version: 26,
    inputs: [x],
    attrs: { to: { int: ops.onnxDType(to) } },
    outputs: [{ dtype: to, shape: x.shape }],
    reason: 'Bits have no derivative.',
  });
};

/** Rules of operators that make, move and rearrange elements. */
export const shapeRules: Rules = {
  Shape: shape,
  Size: (node) => scalar(sizeOf(node.type(0).shape), 'int64'),
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: (node) => ops.concat(node.all(), node.int('axis')),
  Split: split,
  Slice: slice,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Constant: constantRule,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  Trilu: trilu,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  CenterCropPad: centerCropPad,
  BitCast: bitCast,
};
