/** Elementwise operators: arithmetic, comparisons, logic, activations. */
import {
  constantOf,
  type DType,
  filled,
  isFloat,
  isInt,
  type OnnxAttr,
  scalar,
  type Tensor,
} from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

const NO_INTEGER_GRADIENT = 'Integers have no derivative.';

/** A node of the same operator, for element types that Graft's operation does not compute in. */
function asIs(node: OnnxNode, x: Tensor, to: DType = x.dtype): Tensor {
  return node.native({
    opType: node.opType,
    inputs: [x],
    outputs: [{ dtype: to, shape: x.shape }],
    reason: NO_INTEGER_GRADIENT,
  })[0]!;
}

/** A rule for an operator of one floating-point input. */
function unary(fn: (x: Tensor) => Tensor): Rule {
  return (node) => {
    const x = node.tensor(0);
    return isFloat(x.dtype) ? fn(x) : asIs(node, x);
  };
}

function binary(fn: (a: Tensor, b: Tensor) => Tensor): Rule {
  return (node) => fn(node.tensor(0), node.tensor(1));
}

/** A rule for an operator of one or more inputs that are combined from the left. */
function variadic(fn: (a: Tensor, b: Tensor) => Tensor): Rule {
  return (node) => {
    const all = node.all();
    if (all.length === 0) node.fail('needs at least one input.');
    return all.reduce(fn);
  };
}

/** An integer operator of two inputs that no gradient needs. */
const bitwise: Rule = (node) => {
  const inputs = node.all();
  const attrs: Record<string, OnnxAttr> = {};
  if (node.hasAttribute('direction')) attrs.direction = { string: node.string('direction') };
  const shape = ops.broadcastShapes(node.opType, ...inputs.map((t) => t.shape));
  const dtype = inputs[0]?.dtype ?? node.fail('has no inputs.');
  return node.native({
    opType: node.opType,
    inputs,
    attrs,
    outputs: [{ dtype, shape }],
    reason: 'Bits have no derivative.',
  });
};

const mean: Rule = (node) => {
  const all = node.all();
  if (all.length === 0) node.fail('needs at least one input.');
  return ops.div(all.reduce(ops.add), all.length);
};

/** Exponents may have another type than the base: a float base takes any, an integer one rounds. */
const pow: Rule = (node) => {
  const x = node.tensor(0);
  const y = node.tensor(1);
  if (isFloat(x.dtype)) return ops.pow(x, ops.cast(y, x.dtype));
  return node.native({
    opType: 'Pow',
    inputs: [x, y],
    outputs: [{ dtype: x.dtype, shape: ops.broadcastShapes('Pow', x.shape, y.shape) }],
    reason: NO_INTEGER_GRADIENT,
  });
};

const mod: Rule = (node) =>
  ops.mod(node.tensor(0), node.tensor(1), { truncated: node.flag('fmod') });

/** Bounds are attributes before opset 11, inputs since. Where they cross, the upper one wins. */
const clip: Rule = async (node) => {
  const x = node.tensor(0);
  const bound = (name: 'min' | 'max', i: number): Tensor | undefined => {
    if (node.opset >= 11) return node.optional(i);
    return node.hasAttribute(name) ? scalar(node.float(name), x.dtype) : undefined;
  };
  const low = bound('min', 1);
  const high = bound('max', 2);
  const known = async (t: Tensor | undefined, i: number) => {
    if (!t) return undefined;
    return node.opset < 11 ? node.float(i === 1 ? 'min' : 'max') : node.numberAt(i);
  };
  const fixed = (i: number) => node.opset < 11 || !node.has(i) || node.isKnown(i);
  if (isFloat(x.dtype) && fixed(1) && fixed(2)) {
    const min = await known(low, 1);
    const max = await known(high, 2);
    if (min === undefined && max === undefined) return x;
    if (min === undefined || max === undefined || min <= max) return ops.clip(x, { min, max });
  }
  const above = low ? ops.maximum(x, low) : x;
  return high ? ops.minimum(above, high) : above;
};

const cast: Rule = (node) => {
  const to = node.opType === 'CastLike' ? node.type(1).dtype : node.dtype('to');
  return ops.cast(node.tensor(0), to);
};

/** x where x > 0, slope x elsewhere; the slope broadcasts towards x. */
const prelu: Rule = (node) => {
  const x = node.tensor(0);
  const slope = node.tensor(1);
  if (!isFloat(x.dtype)) {
    return node.native({
      opType: 'PRelu',
      inputs: [x, slope],
      outputs: [x],
      reason: NO_INTEGER_GRADIENT,
    });
  }
  return ops.add(ops.relu(x), ops.mul(slope, ops.neg(ops.relu(ops.neg(x)))));
};

const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

const selu: Rule = (node) => {
  const x = node.tensor(0);
  const alpha = node.float('alpha', SELU_ALPHA);
  const gamma = node.float('gamma', SELU_GAMMA);
  return ops.mul(ops.elu(x, alpha), gamma);
};

/** alpha elu(x / alpha), which is max(0, x) + min(0, alpha (exp(x / alpha) - 1)). */
const celu: Rule = (node) => {
  const alpha = node.float('alpha', 1);
  return ops.mul(ops.elu(ops.div(node.tensor(0), alpha), 1), alpha);
};

const hardSigmoid: Rule = (node) => {
  const x = node.tensor(0);
  const scaled = ops.add(ops.mul(x, node.float('alpha', 0.2)), node.float('beta', 0.5));
  return ops.clip(scaled, { min: 0, max: 1 });
};

