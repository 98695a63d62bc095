/** Layers: matrix products, convolutions, pooling, softmax, dropout, losses. */
import {
  filled,
  isFloat,
  scalar,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';
import { asIndex, fill } from './shape.js';
import { positions, span, type Window, windowAttrs, windowOf } from './window.js';

const matmul: Rule = (node) => {
  const [a, b] = [node.tensor(0), node.tensor(1)];
  if (isFloat(a.dtype)) return ops.matmul(a, b);
  const probe = ops.matmul(ops.cast(a, 'float32'), ops.cast(b, 'float32'));
  return node.native({
    opType: 'MatMul',
    inputs: [a, b],
    outputs: [{ dtype: a.dtype, shape: probe.shape }],
    reason: 'Integers have no derivative.',
  });
};

const gemm: Rule = (node) => {
  const a = node.flag('transA') ? ops.transpose(node.tensor(0), [1, 0]) : node.tensor(0);
  const b = node.flag('transB') ? ops.transpose(node.tensor(1), [1, 0]) : node.tensor(1);
  const [alpha, beta] = [node.float('alpha', 1), node.float('beta', 1)];
  const product = ops.matmul(a, b);
  const scaled = alpha === 1 ? product : ops.mul(product, alpha);
  const c = node.optional(2);
  if (!c || beta === 0) return scaled;
  return ops.add(scaled, beta === 1 ? c : ops.mul(c, beta));
};

const conv: Rule = (node) => {
  const [x, w, bias] = [node.tensor(0), node.tensor(1), node.optional(2)];
  if (x.rank < 3) node.fail(`needs [batch, channels, ...], got ${x.rank} axes.`);
  const { strides, dilations, pads } = windowOf(node, x.shape.slice(2), w.shape.slice(2));
  const groups = node.int('group', 1);
  if (groups < 1) node.fail(`group is ${groups}.`);
  return ops.convOp.one(bias ? [x, w, bias] : [x, w], { strides, dilations, pads, groups });
};

const convTranspose: Rule = (node) => {
  const [x, w, bias] = [node.tensor(0), node.tensor(1), node.optional(2)];
  if (x.rank < 3 || w.rank !== x.rank || x.shape[1] !== w.shape[0]) {
    node.fail(`the weight [${w.shape.join(',')}] does not fit the input [${x.shape.join(',')}].`);
  }
  const spatial = x.shape.slice(2);
  const n = spatial.length;
  const groups = node.int('group', 1);
  if (groups < 1) node.fail(`group is ${groups}.`);
  const auto = node.string('auto_pad', 'NOTSET');
  // The window is given in terms of the output; automatic padding is worked out below.
  const window = windowOf(node, spatial, w.shape.slice(2));
  const extra = node.ints('output_padding', new Array<number>(n).fill(0));
  const full = spatial.map(
    (d, i) => (d - 1) * window.strides[i]! + span(window, i) + (extra[i] ?? 0),
  );
  let { pads } = window;
  let size: readonly number[];
  if (node.hasAttribute('output_shape') || auto.startsWith('SAME')) {
    const wanted = spatial.map((d, i) => d * window.strides[i]!);
    size = node.ints('output_shape', wanted).slice(-n);
    const total = full.map((f, i) => Math.max(0, f - size[i]!));
    const less = total.map((t) => Math.floor(t / 2));
    const more = total.map((t, i) => t - less[i]!);
    // Here it is SAME_UPPER that cuts the smaller part off the front.
    pads = auto === 'SAME_UPPER' ? [...less, ...more] : [...more, ...less];
    const short = size.some((s, i) => s > full[i]!);
    if (size.length !== n || short) {
      const grown = ops.convInputGradOp.one([x, w], {
        strides: window.strides,
        dilations: window.dilations,
        pads: new Array<number>(2 * n).fill(0),
        groups,
        size: node.checkShape(full),
      });
      const rest = size.map((s, i): [number, number] => [0, s - full[i]!]);
      return withBias(ops.pad(grown, [[0, 0], [0, 0], ...rest]), bias, n);
    }
  } else {
    size = full.map((f, i) => f - pads[i]! - pads[n + i]!);
  }
  const y = ops.convInputGradOp.one([x, w], {
    strides: window.strides,
    dilations: window.dilations,
    pads,
    groups,
    size: node.checkShape(size),
  });
  return withBias(y, bias, n);
};

function withBias(y: Tensor, bias: Tensor | undefined, spatial: number): Tensor {
  return bias ? ops.add(y, ops.reshape(bias, [bias.size, ...new Array(spatial).fill(1)])) : y;
}

/** Shape and attributes of a pooling node. */
function pooling(node: OnnxNode) {
  const x = node.tensor(0);
  if (x.rank < 3) node.fail(`needs [batch, channels, ...], got ${x.rank} axes.`);
  const size = x.shape.slice(2);
  const window = windowOf(node, size, node.ints('kernel_shape'));
  const ceil = node.flag('ceil_mode');
  const shape = [...x.shape.slice(0, 2), ...positions(node, window, size, ceil)];
  return {
    x,
    window,
    ceil,
    shape,
    attrs: { ...windowAttrs(window), ceil_mode: { int: ceil ? 1 : 0 } },
  };
}

const NO_POOL_GRADIENT = 'Graft has a derivative for pooling over one or two axes without indices.';

const maxPool: Rule = (node) => {
  const { x, window, ceil, shape, attrs } = pooling(node);
  const pool = x.rank === 3 ? ops.maxPool1d : ops.maxPool2d;
  const { kernel, strides: stride, dilations: dilation } = window;
  const values = (t: Tensor) =>
    pool(t, kernel, { stride, dilation, padding: pairs(window), ceilMode: ceil });
  if (x.rank <= 4 && isFloat(x.dtype) && !node.wants(1)) return values(x);
  const outputs: TensorType[] = [{ dtype: x.dtype, shape }];
  if (node.wants(1)) outputs.push({ dtype: 'int64', shape });
  return node.native({
    opType: 'MaxPool',
    inputs: [x],
    attrs: { ...attrs, storage_order: { int: node.int('storage_order', 0) } },
    outputs,
    reason: NO_POOL_GRADIENT,
    // The indices are asked for beside the values; only those have a derivative.
    ...(x.rank <= 4 && isFloat(x.dtype)
      ? { equivalent: ([t]) => [values(t!), ops.zeros('int64', shape)].slice(0, outputs.length) }
      : {}),
  });
};

/** Pads as [before, after] for each axis. */
function pairs({ pads }: Window): [number, number][] {
  const n = pads.length / 2;
  return pads.slice(0, n).map((before, i) => [before, pads[n + i]!]);
}

const averagePool: Rule = (node) => {
  const { x, window, ceil, shape, attrs } = pooling(node);
  const countIncludePad = node.flag('count_include_pad');
  const pool = x.rank === 3 ? ops.avgPool1d : ops.avgPool2d;
  if (x.rank <= 4 && isFloat(x.dtype) && window.dilations.every((d) => d === 1)) {
    const { kernel, strides: stride } = window;
    return pool(x, kernel, { stride, padding: pairs(window), ceilMode: ceil, countIncludePad });
  }
  return node.native({
    opType: 'AveragePool',
    inputs: [x],
    attrs: { ...attrs, count_include_pad: { int: countIncludePad ? 1 : 0 } },
    outputs: [{ dtype: x.dtype, shape }],
    reason: NO_POOL_GRADIENT,
  });
};

const lpPool: Rule = (node) => {
  const { x, shape, attrs } = pooling(node);
  return node.native({
    opType: 'LpPool',
    inputs: [x],
    attrs: { ...attrs, p: { int: node.int('p', 2) } },
    outputs: [{ dtype: x.dtype, shape }],
    reason: 'Graft has no derivative for pooling by norm.',
  });
};

const maxUnpool: Rule = async (node) => {
  const x = node.tensor(0);
  const spatial = x.shape.slice(2);
  const window = windowOf(node, spatial, node.ints('kernel_shape'));
  const n = spatial.length;
  const natural = spatial.map(
    (d, i) =>
      (d - 1) * window.strides[i]! - window.pads[i]! - window.pads[n + i]! + window.kernel[i]!,
  );
  const shape = node.has(2) ? await node.intsAt(2) : [...x.shape.slice(0, 2), ...natural];
  return node.native({
    opType: 'MaxUnpool',
    inputs: [x, node.tensor(1), node.optional(2)],
    attrs: {
      kernel_shape: { ints: window.kernel },
      strides: { ints: window.strides },
      pads: { ints: window.pads },
    },
    outputs: [{ dtype: x.dtype, shape }],
    reason: 'Graft has no derivative for unpooling.',
  });
};

/** The axes of all spatial extents, for pooling over everything. */
function spatialAxes(node: OnnxNode): { x: Tensor; axes: number[] } {
  const x = node.tensor(0);
  if (x.rank < 3) node.fail(`needs [batch, channels, ...], got ${x.rank} axes.`);
  return { x, axes: [...x.shape.keys()].slice(2) };
}

const globalLpPool: Rule = (node) => {
  const { x, axes } = spatialAxes(node);
  return lpNorm(x, node.int('p', 2), axes);
};

/** (sum |x|^p)^(1/p). */
export function lpNorm(x: Tensor, p: number, axes: readonly number[]): Tensor {
  const options = { axes, keepDims: true };
  if (p === 1) return ops.sum(ops.abs(x), options);
  if (p === 2) return ops.sqrt(ops.sum(ops.square(x), options));
  return ops.pow(ops.sum(ops.pow(ops.abs(x), p), options), 1 / p);
}

/** Before opset 13 the axes from `axis` on were one, and the default was 1. */
function alongAxis(fn: (x: Tensor, axis: number) => Tensor): Rule {
  return (node) => {
    const x = node.tensor(0);
    if (node.opset >= 13) return fn(x, node.axis(node.int('axis', -1), Math.max(1, x.rank)));
    const axis = node.axis(node.int('axis', 1), x.rank + 1);
    const flat = ops.reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
    return ops.reshape(fn(flat, 1), x.shape);
  };
}

const hardmax: Rule = (node) =>
  alongAxis(
    (x, axis) =>
      node.native({
        opType: 'Hardmax',
        inputs: [x],
        attrs: { axis: { int: axis } },
        outputs: [x],
        reason: 'Which element is the largest changes in jumps; use softmax.',
      })[0]!,
  )(node);

const dropout: Rule = async (node) => {
  const x = node.tensor(0);
  const training = node.opset >= 12 && node.has(2) && (await node.numberAt(2)) !== 0;
  const ratio = training ? await node.numberAt(1, 0.5) : 0;
  if (training && ratio > 0) {
    const outputs: TensorType[] = [x];
    if (node.wants(1)) outputs.push({ dtype: 'bool', shape: x.shape });
    return node.native({
      opType: 'Dropout',
      inputs: [x, node.optional(1), node.optional(2)],
      outputs,
      unique: true,
      reason:
        'ONNX Runtime draws its own mask here. Export the model for inference and use Graft dropout where it is wanted.',
    });
  }
  const maskType = node.opset < 10 ? x.dtype : 'bool';
  return [x, fill(filled(maskType, [1], 1), x.shape)];
};

/** Loss of each place from log-probabilities [batch, classes, ...] and labels [batch, ...]. */
async function negativeLogLikelihood(node: OnnxNode, logProbabilities: Tensor): Promise<Tensor> {
  const given = ops.cast(asIndex(node.tensor(1)), 'int64');
  const weights = node.optional(2);
  const reduction = node.string('reduction', 'mean');
  const ignored = node.hasAttribute('ignore_index') ? node.int('ignore_index') : undefined;
  const { dtype } = logProbabilities;
  const skip = ignored === undefined ? null : ops.equal(given, scalar(ignored, 'int64'));
  // An ignored label may lie outside the classes: it looks up class 0, and counts nothing.
  const labels = skip ? ops.where(skip, scalar(0, 'int64'), given) : given;
  const picked = ops.gatherElements(logProbabilities, ops.unsqueeze(labels, 1), 1);
  let weight = weights ? ops.gather(weights, labels) : ops.onesLike(ops.cast(labels, dtype));
  if (skip) weight = ops.where(skip, scalar(0, dtype), weight);
  const losses = ops.neg(ops.mul(ops.squeeze(picked, 1), weight));
  if (reduction === 'none') return losses;
  const total = ops.sum(losses);
  if (reduction === 'sum') return total;
  if (reduction !== 'mean') node.fail(`reduction is '${reduction}'; expected none, sum or mean.`);
  return ops.div(total, ops.sum(weight));
}

const softmaxLoss: Rule = async (node) => {
  const logProbabilities = ops.logSoftmax(node.tensor(0), 1);
  return [await negativeLogLikelihood(node, logProbabilities), logProbabilities];
};

/** Rules of layers. */
export const nnRules: Rules = {
  MatMul: matmul,
  Gemm: gemm,
  Einsum: (node) => ops.einsum(node.string('equation'), ...node.all()),
  Conv: conv,
  ConvTranspose: convTranspose,
  MaxPool: maxPool,
  AveragePool: averagePool,
  LpPool: lpPool,
  MaxUnpool: maxUnpool,
  GlobalAveragePool: (node) => ops.globalAvgPool(spatialAxes(node).x),
  GlobalMaxPool: (node) => ops.globalMaxPool(spatialAxes(node).x),
  GlobalLpPool: globalLpPool,
  Softmax: alongAxis((x, axis) => ops.softmax(x, axis)),
  LogSoftmax: alongAxis((x, axis) => ops.logSoftmax(x, axis)),
  Hardmax: hardmax,
  Dropout: dropout,
  NegativeLogLikelihoodLoss: (node) => negativeLogLikelihood(node, node.tensor(0)),
  SoftmaxCrossEntropyLoss: softmaxLoss,
};
