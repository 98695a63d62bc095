/** Comparisons, logic and selection by a condition. */
import { DTypeError } from '../errors.js';
import {
  type DType,
  defineOp,
  formatType,
  type OnnxEmitter,
  type Op,
  type Tensor,
  type TensorType,
  zeroGrad,
} from '../graph/index.js';
import { type Operand, operands } from './arithmetic.js';
import { broadcastShapes, requireDType, requireFloat, requireSameDType } from './check.js';
import { type ElementRule, foldElementwise } from './fold.js';
import { sumTo } from './layout.js';
import { onnxDType } from './onnx-dtype.js';

/** Emits a conversion between element types. */
export function emitCast(emit: OnnxEmitter, name: string, to: DType): string {
  return emit.one('Cast', [name], { to: { int: onnxDType(to) } });
}

/** Throws DTypeError when one of `types` is bool, which has no order and no arithmetic. */
export function requireNumber(op: string, types: readonly TensorType[]): void {
  const bool = types.find((t) => t.dtype === 'bool');
  if (bool) {
    throw new DTypeError(
      `${op}: expected numbers, got ${formatType(bool)}. Cast it with cast(x, 'int32'), or use a logical operation.`,
      { op, dtype: 'bool' },
    );
  }
}

const STEPS = zeroGrad('a comparison is constant almost everywhere');

function comparison(
  name: string,
  onnx: string,
  rule: <E extends number | bigint>(a: E, b: E) => boolean,
): Op<undefined> {
  return defineOp<undefined>({
    name,
    infer: (inputs) => {
      const dtype = requireSameDType(name, inputs);
      if (dtype === 'bool' && name !== 'equal') requireNumber(name, inputs);
      return { dtype: 'bool', shape: broadcastShapes(name, ...inputs.map((t) => t.shape)) };
    },
    grad: STEPS,
    onnx: (emit, { inputs: [a, b] }) => emit.one(onnx, [emit.name(a!), emit.name(b!)]),
    fold: foldElementwise({ float: rule, int: rule }),
    elementwise: true,
  });
}

/** a = b as a bool; NaN equals nothing. The derivative is zero. */
export const equalOp = comparison('equal', 'Equal', (a, b) => a === b);
/** a < b as a bool. The derivative is zero. */
export const lessOp = comparison('less', 'Less', (a, b) => a < b);
/** a <= b as a bool. The derivative is zero. */
export const lessEqualOp = comparison('lessEqual', 'LessOrEqual', (a, b) => a <= b);
/** a > b as a bool. The derivative is zero. */
export const greaterOp = comparison('greater', 'Greater', (a, b) => a > b);
/** a >= b as a bool. The derivative is zero. */
export const greaterEqualOp = comparison('greaterEqual', 'GreaterOrEqual', (a, b) => a >= b);

function logical(name: string, onnx: string, arity: 1 | 2, rule: ElementRule): Op<undefined> {
  return defineOp<undefined>({
    name,
    infer: (inputs) => {
      for (const t of inputs) requireDType(name, t, ['bool']);
      return { dtype: 'bool', shape: broadcastShapes(name, ...inputs.map((t) => t.shape)) };
    },
    grad: zeroGrad('truth values have no derivative'),
    onnx: (emit, { inputs }) =>
      emit.one(
        onnx,
        inputs.slice(0, arity).map((t) => emit.name(t)),
      ),
    fold: foldElementwise(rule),
    elementwise: true,
  });
}

/** a and b. No derivative. */
export const logicalAndOp = logical('logicalAnd', 'And', 2, { int: (a, b) => a & b });
/** a or b. No derivative. */
export const logicalOrOp = logical('logicalOr', 'Or', 2, { int: (a, b) => a | b });
/** Exactly one of a and b. No derivative. */
export const logicalXorOp = logical('logicalXor', 'Xor', 2, { int: (a, b) => a ^ b });
/** not a. No derivative. */
export const logicalNotOp = logical('logicalNot', 'Not', 1, { int: (a) => a === 0n });

function classify(name: string, onnx: string, rule: (x: number) => boolean): Op<undefined> {
  return defineOp<undefined>({
    name,
    infer: ([x]) => {
      requireFloat(name, x!);
      return { dtype: 'bool', shape: x!.shape };
    },
    grad: STEPS,
    onnx: (emit, { inputs: [x] }) => emit.one(onnx, [emit.name(x!)]),
    fold: foldElementwise({ float: rule }),
    elementwise: true,
  });
}

/** Whether x is NaN. The derivative is zero. */
export const isNaNOp = classify('isNaN', 'IsNaN', Number.isNaN);
/** Whether x is positive or negative infinity. The derivative is zero. */
export const isInfOp = classify('isInf', 'IsInf', (x) => Math.abs(x) === Number.POSITIVE_INFINITY);

/** a = b elementwise, with broadcasting; bool tensors are compared too. */
export function equal(a: Operand, b: Operand): Tensor {
  return equalOp.one(operands(a, b), undefined);
}

/** a != b elementwise, with broadcasting; NaN differs from everything. */
export function notEqual(a: Operand, b: Operand): Tensor {
  return logicalNot(equal(a, b));
}

/** a < b elementwise, with broadcasting. */
export function less(a: Operand, b: Operand): Tensor {
  return lessOp.one(operands(a, b), undefined);
}

/** a <= b elementwise, with broadcasting. */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return lessEqualOp.one(operands(a, b), undefined);
}

