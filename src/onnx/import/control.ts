/**
 * Branches and loops. What is decided while importing is written out, so that gradients flow; the
 * rest is carried as ONNX control flow, without a gradient.
 */
import { scan } from '../../autodiff/index.js';
import { WeightsError } from '../../errors.js';
import {
  type GraphBody,
  input,
  inputName,
  nextNodeId,
  type OnnxAttr,
  optimize,
  sameShape,
  scalar,
  substitute,
  Tensor,
  type TensorType,
} from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import { LateAttrs } from './native.js';
import type { OnnxNode, Rule, Rules } from './rule.js';
import { kindOf, type Value } from './values.js';

/** Longest loop that is written out, round by round. */
const MAX_UNROLLED = 1024;

const REASON =
  'Which branch is taken, or how often a loop runs, is decided only at run time; Graft has no derivative for that.';

function tensors(node: OnnxNode, values: readonly Value[], what: string): Tensor[] {
  return values.map((v) => {
    if (v instanceof Tensor) return v;
    if (v.kind === 'optional' && v.value instanceof Tensor) return v.value;
    return node.fail(
      `${what} is a ${kindOf(v)}, which only a loop decided while importing can carry.`,
    );
  });
}

/** A body with placeholders for all that it reads from around it. */
interface ClosedBody {
  readonly body: GraphBody;
  /** The outer tensors, in the order of the placeholders after the formal ones. */
  readonly captured: readonly Tensor[];
}

/**
 * Closes a traced body.
 * @param mark id of the first node made by tracing: what is older lies outside
 */
function close(formals: readonly Tensor[], outputs: readonly Tensor[], mark: number): ClosedBody {
  const own = new Set(formals);
  const captured = new Map<Tensor, Tensor>();
  const seen = new Set<Tensor>();
  const stack = [...outputs];
  while (stack.length > 0) {
    const t = stack.pop()!;
    if (seen.has(t) || own.has(t)) continue;
    seen.add(t);
    // Parameters are made on demand, perhaps while a body is traced; they still lie outside.
    if (t.node.id < mark || inputName(t) !== null) {
      captured.set(t, input(`captured.${captured.size}`, t.dtype, t.shape));
    } else {
      stack.push(...t.node.inputs);
    }
  }
  return {
    body: {
      inputs: [...formals, ...captured.values()],
      outputs: optimize(substitute(outputs, captured)),
    },
    captured: [...captured.keys()],
  };
}

/** Writes closed bodies as attributes; the captured values are the last inputs of the node. */
function bodyAttrs(
  bodies: Readonly<Record<string, ClosedBody>>,
  formals: number,
  own: number,
  rest: Readonly<Record<string, OnnxAttr>> = {},
): LateAttrs {
  return new LateAttrs((emit, inputs) => {
    let at = own;
    const attrs: Record<string, OnnxAttr> = { ...rest };
    for (const [name, { body, captured }] of Object.entries(bodies)) {
      const names = captured.map((_, i) => emit.name(inputs[at + i]!));
      at += captured.length;
      const outer = new Map(body.inputs.slice(formals).map((t, i) => [t, names[i]!]));
      attrs[name] = { graph: emit.subgraph(body, outer) };
    }
    return attrs;
  });
}

const ifRule: Rule = async (node) => {
  if (node.isKnown(0)) {
    const taken = (await node.numberAt(0)) !== 0 ? 'then_branch' : 'else_branch';
    return node.host.body(node.graph(taken), [], node.scope);
  }
  const mark = nextNodeId();
  const trace = async (name: string) =>
    tensors(node, await node.host.body(node.graph(name), [], node.scope), `An output of ${name}`);
  const yes = await trace('then_branch');
  const no = await trace('else_branch');
  const same = (t: Tensor, i: number) =>
    no[i]?.dtype === t.dtype && sameShape(no[i].shape, t.shape);
  if (yes.length !== no.length || !yes.every(same)) {
    // The sizes depend on the condition, so the condition must be known.
    await node.constant(0);
  }
  const bodies = { then_branch: close([], yes, mark), else_branch: close([], no, mark) };
  return node.native({
    opType: 'If',
    inputs: [ops.reshape(node.tensor(0), [])],
    captured: Object.values(bodies).flatMap((b) => b.captured),
    attrs: bodyAttrs(bodies, 0, 1),
    outputs: yes,
    reason: REASON,
  });
};

