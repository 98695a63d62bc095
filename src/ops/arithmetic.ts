/** Elementwise arithmetic with broadcasting. The set is closed under differentiation. */
import {
  constantValue,
  defineOp,
  type GradRule,
  isFloat,
  type NoGrad,
  type OnnxEmitter,
  type Op,
  scalar,
  type Tensor,
  type TensorType,
  toNumbers,
} from '../graph/index.js';
import { broadcastShapes, requireFloat, requireSameDType } from './check.js';
import { type ElementRule, type Fold, foldElementwise } from './fold.js';
import { sumTo } from './layout.js';

/** A tensor, or a number that takes the dtype of the other operand. */
export type Operand = Tensor | number;

/** Turns a pair of operands into tensors of one dtype. */
export function operands(a: Operand, b: Operand): [Tensor, Tensor] {
  if (typeof a === 'number') {
    return typeof b === 'number' ? [scalar(a), scalar(b)] : [scalar(a, b.dtype), b];
  }
  return [a, typeof b === 'number' ? scalar(b, a.dtype) : b];
}

/** Shape rule of a broadcasting binary operation whose result has the dtype of its inputs. */
export function inferBinary(op: string, inputs: readonly TensorType[]): TensorType {
  const dtype = requireSameDType(op, inputs);
  return { dtype, shape: broadcastShapes(op, ...inputs.map((t) => t.shape)) };
}

/**
 * ONNX names of broadcasting operands. Where the result ends in axes of length 1 (the weights of a
 * 1x1 convolution), operands of lower rank are written with all axes: ONNX Runtime's loop would
 * otherwise run over single elements, twenty times slower.
 */
export function emitOperands(emit: OnnxEmitter, inputs: readonly Tensor[]): string[] {
  const rank = Math.max(...inputs.map((t) => t.rank));
  const ends = rank > 1 && inputs.every((t) => (t.shape.at(-1) ?? 1) === 1);
  return inputs.map((t) => {
    if (!ends || t.rank === rank) return emit.name(t);
    const shape = [...new Array<number>(rank - t.rank).fill(1), ...t.shape];
    const value = constantValue(t);
    return value
      ? emit.constant({ ...value, shape })
      : emit.one('Reshape', [emit.name(t), emit.ints(shape)]);
  });
}

function binary(
  name: string,
  onnx: string,
  grad: GradRule<undefined>,
  rule: ElementRule,
): Op<undefined> {
  return defineOp<undefined>({
    name,
    infer: (inputs) => inferBinary(name, inputs),
    grad,
    onnx: (emit, { inputs }) => emit.one(onnx, emitOperands(emit, inputs)),
    fold: foldElementwise(rule),
    elementwise: true,
  });
}

/** a + b. da = dy, db = dy (summed over broadcast axes, as in all rules of this file). */
export const addOp = binary(
  'add',
  'Add',
  ({ inputs: [a, b], dy }) => [sumTo(dy, a!.shape), sumTo(dy, b!.shape)],
  { float: (a, b) => a + b, int: (a, b) => a + b },
);

/** a - b. da = dy, db = -dy. */
export const subOp = binary(
  'sub',
  'Sub',
  ({ inputs: [a, b], dy, needs }) => [
    sumTo(dy, a!.shape),
    needs[1] ? neg(sumTo(dy, b!.shape)) : null,
  ],
  { float: (a, b) => a - b, int: (a, b) => a - b },
);

/** a b. da = dy b, db = dy a. */
export const mulOp = binary(
  'mul',
  'Mul',
  ({ inputs: [a, b], dy, needs }) => [
    needs[0] ? sumTo(mul(dy, b!), a!.shape) : null,
    needs[1] ? sumTo(mul(dy, a!), b!.shape) : null,
  ],
  { float: (a, b) => a * b, int: (a, b) => a * b },
);

/**
 * Emits a divisor for integers. The smallest integer divided by -1 overflows, which the processor
 * answers by ending the process; so -1 is replaced by 1 unless the divisor is known.
 * @returns the divisor to use, and where it was -1 (null when it cannot be)
 */
