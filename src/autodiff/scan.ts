/**
 * Loops over the leading axis of tensors: ONNX Scan, with a gradient that is a scan again.
 *
 * The body is traced once, on placeholders. What it computes without looking at its carry or its
 * slices does not change from step to step: it is moved out of the loop and becomes an input.
 */
import { ConfigError, ShapeError } from '../errors.js';
import {
  constantOf,
  constantOp,
  defineOp,
  dependents,
  formatType,
  type GradContext,
  type GraphBody,
  hostTensor,
  input,
  isFloat,
  type Op,
  optimize,
  sameShape,
  substitute,
  type Tensor,
  type TensorType,
  toposort,
} from '../graph/index.js';
import { add, matmul, matmulOp, reshape, transpose, zeros, zerosLike } from '../ops/index.js';
import { vjp } from './grad.js';

/** Attributes of a scan; its inputs are the carries, then the sequences, then the captured values. */
interface ScanAttrs {
  /** Placeholders in the order of the inputs; results are carries, then slices to be stacked. */
  readonly body: GraphBody;
  readonly carries: number;
  readonly sequences: number;
  readonly length: number;
  readonly reverse: boolean;
}

/**
 * carry[t+1], ys[t] = body(carry[t], xs[t]). The last results are the stacked incoming carries;
 * they are written only when a gradient reads them. The gradient runs the other way round, carries
 * d carry and the sums of the captured values' gradients, and computes each step anew from
 * carry[t].
 */
export const scanOp = defineOp<ScanAttrs>({
  name: 'scan',
  infer: (inputs, { body, carries, sequences, length }) => {
    for (const [i, want] of body.inputs.entries()) {
      const isSequence = i >= carries && i < carries + sequences;
      const shape = isSequence ? [length, ...want.shape] : want.shape;
      const given = inputs[i]!;
      if (given.dtype !== want.dtype || !sameShape(given.shape, shape)) {
        throw new ShapeError(
          `scan: input ${i} is ${formatType(given)} but its body was traced for ${formatType({ dtype: want.dtype, shape })}.`,
          { op: 'scan', input: i },
        );
      }
    }
    return body.outputs.map(({ dtype, shape }, i) => ({
      dtype,
      shape: i < carries ? shape : [length, ...shape],
    }));
  },
  grad: scanGradient,
  onnx: (emit, node) => {
    const { body, carries, sequences, reverse } = node.attrs;
    const names = node.inputs.map((t) => emit.name(t));
    const captured = new Map(
      body.inputs.slice(carries + sequences).map((t, i) => [t, names[carries + sequences + i]!]),
    );
    const kept = node.outputs.map((t, i) => i < carries || emit.used(t));
    const outputs = body.outputs.filter((_, i) => kept[i]);
    const directions = (count: number) => ({
      ints: new Array<number>(count).fill(reverse ? 1 : 0),
    });
    const results = emit.node(
      'Scan',
      names.slice(0, carries + sequences),
      {
        body: { graph: emit.subgraph({ inputs: body.inputs, outputs }, captured) },
        num_scan_inputs: { int: sequences },
        scan_input_directions: directions(sequences),
        scan_output_directions: directions(outputs.length - carries),
      },
      { outputs: outputs.length },
    );
    let next = 0;
    return kept.map((k) => (k ? results[next++]! : ''));
  },
});

/** What a step of {@link scan} returns. */
export interface ScanStep {
  /** The next carry: as many tensors as came in, of their types. */
  readonly carry: readonly Tensor[];
  /** What is stacked along a new leading axis. */
  readonly ys?: readonly Tensor[];
}

/** What {@link scan} runs over. */
export interface ScanOptions {
  /** The carry of the first step. */
  readonly init: readonly Tensor[];
  /** Sequences, sliced along their first axis. */
  readonly xs?: readonly Tensor[];
  /** Number of steps; needed only without `xs`. */
  readonly length?: number;
  /** From the last step to the first; `ys` keep the positions of `xs`. Defaults to false. */
  readonly reverse?: boolean;
}

/** What {@link scan} gives. */
export interface ScanResult {
  /** The carry after the last step. */
  readonly carry: readonly Tensor[];
  /** [length, ...] for each of the step's `ys`. */
  readonly ys: readonly Tensor[];
}