const loop: Rule = async (node) => {
  const body = node.graph('body');
  const carries = Math.max(0, node.inputCount - 2);
  const scans = body.output.length - 1 - carries;
  if (scans < 0 || body.input.length !== 2 + carries)
    node.fail('its body does not fit its inputs.');
  if (node.has(0) && !node.isKnown(0)) return carried(node, carries, scans);
  const trips = node.has(0) ? await node.numberAt(0) : Number.POSITIVE_INFINITY;
  if (node.has(1) && !node.isKnown(1)) return carried(node, carries, scans);
  let go = !node.has(1) || (await node.numberAt(1)) !== 0;
  let state: Value[] = Array.from({ length: carries }, (_, i) => value(node, i + 2));
  const stacked: Tensor[][] = Array.from({ length: scans }, () => []);
  for (let i = 0; i < trips && go; i++) {
    if (i >= MAX_UNROLLED) {
      if (trips < Number.POSITIVE_INFINITY) return carried(node, carries, scans);
      node.fail(`did not end after ${MAX_UNROLLED} rounds.`);
    }
    const round = [scalar(i, 'int64'), scalar(1, 'bool'), ...state];
    const results = await node.host.body(body, round, node.scope);
    const [again] = tensors(node, results.slice(0, 1), 'The condition');
    if (!node.host.isKnown(again!)) return carried(node, carries, scans);
    go = Number((await node.host.constant(again!, node.label)).data[0]) !== 0;
    state = results.slice(1, 1 + carries);
    for (const [j, t] of tensors(node, results.slice(1 + carries), 'A result').entries()) {
      stacked[j]!.push(t);
    }
  }
  if (stacked.some((list) => list.length === 0))
    node.fail('runs no round, so its results have no shape.');
  return [...state, ...stacked.map((list) => ops.stack(list, 0))];
};

function value(node: OnnxNode, i: number): Value {
  return node.has(i) ? node.value(i) : { kind: 'optional', value: null };
}

/** Throws, naming the inputs to fix, unless the number of rounds and the condition are known. */
async function requireKnown(node: OnnxNode): Promise<void> {
  if (node.has(0)) await node.constant(0);
  if (node.has(1)) await node.constant(1);
}

/** A loop whose number of rounds is decided at run time, or too large to write out. */
async function carried(node: OnnxNode, carries: number, scans: number): Promise<readonly Tensor[]> {
  const body = node.graph('body');
  const given = Array.from({ length: carries }, (_, i) => value(node, i + 2));
  if (given.some((v) => kindOf(v) !== 'tensor' && kindOf(v) !== 'initializer')) {
    // ONNX loops can carry sequences, graphs of tensors cannot: the loop must be written out.
    await requireKnown(node);
    node.fail('carries sequences or optionals, and its end is not known while importing.');
  }
  const init = given.map((_, i) => node.tensor(i + 2));
  const mark = nextNodeId();
  const formals = [
    input('iteration', 'int64', []),
    input('condition', 'bool', []),
    ...init.map((t, i) => input(`carry.${i}`, t.dtype, t.shape)),
  ];
  let traced: readonly Value[];
  try {
    traced = await node.host.body(body, formals, node.scope);
  } catch (error) {
    // A size inside depends on the round, so the rounds must be known.
    if (error instanceof WeightsError && error.code === 'onnx-dynamic') await requireKnown(node);
    throw error;
  }
  const results = tensors(node, traced, 'A result of its body');
  for (const [i, t] of init.entries()) {
    const after = results[i + 1]!;
    if (after.dtype !== t.dtype || !sameShape(after.shape, t.shape)) {
      await requireKnown(node);
      node.fail(
        `its value ${i} changes from [${t.shape.join(',')}] to [${after.shape.join(',')}] in a round; only a loop decided while importing can grow.`,
        'onnx-dynamic-loop',
      );
    }
  }
  const outputs: TensorType[] = init.map(({ dtype, shape }) => ({ dtype, shape }));
  if (scans > 0) {
    // Results are stacked, one a round: their number must be known, and the loop run to its end.
    const trips = await node.numberAt(0);
    if (results[0] !== formals[1]) await node.constant(1);
    for (const { dtype, shape } of results.slice(1 + carries)) {
      outputs.push({ dtype, shape: [trips, ...shape] });
    }
  }
  const closed = close(formals, results, mark);
  const scalarOf = (i: number) => (node.has(i) ? ops.reshape(node.tensor(i), []) : undefined);
  const inputs = [scalarOf(0), scalarOf(1), ...init];
  return node.native({
    opType: 'Loop',
    inputs,
    captured: closed.captured,
    attrs: bodyAttrs({ body: closed }, formals.length, inputs.filter((t) => t).length),
    outputs,
    reason: REASON,
  });
}

