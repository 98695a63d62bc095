/**
 * Fused operators of ONNX Runtime's own domain, which its optimizer writes into the models that it
 * saves: taken apart again, so that gradients flow.
 */
import { scalar, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

function withBias(node: OnnxNode, x: Tensor, i: number): Tensor {
  const bias = node.optional(i);
  return bias ? ops.add(x, bias) : x;
}

const fusedMatMul: Rule = (node) => {
  if (node.flag('transBatchA') || node.flag('transBatchB')) {
    node.fail('transposes batch axes, for which Graft has no rule. Save the model unoptimized.');
  }
  const side = (i: number, name: string) =>
    node.flag(name) ? ops.transpose(node.tensor(i)) : node.tensor(i);
  const product = ops.matmul(side(0, 'transA'), side(1, 'transB'));
  const alpha = node.float('alpha', 1);
  return alpha === 1 ? product : ops.mul(product, alpha);
};

/** LayerNormalization of x + skip + bias; the fourth output is that sum. */
const skipLayerNorm =
  (simplified: boolean): Rule =>
  (node) => {
    const scale = node.tensor(2);
    const beta = simplified ? undefined : node.optional(3);
    const total = withBias(node, ops.add(node.tensor(0), node.tensor(1)), simplified ? 3 : 4);
    const epsilon = node.float('epsilon', 1e-12);
    if (node.wants(1) || node.wants(2))
      node.fail('asks for statistics, which ONNX Runtime fills in training only.');
    const options = { scale, epsilon, ...(beta ? { bias: beta } : {}) };
    const y = simplified ? ops.rmsNorm(total, options) : ops.layerNorm(total, options);
    return [y, undefined, undefined, total];
  };

const quickGelu: Rule = (node) => {
  const x = node.tensor(0);
  const alpha = scalar(node.float('alpha', 1.702), x.dtype);
  return ops.mul(x, ops.sigmoid(ops.mul(x, alpha)));
};

/** Rules of the domain com.microsoft. */
export const microsoftRules: Rules = {
  Gelu: (node) => ops.gelu(node.tensor(0)),
  BiasGelu: (node) => ops.gelu(withBias(node, node.tensor(0), 1)),
  FastGelu: (node) => ops.gelu(withBias(node, node.tensor(0), 1), { approximate: 'tanh' }),
  QuickGelu: quickGelu,
  FusedMatMul: fusedMatMul,
  SkipLayerNormalization: skipLayerNorm(false),
  SkipSimplifiedLayerNormalization: skipLayerNorm(true),
};
