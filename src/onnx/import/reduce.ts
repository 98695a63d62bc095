/** Reductions, cumulative sums, and operators that order or pick elements. */
import { constant, type DType, isFloat, scalar, sizeOf, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

type Reduce = (x: Tensor, options: ops.ReduceOptions) => Tensor;

/**
 * A reduction whose axes are an attribute before opset `since` and an input from then on.
 * @param noop what happens when no axes are given and the node says that this means none
 */
function reduction(since: number, fn: Reduce, noop: (x: Tensor) => Tensor = (x) => x): Rule {
  return async (node) => {
    const x = node.tensor(0);
    const given = await node.axes(1, since);
    const keepDims = node.flag('keepdims', true);
    if (!given || given.length === 0) {
      if (node.flag('noop_with_empty_axes')) return noop(x);
      return reduce(node, x, fn, { keepDims });
    }
    return reduce(node, x, fn, { axes: given, keepDims });
  };
}

/** Reductions that Graft's operations do on integers too, and fold where the values are known. */
const INTEGER_REDUCTIONS = ['ReduceSum', 'ReduceProd', 'ReduceMax', 'ReduceMin', 'ReduceSumSquare'];

function reduce(node: OnnxNode, x: Tensor, fn: Reduce, options: ops.ReduceOptions): Tensor {
  const axes = ops.normalizeAxes(node.opType, options.axes, x.rank);
  const shape = ops.reducedShape(x.shape, axes, options.keepDims ?? false);
  const identity = emptyResult(node.opType, x.dtype);
  // Nothing is reduced: the result is what leaves every other value as it is.
  if (identity !== null && x.size === 0 && sizeOf(shape) > 0)
    return ops.full(x.dtype, shape, identity);
  // Means and logarithms of integers are left to ONNX Runtime.
  if (isFloat(x.dtype) || INTEGER_REDUCTIONS.includes(node.opType)) return fn(x, options);
  return node.native({
    opType: node.opType,
    inputs: [x, index(axes)],
    attrs: { keepdims: { int: options.keepDims ? 1 : 0 } },
    outputs: [{ dtype: x.dtype, shape }],
    reason: 'Integers have no derivative.',
  })[0]!;
}

/** What the maximum or minimum of nothing is; null for other reductions, whose rules know. */
function emptyResult(opType: string, dtype: DType): number | null {
  if (!isFloat(dtype)) return null;
  if (opType === 'ReduceMax') return Number.NEGATIVE_INFINITY;
  return opType === 'ReduceMin' ? Number.POSITIVE_INFINITY : null;
}

function index(values: readonly number[]): Tensor {
  return constant(values, 'int64', [values.length]);
}

const argExtreme =
  (largest: boolean): Rule =>
  (node) => {
    const x = node.tensor(0);
    const axis = node.axis(node.int('axis', 0), x.rank);
    const keepDims = node.flag('keepdims', true);
    const find = largest ? ops.argmax : ops.argmin;
    if (!node.flag('select_last_index')) return find(x, axis, { keepDims });
    // The last of equal elements is the first from behind.
    const fromBehind = find(ops.flip(x, axis), axis, { keepDims });
    return ops.sub(x.shape[axis]! - 1, fromBehind);
  };

const topK: Rule = async (node) => {
  const x = node.tensor(0);
  const axis = node.axis(node.int('axis', -1), x.rank);
  const k = node.opset < 10 ? node.int('k') : await node.numberAt(1);
  const { values, indices } = ops.topK(x, k, {
    axis,
    largest: node.flag('largest', true),
    sorted: node.flag('sorted', true),
  });
  return [values, indices];
};

const cumSum: Rule = async (node) => {
  const x = node.tensor(0);
  const axis = node.axis(await node.numberAt(1), x.rank);
  const [exclusive, reverse] = [node.flag('exclusive'), node.flag('reverse')];
  return ops.cumsum(x, axis, { exclusive, reverse });
};

const cumProd: Rule = async (node) => {
  const x = node.tensor(0);
  const axis = await node.numberAt(1);
  return node.native({
    opType: 'CumProd',
    version: 26,
    inputs: [x, scalar(node.axis(axis, x.rank), 'int64')],
    attrs: {
      exclusive: { int: node.int('exclusive', 0) },
      reverse: { int: node.int('reverse', 0) },
    },
    outputs: [x],
    reason: 'Graft has no derivative for running products.',
  });
};

const sumSquare: Reduce = (x, o) => ops.sum(ops.square(x), o);

/** Rules of reductions and orderings. */
export const reduceRules: Rules = {
  ReduceSum: reduction(13, ops.sum),
  ReduceMean: reduction(18, (x, o) => ops.mean(x, o)),
  ReduceMax: reduction(18, (x, o) => ops.max(x, o)),
  ReduceMin: reduction(18, (x, o) => ops.min(x, o)),
  ReduceProd: reduction(18, (x, o) => ops.prod(x, o)),
  ReduceL1: reduction(
    18,
    (x, o) => ops.sum(ops.abs(x), o),
    (x) => ops.abs(x),
  ),
  ReduceL2: reduction(
    18,
    (x, o) => ops.sqrt(sumSquare(x, o)),
    (x) => ops.abs(x),
  ),
  ReduceLogSum: reduction(
    18,
    (x, o) => ops.log(ops.sum(x, o)),
    (x) => ops.log(x),
  ),
  ReduceLogSumExp: reduction(18, (x, o) => ops.logSumExp(x, o)),
  ReduceSumSquare: reduction(18, sumSquare, (x) => ops.square(x)),
  ArgMax: argExtreme(true),
  ArgMin: argExtreme(false),
  TopK: topK,
  CumSum: cumSum,
  CumProd: cumProd,
};