/** ONNX Scan over any axes, in any directions, as Graft's scan over leading axes. */
const scanRule: Rule = async (node) => {
  if (node.opset < 9) return batchedScan(node);
  const count = node.int('num_scan_inputs');
  const carries = node.inputCount - count;
  if (carries < 0 || count < 1) node.fail(`scans ${count} of its ${node.inputCount} inputs.`);
  const none = new Array<number>(count).fill(0);
  const axes = node.ints('scan_input_axes', none);
  const directions = node.ints('scan_input_directions', none);
  const xs = none.map((_, i) => {
    const x = node.tensor(carries + i);
    const axis = node.axis(axes[i] ?? 0, x.rank);
    const first = ops.transpose(x, [axis, ...[...x.shape.keys()].filter((a) => a !== axis)]);
    return directions[i] ? ops.flip(first, 0) : first;
  });
  const init = Array.from({ length: carries }, (_, i) => node.tensor(i));
  const { carry, ys } = await scanOver(node, init, xs);
  const zeros = ys.map(() => 0);
  const outAxes = node.ints('scan_output_axes', zeros);
  const outDirections = node.ints('scan_output_directions', zeros);
  const placed = ys.map((y, i) => {
    const turned = outDirections[i] ? ops.flip(y, 0) : y;
    const axis = node.axis(outAxes[i] ?? 0, y.rank);
    return ops.transpose(turned, [...y.shape.keys()].slice(1).toSpliced(axis, 0, 0));
  });
  return [...carry, ...placed];
};

/** Opset 8 had a batch in front of every input, and a first input with lengths. */
async function batchedScan(node: OnnxNode): Promise<readonly Tensor[]> {
  const count = node.int('num_scan_inputs');
  const carries = node.inputCount - 1 - count;
  if (node.has(0))
    node.fail('gives each sample its own length; convert the model to opset 9 or later.');
  if (carries < 0 || count < 1) node.fail(`scans ${count} of its ${node.inputCount - 1} inputs.`);
  const inputs = Array.from({ length: node.inputCount - 1 }, (_, i) => node.tensor(i + 1));
  const batch = inputs[0]?.shape[0] ?? node.fail('has no batch axis.');
  if (batch < 1 || batch > MAX_UNROLLED)
    node.fail(`cannot be written out for a batch of ${batch}.`);
  const samples: (readonly Tensor[])[] = [];
  for (let b = 0; b < batch; b++) {
    const one = inputs.map((t) =>
      ops.squeeze(ops.slice(t, { starts: [b], ends: [b + 1], axes: [0] }), 0),
    );
    const { carry, ys } = await scanOver(node, one.slice(0, carries), one.slice(carries));
    samples.push([...carry, ...ys]);
  }
  return samples[0]!.map((_, i) =>
    ops.stack(
      samples.map((s) => s[i]!),
      0,
    ),
  );
}

/** Traces the body and scans it over the leading axes of `xs`. */
async function scanOver(node: OnnxNode, init: readonly Tensor[], xs: readonly Tensor[]) {
  const body = node.graph('body');
  const carries = init.length;
  if (body.input.length !== carries + xs.length || body.output.length < carries) {
    node.fail('its body does not fit its inputs.');
  }
  const carryIn = init.map((t, i) => input(`carry.${i}`, t.dtype, t.shape));
  const sliceIn = xs.map((t, i) => input(`slice.${i}`, t.dtype, t.shape.slice(1)));
  const traced = tensors(
    node,
    await node.host.body(body, [...carryIn, ...sliceIn], node.scope),
    'A result of its body',
  );
  return scan(
    (carry, slices) => {
      const given = new Map<Tensor, Tensor>();
      for (const [i, t] of carryIn.entries()) given.set(t, carry[i]!);
      for (const [i, t] of sliceIn.entries()) given.set(t, slices[i]!);
      const outputs = substitute(traced, given);
      return { carry: outputs.slice(0, carries), ys: outputs.slice(carries) };
    },
    { init, xs },
  );
}

/** Rules of control flow. */
export const controlRules: Rules = { If: ifRule, Loop: loop, Scan: scanRule };