/**
 * Runs `step` for each position of the leading axis of `xs`, handing the carry on.
 * @param step traced once; it may use tensors from outside, and gradients reach them
 * @throws ShapeError when sequences differ in length, or a step changes the type of its carry
 * @example
 * // Running sums of xs [T, N].
 * const { ys } = scan(([s], [x]) => ({ carry: [add(s!, x!)], ys: [add(s!, x!)] }), {
 *   init: [zeros('float32', [n])],
 *   xs: [xs],
 * });
 */
export function scan(
  step: (carry: readonly Tensor[], xs: readonly Tensor[]) => ScanStep,
  { init, xs = [], length, reverse = false }: ScanOptions,
): ScanResult {
  const steps = stepsOf(xs, length);
  // ONNX wants a sequence to run over; nobody reads this one.
  const sequences =
    xs.length > 0 ? xs : [constantOf(hostTensor('bool', [steps], new Uint8Array(steps)))];
  const carryIn = init.map((t, i) => input(`scan.carry${i}`, t.dtype, t.shape));
  const sliceIn = sequences.map((t, i) => input(`scan.x${i}`, t.dtype, t.shape.slice(1)));
  const { carry, ys = [] } = step(carryIn, sliceIn.slice(0, xs.length));
  checkCarry(init, carry);
  if (steps === 0) {
    return { carry: [...init], ys: ys.map((y) => zeros(y.dtype, [0, ...y.shape])) };
  }
  const traced = [...carry, ...ys, ...carryIn];
  const captured = invariants(traced, [...carryIn, ...sliceIn]);
  const capturedIn = captured.map((t, i) => input(`scan.captured${i}`, t.dtype, t.shape));
  const closed = substitute(traced, new Map(captured.map((t, i) => [t, capturedIn[i]!])));
  const results = scanOp.apply([...init, ...sequences, ...captured], {
    body: { inputs: [...carryIn, ...sliceIn, ...capturedIn], outputs: optimize(closed) },
    carries: init.length,
    sequences: sequences.length,
    length: steps,
    reverse,
  });
  return {
    carry: results.slice(0, init.length),
    ys: results.slice(init.length, init.length + ys.length),
  };
}

function stepsOf(xs: readonly Tensor[], length: number | undefined): number {
  for (const x of xs) {
    if (x.rank === 0) {
      throw new ShapeError(
        `scan: a sequence must have a leading axis to run over, got ${formatType(x)}.`,
        { op: 'scan' },
      );
    }
  }
  const steps = length ?? xs[0]?.shape[0];
  if (steps === undefined || !Number.isInteger(steps) || steps < 0) {
    throw new ConfigError(
      `scan: give xs, or the number of steps as a length of 0 or more; got length ${length}.`,
      { length },
    );
  }
  if (xs.some((x) => x.shape[0] !== steps)) {
    throw new ShapeError(
      `scan: all sequences must have ${steps} steps on their first axis, got ${xs.map(formatType).join(', ')}. Transpose them, or pad to one length.`,
      { op: 'scan', steps },
    );
  }
  return steps;
}

function checkCarry(init: readonly TensorType[], carry: readonly TensorType[]): void {
  const same =
    init.length === carry.length &&
    init.every((t, i) => t.dtype === carry[i]!.dtype && sameShape(t.shape, carry[i]!.shape));
  if (!same) {
    throw new ShapeError(
      `scan: the step must return a carry of the types it was given, ${init.map(formatType).join(', ') || 'none'}, but returns ${carry.map(formatType).join(', ') || 'none'}.`,
      { op: 'scan' },
    );
  }
}

/**
 * The tensors that `outputs` use but that do not depend on `placeholders`, at the border only.
 * Constants are left in the body.
 */
function invariants(outputs: readonly Tensor[], placeholders: readonly Tensor[]): Tensor[] {
  const order = toposort(outputs);
  const varying = dependents(order, placeholders);
  const read = [...order.filter((node) => varying.has(node)).flatMap((n) => n.inputs), ...outputs];
  return [...new Set(read)].filter(
    (t) => !varying.has(t.node) && t.node.op !== (constantOp as unknown as Op),
  );
}

