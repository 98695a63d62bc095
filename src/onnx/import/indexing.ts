/** Operators that pick and place elements by index. */
import {
  constant,
  constantOf,
  hostTensor,
  isFloat,
  scalar,
  type Tensor,
  toNumbers,
} from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { Rule, Rules } from './rule.js';
import { asIndex, iota } from './shape.js';

/** Turns negative indices into what they count to from the end. */
function wrapped(indices: Tensor, size: number): Tensor {
  const negative = ops.less(indices, scalar(0, indices.dtype));
  return ops.where(negative, ops.add(indices, size), indices);
}

const oneHot: Rule = async (node) => {
  const indices = ops.cast(node.tensor(0), 'int64');
  const depth = Math.trunc(await node.numberAt(1));
  const values = node.tensor(2);
  const axis = node.axis(node.int('axis', -1), indices.rank + 1);
  const dims = Array.from({ length: indices.rank + 1 }, (_, i) => (i === axis ? depth : 1));
  const hit = ops.equal(ops.unsqueeze(wrapped(indices, depth), axis), iota(node, depth, dims));
  const [off, on] = ops.unstack(values, 0);
  if (!off || !on || values.size !== 2) return node.fail('values must be [off, on].');
  return ops.where(hit, on, off);
};

const reverseSequence: Rule = (node) => {
  const x = node.tensor(0);
  const lengths = ops.cast(node.tensor(1), 'int64');
  const time = node.axis(node.int('time_axis', 0), x.rank);
  const batch = node.axis(node.int('batch_axis', 1), x.rank);
  const along = (axis: number) => x.shape.map((d, i) => (i === axis ? d : 1));
  const t = iota(node, x.shape[time]!, along(time));
  const length = ops.reshape(lengths, along(batch));
  const index = ops.where(ops.less(t, length), ops.sub(ops.sub(length, t), 1), t);
  return ops.gatherElements(x, ops.expand(index, x.shape), time);
};

const gather: Rule = (node) => {
  const x = node.tensor(0);
  return ops.gather(x, asIndex(node.tensor(1)), node.int('axis', 0));
};

const gatherElements: Rule = (node) =>
  ops.gatherElements(node.tensor(0), asIndex(node.tensor(1)), node.int('axis', 0));

const gatherND: Rule = (node) =>
  ops.gatherND(node.tensor(0), ops.cast(node.tensor(1), 'int64'), {
    batchDims: node.int('batch_dims', 0),
  });

const NO_SCATTER_GRADIENT =
  'Graft has a derivative for scattering by replacement and addition only.';

const scatterElements: Rule = (node) => {
  const [x, indices, updates] = [node.tensor(0), asIndex(node.tensor(1)), node.tensor(2)];
  const axis = node.int('axis', 0);
  const reduction = node.string('reduction', 'none');
  if (isFloat(x.dtype) && reduction === 'none')
    return ops.scatterElements(x, indices, updates, axis);
  if (isFloat(x.dtype) && reduction === 'add') return ops.scatterAdd(x, indices, updates, axis);
  return node.native({
    opType: 'ScatterElements',
    inputs: [x, indices, updates],
    attrs: { axis: { int: axis }, reduction: { string: reduction } },
    outputs: [x],
    reason: NO_SCATTER_GRADIENT,
  });
};

const scatterND: Rule = (node) => {
  const [x, indices, updates] = [node.tensor(0), ops.cast(node.tensor(1), 'int64'), node.tensor(2)];
  const reduction = node.string('reduction', 'none');
  if (isFloat(x.dtype) && (reduction === 'none' || reduction === 'add')) {
    return ops.scatterND(x, indices, updates, { reduction });
  }
  return node.native({
    opType: 'ScatterND',
    inputs: [x, indices, updates],
    attrs: { reduction: { string: reduction } },
    outputs: [x],
    reason: NO_SCATTER_GRADIENT,
  });
};

/** Elements where the condition holds: how many there are must be known. */
const compress: Rule = async (node) => {
  const x = node.tensor(0);
  const picked = toNumbers(await node.constant(1)).flatMap((v, i) => (v ? [i] : []));
  const axis = node.hasAttribute('axis') ? node.axis(node.int('axis'), x.rank) : 0;
  const source = node.hasAttribute('axis') ? x : ops.reshape(x, [x.size]);
  if (picked.some((i) => i >= source.shape[axis]!))
    node.fail('the condition is longer than the axis.');
  return ops.gather(source, constant(picked, 'int64', [picked.length]), axis);
};

/** Coordinates of the elements that are not zero, one column each. */
const nonZero: Rule = async (node) => {
  const value = await node.constant(0);
  const { shape: dims } = value;
  const columns: number[][] = [];
  for (const [i, v] of toNumbers(value).entries()) {
    if (v === 0) continue;
    const at = new Array<number>(dims.length);
    for (let axis = dims.length - 1, rest = i; axis >= 0; axis--) {
      at[axis] = rest % dims[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    columns.push(at);
  }
  const rows = dims.map((_, axis) => columns.map((c) => c[axis]!));
  return constantOf(hostTensor('int64', [dims.length, columns.length], rows.flat()));
};

/** New keys and values written at each row's position of a cache. */
const tensorScatter: Rule = (node) =>
  node.native({
    opType: 'TensorScatter',
    version: 24,
    inputs: [node.tensor(0), node.tensor(1), node.optional(2)],
    attrs: { axis: { int: node.int('axis', -2) }, mode: { string: node.string('mode', 'linear') } },
    outputs: [node.tensor(0)],
    reason: 'It updates a cache for decoding, which is not trained through.',
  });

/** Rules of operators that pick and place by index. */
export const indexingRules: Rules = {
  OneHot: oneHot,
  ReverseSequence: reverseSequence,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  Compress: compress,
  NonZero: nonZero,
  TensorScatter: tensorScatter,
};
