/** Operators that draw at random inside ONNX Runtime: not repeatable, and not differentiated. */
import type { DType, OnnxAttr, Shape } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

const REASON = 'What is drawn at random does not depend on anything trained.';

function draw(node: OnnxNode, dtype: DType, shape: Shape, names: readonly string[]) {
  const attrs: Record<string, OnnxAttr> = {};
  for (const name of names) if (node.hasAttribute(name)) attrs[name] = { float: node.float(name) };
  attrs.dtype = { int: ops.onnxDType(dtype) };
  if (node.inputCount === 0) attrs.shape = { ints: shape };
  return node.native({
    opType: node.opType,
    inputs: node.all(),
    attrs,
    outputs: [{ dtype, shape }],
    unique: true,
    reason: REASON,
  });
}

function distribution(...names: readonly string[]): Rule {
  return (node) => {
    const like = node.inputCount > 0 ? node.tensor(0) : null;
    const shape = like?.shape ?? node.checkShape(node.ints('shape'));
    const dtype = node.dtype('dtype', like?.dtype ?? 'float32');
    return draw(node, dtype, shape, [...names, 'seed']);
  };
}

const multinomial: Rule = (node) => {
  const x = node.tensor(0);
  const dtype = node.dtype('dtype', 'int32');
  const count = node.int('sample_size', 1);
  const attrs: Record<string, OnnxAttr> = {
    sample_size: { int: count },
    dtype: { int: ops.onnxDType(dtype) },
  };
  if (node.hasAttribute('seed')) attrs.seed = { float: node.float('seed') };
  return node.native({
    opType: 'Multinomial',
    inputs: [x],
    attrs,
    outputs: [{ dtype, shape: [x.shape[0] ?? 0, count] }],
    unique: true,
    reason: REASON,
  });
};

/** Rules of random operators. */
export const randomRules: Rules = {
  RandomNormal: distribution('mean', 'scale'),
  RandomNormalLike: distribution('mean', 'scale'),
  RandomUniform: distribution('low', 'high'),
  RandomUniformLike: distribution('low', 'high'),
  Bernoulli: distribution(),
  Multinomial: multinomial,
};
