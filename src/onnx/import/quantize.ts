/** Quantised arithmetic: run by ONNX Runtime as it is. */
import {
  type DType,
  type OnnxAttr,
  scalar,
  type Tensor,
  type TensorType,
} from '../../graph/index.js';
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

/** A scale or zero point, one for all or one an index of `axis`, shaped to broadcast to `x`. */
function along(node: OnnxNode, t: Tensor, x: Tensor, axis: number): Tensor {
  if (t.size === 1) return ops.reshape(t, []);
  const at = node.axis(axis, x.rank);
  return ops.reshape(
    t,
    x.shape.map((_, i) => (i === at ? t.size : 1)),
  );
}

/** Smallest and largest number of the integer types that are quantised to. */
const RANGES: Readonly<Partial<Record<DType, readonly [number, number]>>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/** The float tensor that was quantised by this scale right before; null when `q` comes from elsewhere. */
function quantizedFrom(q: Tensor, scale: Tensor): Tensor | null {
  const { op, inputs } = q.node;
  const [x, by] = inputs;
  return op.name === 'onnx.QuantizeLinear' && x && by === scale && x.dtype === scale.dtype
    ? x
    : null;
}

const dequantize: Rule = (node) => {
  const [x, scale, zero] = [node.tensor(0), node.tensor(1), node.optional(2)];
  const blocked = node.int('block_size', 0) !== 0;
  const axis = node.int('axis', 1);
  const [y] = node.native({
    opType: 'DequantizeLinear',
    inputs: given(node, 3),
    attrs: axisAttrs(node),
    outputs: [{ dtype: scale.dtype, shape: x.shape }],
    reason: REASON,
    // The integers stay as they are, but their scale may be trained: y = (x - zero) scale.
    ...(blocked
      ? {}
      : {
          equivalent: ([q, s, z]) => {
            const value = ops.cast(q!, s!.dtype);
            const centred = z
              ? ops.sub(value, along(node, ops.cast(z, s!.dtype), q!, axis))
              : value;
            return [ops.mul(centred, along(node, s!, q!, axis))];
          },
        }),
  });
  const source = quantizedFrom(x, scale);
  const range = RANGES[x.dtype];
  if (!source || !range || blocked) return y!;
  // Rounding there and back: the gradient passes straight through, but not where values are cut off.
  const through = ops.customGradient(
    () => y!,
    ({ inputs: [t, s, z], dys: [dy] }) => {
      const bound = (limit: number) => {
        const from = z ? ops.sub(limit, along(node, ops.cast(z, s!.dtype), t!, axis)) : limit;
        return ops.mul(from, along(node, s!, t!, axis));
      };
      const above = ops.greaterEqual(t!, bound(range[0]));
      const inside = ops.logicalAnd(above, ops.lessEqual(t!, bound(range[1])));
      const dx = ops.where(inside, dy!, scalar(0, s!.dtype));
      return zero ? [dx, null, null] : [dx, null];
    },
  );
  return zero ? through(source, scale, zero) : through(source, scale);
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