/** a > b elementwise, with broadcasting. */
export function greater(a: Operand, b: Operand): Tensor {
  return greaterOp.one(operands(a, b), undefined);
}

/** a >= b elementwise, with broadcasting. */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return greaterEqualOp.one(operands(a, b), undefined);
}

/** Both, of bool tensors. */
export function logicalAnd(a: Tensor, b: Tensor): Tensor {
  return logicalAndOp.one([a, b], undefined);
}

/** At least one, of bool tensors. */
export function logicalOr(a: Tensor, b: Tensor): Tensor {
  return logicalOrOp.one([a, b], undefined);
}

/** Exactly one, of bool tensors. */
export function logicalXor(a: Tensor, b: Tensor): Tensor {
  return logicalXorOp.one([a, b], undefined);
}

/** The opposite of a bool tensor. */
export function logicalNot(x: Tensor): Tensor {
  return logicalNotOp.one([x], undefined);
}

/** Whether each element of a floating-point tensor is NaN. */
// biome-ignore lint/suspicious/noShadowRestrictedNames: the operation's name everywhere else; modules that need both import it under an alias.
export function isNaN(x: Tensor): Tensor {
  return isNaNOp.one([x], undefined);
}

/** Whether each element of a floating-point tensor is infinite, in either direction. */
export function isInf(x: Tensor): Tensor {
  return isInfOp.one([x], undefined);
}

/**
 * Types for which ONNX Runtime's CPU has no Where, and the type that holds all their values (for
 * uint64: all their bits) in which the choice is made instead.
 */
const WHERE_IN: Partial<Record<DType, DType>> = {
  bool: 'uint8',
  int8: 'int32',
  int16: 'int32',
  uint16: 'int32',
  uint32: 'int64',
  uint64: 'int64',
};

/**
 * a where the condition holds, b elsewhere. da = dy where it holds, db = dy where it does not; zero
 * elsewhere, even if dy is infinite or NaN there.
 */
export const whereOp = defineOp<undefined>({
  name: 'where',
  infer: ([condition, a, b]) => {
    requireDType('where', condition!, ['bool']);
    const dtype = requireSameDType('where', [a!, b!]);
    return { dtype, shape: broadcastShapes('where', condition!.shape, a!.shape, b!.shape) };
  },
  grad: ({ inputs: [condition, a, b], dy, needs }) => [
    null,
    needs[1] ? sumTo(where(condition!, dy, 0), a!.shape) : null,
    needs[2] ? sumTo(where(condition!, 0, dy), b!.shape) : null,
  ],
  onnx: (emit, { inputs: [condition, a, b] }) => {
    const { dtype } = a!;
    const names = [emit.name(a!), emit.name(b!)];
    // On WebGPU bool is listed but fails when it runs, and the other types go to the CPU.
    const gpu = emit.target === 'webgpu' && dtype === 'bool' ? 'int32' : undefined;
    const via = emit.target === 'cuda' ? undefined : (gpu ?? WHERE_IN[dtype]);
    if (!via) return emit.one('Where', [emit.name(condition!), ...names]);
    const wide = names.map((name) => emitCast(emit, name, via));
    return emitCast(emit, emit.one('Where', [emit.name(condition!), ...wide]), dtype);
  },
  fold: foldElementwise({
    // The condition is read as 0n or 1n whatever the type of the values.
    float: (condition, a, b) => (condition ? a : b),
    int: (condition, a, b) => (condition ? a : b),
  }),
  elementwise: true,
});

/**
 * `a` where `condition` holds, `b` elsewhere; all three broadcast.
 * @param condition bool
 * @example
 * where(greater(x, 0), x, 0); // relu
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  return whereOp.one([condition, ...operands(a, b)], undefined);
}

/**
 * Slope of HardSigmoid with which one pass turns numbers into steps: every normal positive float32
 * becomes 1. (Subnormal numbers, below 1e-38, come out in between.)
 */
const STEP_SLOPE = 3e38;

/** 1 where x > 0, `low` elsewhere. The derivative is zero. */
export const stepOp = defineOp<{ low: number }>({
  name: 'step',
  infer: ([x]) => {
    requireFloat('step', x!);
    return { dtype: x!.dtype, shape: x!.shape };
  },
  grad: zeroGrad('a step is constant almost everywhere'),
  onnx: (emit, { inputs: [x], attrs: { low } }) => {
    const name = emit.name(x!);
    const { dtype } = x!;
    if (low !== 0 && !(low > 0 && low < 1)) {
      const above = emit.one('Greater', [name, emit.scalar(dtype, 0)]);
      return emit.one('Where', [above, emit.scalar(dtype, 1), emit.scalar(dtype, low)]);
    }
    // Measured on the CPU: one float pass beats Greater + Cast, and both beat Greater + Where.
    // Elsewhere the huge slope is not safe in half precision.
    const fast = dtype === 'float32' && (emit.target === 'cpu' || emit.target === 'wasm');
    const step = fast
      ? emit.one('HardSigmoid', [name], { alpha: { float: STEP_SLOPE }, beta: { float: 0 } })
      : emitCast(emit, emit.one('Greater', [name, emit.scalar(dtype, 0)]), dtype);
    return low === 0 ? step : emit.one('Max', [step, emit.scalar(dtype, low)]);
  },
  elementwise: true,
});

/**
 * 1 where x > 0, `low` elsewhere: the derivative of relu and its kin as a factor.
 * @param low value for x <= 0
 */
export function step(x: Tensor, low = 0): Tensor {
  return stepOp.one([x], { low });
}