export function emitSafeDivisor(
  emit: OnnxEmitter,
  b: Tensor,
): { divisor: string; minusOne: string | null } {
  const name = emit.name(b);
  const known = constantValue(b);
  const wide = b.dtype === 'int32' || b.dtype === 'int64';
  if (!wide || (known && !toNumbers(known).includes(-1))) return { divisor: name, minusOne: null };
  const minusOne = emit.one('Equal', [name, emit.scalar(b.dtype, -1)]);
  return { divisor: emit.one('Where', [minusOne, emit.scalar(b.dtype, 1), name]), minusOne };
}

/** a / b; integers are truncated towards zero. da = dy / b, db = -dy y / b. */
export const divOp = defineOp<undefined>({
  name: 'div',
  infer: (inputs) => inferBinary('div', inputs),
  grad: ({ inputs: [a, b], outputs: [y], dy, needs }) => {
    const da = div(dy, b!);
    return [
      needs[0] ? sumTo(da, a!.shape) : null,
      needs[1] ? sumTo(neg(mul(da, y!)), b!.shape) : null,
    ];
  },
  onnx: (emit, { inputs: [a, b] }) => {
    const name = emit.name(a!);
    const { divisor, minusOne } = emitSafeDivisor(emit, b!);
    const quotient = emit.one('Div', [name, divisor]);
    return minusOne ? emit.one('Where', [minusOne, emit.one('Neg', [name]), quotient]) : quotient;
  },
  fold: foldElementwise({ float: (a, b) => a / b, int: (a, b) => a / b }),
  elementwise: true,
});

/** a + b with broadcasting. */
export function add(a: Operand, b: Operand): Tensor {
  return addOp.one(operands(a, b), undefined);
}

/** a - b with broadcasting. */
export function sub(a: Operand, b: Operand): Tensor {
  return subOp.one(operands(a, b), undefined);
}

/** Elementwise a b with broadcasting. */
export function mul(a: Operand, b: Operand): Tensor {
  return mulOp.one(operands(a, b), undefined);
}

/** a / b with broadcasting; integer division truncates towards zero. */
export function div(a: Operand, b: Operand): Tensor {
  return divOp.one(operands(a, b), undefined);
}

/**
 * Defines an elementwise operation of one input whose ONNX form is one node without attributes.
 * @param options.float accept floating-point inputs only (default true)
 * @param options.fold how a small constant is evaluated on the host
 * @param options.simplify see `OpSpec.simplify`
 */
export function unaryOp(
  name: string,
  onnx: string,
  grad: GradRule<undefined> | NoGrad,
  {
    float = true,
    fold,
    simplify,
  }: {
    readonly float?: boolean;
    readonly fold?: Fold;
    readonly simplify?: (inputs: readonly Tensor[]) => Tensor | null;
  } = {},
): Op<undefined> {
  return defineOp<undefined>({
    name,
    infer: ([x]) => {
      if (float) requireFloat(name, x!);
      return { dtype: x!.dtype, shape: x!.shape };
    },
    grad,
    onnx: (emit, { inputs: [x] }) => emit.one(onnx, [emit.name(x!)]),
    elementwise: true,
    fold,
    simplify,
  });
}

/** -x. dx = -dy. */
export const negOp = unaryOp('neg', 'Neg', ({ dy }) => [neg(dy)], {
  float: false,
  fold: foldElementwise({ float: (x) => -x, int: (x) => -x }),
  simplify: ([x]) => (x!.node.op === (negOp as unknown) ? x!.node.inputs[0]! : null),
});

/** -x. */
export function neg(x: Tensor): Tensor {
  return negOp.one([x], undefined);
}

/** Sum of tensors of one type; used where gradients meet. */
export function addAll(terms: readonly Tensor[]): Tensor {
  return terms.reduce((a, b) => add(a, b));
}

/** True when gradients flow through a value of this type. */
export function differentiable(type: TensorType): boolean {
  return isFloat(type.dtype);
}