const thresholdedRelu: Rule = (node) => {
  const x = node.tensor(0);
  const on = ops.greater(x, scalar(node.float('alpha', 1), x.dtype));
  return ops.where(on, x, scalar(0, x.dtype));
};

/** Outside [-lambda, lambda] the value moves towards zero by the bias; inside it is zero. */
const shrink: Rule = (node) => {
  const x = node.tensor(0);
  const bias = node.float('bias', 0);
  const lambda = node.float('lambd', 0.5);
  if (!isFloat(x.dtype)) {
    return node.native({
      opType: 'Shrink',
      inputs: [x],
      attrs: { bias: { float: bias }, lambd: { float: lambda } },
      outputs: [x],
      reason: NO_INTEGER_GRADIENT,
    });
  }
  const zero = scalar(0, x.dtype);
  const low = ops.where(ops.less(x, scalar(-lambda, x.dtype)), ops.add(x, bias), zero);
  return ops.where(ops.greater(x, scalar(lambda, x.dtype)), ops.sub(x, bias), low);
};

const isInf: Rule = (node) => {
  const x = node.tensor(0);
  const up = node.flag('detect_positive', true);
  const down = node.flag('detect_negative', true);
  if (up && down) return ops.isInf(x);
  if (!up && !down) return constantOf(filled('bool', x.shape, 0));
  const zero = scalar(0, x.dtype);
  return ops.logicalAnd(ops.isInf(x), up ? ops.greater(x, zero) : ops.less(x, zero));
};

const swish: Rule = (node) => {
  const x = node.tensor(0);
  const alpha = node.float('alpha', 1);
  return alpha === 1 ? ops.silu(x) : ops.mul(x, ops.sigmoid(ops.mul(x, alpha)));
};

const gelu: Rule = (node) => {
  const approximate = node.string('approximate', 'none');
  if (approximate !== 'none' && approximate !== 'tanh') {
    return node.fail(`approximate is '${approximate}'; expected 'none' or 'tanh'.`);
  }
  return ops.gelu(node.tensor(0), { approximate });
};

/** Rules of elementwise operators. */
export const elementwiseRules: Rules = {
  Abs: (node) => ops.abs(node.tensor(0)),
  Acos: unary(ops.acos),
  Acosh: unary(ops.acosh),
  Asin: unary(ops.asin),
  Asinh: unary(ops.asinh),
  Atan: unary(ops.atan),
  Atanh: unary(ops.atanh),
  Ceil: unary(ops.ceil),
  Cos: unary(ops.cos),
  Cosh: unary(ops.cosh),
  Erf: unary(ops.erf),
  Exp: unary(ops.exp),
  Floor: unary(ops.floor),
  Log: unary(ops.log),
  Neg: (node) => ops.neg(node.tensor(0)),
  Reciprocal: unary(ops.reciprocal),
  Round: unary(ops.round),
  Sign: (node) => ops.sign(node.tensor(0)),
  Sin: unary(ops.sin),
  Sinh: unary(ops.sinh),
  Sqrt: unary(ops.sqrt),
  Tan: unary(ops.tan),
  Tanh: unary(ops.tanh),
  Sigmoid: unary(ops.sigmoid),
  Relu: unary(ops.relu),
  Softplus: unary(ops.softplus),
  Softsign: (node) => {
    const x = node.tensor(0);
    return ops.div(x, ops.add(ops.abs(x), 1));
  },
  Mish: unary(ops.mish),
  HardSwish: unary(ops.hardswish),
  Gelu: gelu,
  Swish: swish,
  LeakyRelu: (node) => ops.leakyRelu(node.tensor(0), node.float('alpha', 0.01)),
  Elu: (node) => ops.elu(node.tensor(0), node.float('alpha', 1)),
  Selu: selu,
  Celu: celu,
  HardSigmoid: hardSigmoid,
  ThresholdedRelu: thresholdedRelu,
  Shrink: shrink,
  PRelu: prelu,
  Clip: clip,

  Add: binary(ops.add),
  Sub: binary(ops.sub),
  Mul: binary(ops.mul),
  Div: binary(ops.div),
  Pow: pow,
  Mod: mod,
  Sum: variadic(ops.add),
  Max: variadic(ops.maximum),
  Min: variadic(ops.minimum),
  Mean: mean,

  Equal: binary(ops.equal),
  Greater: binary(ops.greater),
  GreaterOrEqual: binary(ops.greaterEqual),
  Less: binary(ops.less),
  LessOrEqual: binary(ops.lessEqual),
  And: binary(ops.logicalAnd),
  Or: binary(ops.logicalOr),
  Xor: binary(ops.logicalXor),
  Not: (node) => ops.logicalNot(node.tensor(0)),
  IsNaN: (node) => ops.isNaN(node.tensor(0)),
  IsInf: isInf,
  Where: (node) => ops.where(node.tensor(0), node.tensor(1), node.tensor(2)),
  BitShift: bitwise,
  BitwiseAnd: bitwise,
  BitwiseOr: bitwise,
  BitwiseXor: bitwise,
  BitwiseNot: (node) => {
    const x = node.tensor(0);
    return isInt(x.dtype) ? asIs(node, x) : node.fail('takes integers only.');
  },

  Cast: cast,
  CastLike: cast,
  Identity: (node) => node.value(0),
};