function scanGradient({
  inputs,
  outputs,
  attrs,
  dys,
  needs,
}: GradContext<ScanAttrs>): readonly (Tensor | null)[] {
  const { body, carries, sequences, length, reverse } = attrs;
  const captured = carries + sequences;
  const saved = outputs.slice(outputs.length - carries);
  // Every float carry hands its gradient on, wanted or not: an earlier step may want it.
  const carryAt = range(0, carries).filter((i) => isFloat(inputs[i]!.dtype));
  const sequenceAt = range(carries, captured).filter((i) => needs[i]);
  const capturedAt = range(captured, inputs.length).filter((i) => needs[i]);
  const stackedAt = range(carries, outputs.length).filter((i) => dys[i]);

  // One step's gradient, on the placeholders of the body and on two kinds of its own.
  const like = (name: string) => (t: Tensor, i: number) => input(`${name}${i}`, t.dtype, t.shape);
  const dCarryIn = carryAt.map((i) => body.outputs[i]!).map(like('scan.dcarry'));
  const dStackedIn = stackedAt.map((i) => body.outputs[i]!).map(like('scan.dy'));
  const at = (list: readonly Tensor[], indices: readonly number[]) => indices.map((i) => list[i]!);
  const grads = vjp(
    at(body.outputs, [...carryAt, ...stackedAt]),
    [...dCarryIn, ...dStackedIn],
    at(body.inputs, [...carryAt, ...sequenceAt, ...capturedAt]),
  );
  const dCarries = grads.slice(0, carryAt.length);
  const dSlices = grads.slice(carryAt.length, carryAt.length + sequenceAt.length);
  const dCaptured = grads.slice(carryAt.length + sequenceAt.length);
  const factors = dCaptured.map(factorsOf);
  const summed = dCaptured.filter((_, k) => factors[k] === null);

  const result = scan(
    (carry, xs) => {
      const replacements = new Map<Tensor, Tensor>();
      const replace = (from: readonly Tensor[], to: readonly Tensor[]) => {
        for (const [i, t] of from.entries()) replacements.set(t, to[i]!);
      };
      replace(body.inputs, [...xs.slice(0, captured), ...inputs.slice(captured)]);
      replace(dCarryIn, carry);
      replace(dStackedIn, xs.slice(captured));
      const step = substitute(
        [...dCarries, ...summed, ...dSlices, ...factors.flatMap((pair) => pair ?? [])],
        replacements,
      );
      const sums = carry.slice(carryAt.length).map((s, k) => add(s, step[carryAt.length + k]!));
      return {
        carry: [...step.slice(0, carryAt.length), ...sums],
        ys: step.slice(carryAt.length + summed.length),
      };
    },
    {
      init: [...carryAt.map((i) => dys[i] ?? zerosLike(inputs[i]!)), ...summed.map(zerosLike)],
      xs: [...saved, ...inputs.slice(carries, captured), ...stackedAt.map((i) => dys[i]!)],
      length,
      reverse: !reverse,
    },
  );

  const out = new Array<Tensor | null>(inputs.length).fill(null);
  for (const [k, i] of carryAt.entries()) out[i] = result.carry[k]!;
  for (const [k, i] of sequenceAt.entries()) out[i] = result.ys[k]!;
  let nextSum = carryAt.length;
  let nextFactor = sequenceAt.length;
  for (const [k, i] of capturedAt.entries()) {
    out[i] = factors[k]
      ? productOfSteps(result.ys[nextFactor++]!, result.ys[nextFactor++]!)
      : result.carry[nextSum++]!;
  }
  return out;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

/**
 * The sum over steps of a^T b (weights of recurrent layers) is one product of all steps' rows:
 * much faster than adding a whole weight's gradient up at every step. Given such a gradient of one
 * step, a and b; null where it is no product, or its factors are larger than itself.
 */
function factorsOf(gradient: Tensor): [Tensor, Tensor] | null {
  const { op, inputs } = gradient.node;
  if (op !== (matmulOp as unknown as Op) || gradient.rank !== 2) return null;
  const [a, b] = inputs as [Tensor, Tensor];
  return a.size + b.size < gradient.size ? [transpose(a), b] : null;
}

function productOfSteps(a: Tensor, b: Tensor): Tensor {
  const rows = (t: Tensor) => reshape(t, [t.shape[0]! * t.shape[1]!, t.shape[2]!]);
  return matmul(transpose(rows(a)), rows(b));
}
