/** Quantised arithmetic: run by ONNX Runtime as it is. */
import type { DType, OnnxAttr, Tensor, TensorType } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import { requireDTypeNumber } from '../tensor-value.js';
import type { OnnxNode, Rule, Rules } from './rule.js';
import { positions, windowAttrs, windowOf } from './window.js';

const REASON =
  'Rounding to integers has no useful derivative; train the float model and quantise it afterwards.';

function given(node: OnnxNode, count: number): (Tensor | undefined)[] {
  return Array.from({ length: count }, (_, i) => node.optional(i));
}

function axisAttrs(node: OnnxNode): Record<string, OnnxAttr> {
  const attrs: Record<string, OnnxAttr> = { axis: { int: node.int('axis', 1) } };
  if (node.int('block_size', 0) !== 0) attrs.block_size = { int: node.int('block_size') };
  return attrs;
}

const quantize: Rule = (node) => {
  const x = node.tensor(0);
  const zero = node.optional(2);
  const asked = node.int('output_dtype', 0);
  const dtype: DType =
    zero?.dtype ??
    (asked === 0 ? 'uint8' : requireDTypeNumber(asked, `${node.label}, output_dtype,`));
  const attrs = axisAttrs(node);
  if (!zero && asked !== 0) attrs.output_dtype = { int: asked };
  return node.native({
    opType: 'QuantizeLinear',
    inputs: given(node, 3),
    attrs,
    outputs: [{ dtype, shape: x.shape }],
    reason: REASON,
  });
};

const dequantize: Rule = (node) => {
  const [x, scale] = [node.tensor(0), node.tensor(1)];
  const blocked = node.int('block_size', 0) !== 0;
  const axis = node.int('axis', 1);
  return node.native({
    opType: 'DequantizeLinear',
    inputs: given(node, 3),
    attrs: axisAttrs(node),
    outputs: [{ dtype: scale.dtype, shape: x.shape }],
    reason: REASON,
    // The integers stay as they are, but their scale may be trained: y = (x - zero) scale.
    ...(blocked
      ? {}
      : {
          equivalent: ([q, s, zero]) => {
            const along = (t: Tensor) =>
              t.size === 1
                ? ops.reshape(t, [])
                : ops.reshape(
                    t,
                    q!.shape.map((_, i) => (i === node.axis(axis, q!.rank) ? t.size : 1)),
                  );
            const value = ops.cast(q!, s!.dtype);
            const centred = zero ? ops.sub(value, along(ops.cast(zero, s!.dtype))) : value;
            return [ops.mul(centred, along(s!))];
          },
        }),
  });
};

const dynamicQuantize: Rule = (node) => {
  const { shape } = node.tensor(0);
  return node.native({
    opType: 'DynamicQuantizeLinear',
    inputs: [node.tensor(0)],
    outputs: [
      { dtype: 'uint8', shape },
      { dtype: 'float32', shape: [] },
      { dtype: 'uint8', shape: [] },
    ],
    reason: REASON,
  });
};

/** Shape of a matrix product, worked out by Graft's own rule. */
function productShape(a: Tensor, b: Tensor): readonly number[] {
  return ops.matmul(ops.cast(a, 'float32'), ops.cast(b, 'float32')).shape;
}

const matmulInteger: Rule = (node) =>
  node.native({
    opType: 'MatMulInteger',
    inputs: given(node, 4),
    outputs: [{ dtype: 'int32', shape: productShape(node.tensor(0), node.tensor(1)) }],
    reason: REASON,
  });

const qlinearMatmul: Rule = (node) =>
  node.native({
    opType: 'QLinearMatMul',
    inputs: given(node, 8),
    outputs: [{ dtype: node.tensor(7).dtype, shape: productShape(node.tensor(0), node.tensor(3)) }],
    reason: REASON,
  });

/** Attributes and result shape of a quantised convolution. */
function convolution(node: OnnxNode, x: Tensor, w: Tensor) {
  if (x.rank < 3 || w.rank !== x.rank)
    node.fail('needs [batch, channels, ...] and a weight of as many axes.');
  const size = x.shape.slice(2);
  const window = windowOf(node, size, w.shape.slice(2));
  return {
    shape: [x.shape[0]!, w.shape[0]!, ...positions(node, window, size)],
    attrs: { ...windowAttrs(window), group: { int: node.int('group', 1) } },
  };
}

const convInteger: Rule = (node) => {
  const { shape, attrs } = convolution(node, node.tensor(0), node.tensor(1));
  const outputs: TensorType[] = [{ dtype: 'int32', shape }];
  return node.native({
    opType: 'ConvInteger',
    inputs: given(node, 4),
    attrs,
    outputs,
    reason: REASON,
  });
};

const qlinearConv: Rule = (node) => {
  const { shape, attrs } = convolution(node, node.tensor(0), node.tensor(3));
  const outputs: TensorType[] = [{ dtype: node.tensor(7).dtype, shape }];
  return node.native({
    opType: 'QLinearConv',
    inputs: given(node, 9),
    attrs,
    outputs,
    reason: REASON,
  });
};

/** Rules of quantised arithmetic. */
export const quantizeRules: Rules = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: dynamicQuantize,
  MatMulInteger: matmulInteger,
  QLinearMatMul: qlinearMatmul,
  ConvInteger: convInteger,
  QLinearConv: qlinearConv,
};
