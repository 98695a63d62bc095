/** ONNX's recurrent cells as Graft loops: what the backward pass of a recurrent layer runs through. */
import { scan } from '../../autodiff/index.js';
import type { Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode } from './rule.js';

type Given = readonly (Tensor | undefined)[];
type Activation = (x: Tensor) => Tensor;

/** Activations without parameters of their own; a layer with others has no gradient. */
const ACTIVATIONS = new Map<string, Activation>([
  ['sigmoid', ops.sigmoid],
  ['tanh', ops.tanh],
  ['relu', ops.relu],
]);

/** Activations of a direction where the file names none. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  RNN: ['Tanh'],
  GRU: ['Sigmoid', 'Tanh'],
  LSTM: ['Sigmoid', 'Tanh', 'Tanh'],
};

/** Operands of one direction: weights are [gates x hidden, n], biases [gates x hidden]. */
interface Cell {
  readonly w: Tensor;
  readonly r: Tensor;
  readonly wBias: Tensor | undefined;
  readonly rBias: Tensor | undefined;
  readonly peephole: Tensor | undefined;
  readonly hidden: number;
  readonly activations: readonly Activation[];
  readonly linearBeforeReset: boolean;
}

/** One step: the contribution of the input and the state in, the new state out (hidden first). */
type Step = (xw: Tensor, state: readonly Tensor[]) => Tensor[];

function gates(t: Tensor, count: number): readonly Tensor[] {
  return ops.split(t, count, t.rank - 1);
}

function plus(t: Tensor, bias: Tensor | undefined): Tensor {
  return bias ? ops.add(t, bias) : t;
}

/** H = f(x W + H R + b). */
function rnnStep({ r, rBias, activations: [f] }: Cell): Step {
  return (xw, [h]) => [f!(ops.add(xw, plus(ops.matmul(h!, ops.transpose(r)), rBias)))];
}

/** Gates in the order update, reset, hidden. H = (1 - z) h + z H. */
function gruStep({ r, rBias, hidden, activations: [f, g], linearBeforeReset }: Cell): Step {
  const rows = (t: Tensor, from: number, count: number) =>
    ops.slice(t, { starts: [from * hidden], ends: [(from + count) * hidden], axes: [0] });
  return (xw, [h]) => {
    const [xz, xr, xh] = gates(xw, 3) as [Tensor, Tensor, Tensor];
    const product = (from: number, count: number, state: Tensor) =>
      plus(
        ops.matmul(state, ops.transpose(rows(r, from, count))),
        rBias && rows(rBias, from, count),
      );
    const [hz, hr] = gates(product(0, 2, h!), 2) as [Tensor, Tensor];
    const z = f!(ops.add(xz, hz));
    const reset = f!(ops.add(xr, hr));
    const candidate = linearBeforeReset
      ? ops.mul(reset, product(2, 1, h!))
      : product(2, 1, ops.mul(reset, h!));
    const next = g!(ops.add(xh, candidate));
    return [ops.add(ops.mul(ops.sub(1, z), next), ops.mul(z, h!))];
  };
}

/** Gates in the order input, output, forget, cell; peepholes in the order input, output, forget. */
function lstmStep({ r, rBias, peephole, activations: [f, g, h] }: Cell): Step {
  const [pi, po, pf] = peephole ? gates(peephole, 3) : [];
  const peep = (t: Tensor, p: Tensor | undefined, c: Tensor) => (p ? ops.add(t, ops.mul(p, c)) : t);
  return (xw, [state, cell]) => {
    const all = ops.add(xw, plus(ops.matmul(state!, ops.transpose(r)), rBias));
    const [i, o, forget, c] = gates(all, 4) as [Tensor, Tensor, Tensor, Tensor];
    const kept = ops.mul(f!(peep(forget, pf, cell!)), cell!);
    const next = ops.add(kept, ops.mul(f!(peep(i, pi, cell!)), g!(c)));
    return [ops.mul(f!(peep(o, po, next)), h!(next)), next];
  };
}

const STEPS: Readonly<
  Record<string, { readonly gates: number; readonly step: (cell: Cell) => Step }>
> = {
  RNN: { gates: 1, step: rnnStep },
  GRU: { gates: 3, step: gruStep },
  LSTM: { gates: 4, step: lstmStep },
};

/**
 * What the layer of a node computes, made of Graft operations.
 * @returns null when the node asks for something that the cells here do not do
 */
export function cellsOf(
  node: OnnxNode,
  { 4: lengths }: Given,
  hidden: number,
): ((inputs: Given) => Tensor[]) | null {
  const direction = node.string('direction', 'forward');
  const directions = direction === 'bidirectional' ? 2 : 1;
  const defaults = DEFAULTS[node.opType]!;
  const named = node.strings(
    'activations',
    Array.from({ length: directions }, () => defaults).flat(),
  );
  const activations = named.map((name) => ACTIVATIONS.get(name.toLowerCase()));
  const plain =
    !lengths &&
    !node.hasAttribute('clip') &&
    !node.flag('input_forget') &&
    activations.length === directions * defaults.length &&
    activations.every((a) => a !== undefined);
  if (!plain) return null;
  const { gates: count, step } = STEPS[node.opType]!;
  const linearBeforeReset = node.flag('linear_before_reset');
  return (inputs) => {
    const [x, w, r, b, , h0, c0, p] = inputs;
    const runs = Array.from({ length: directions }, (_, d) => {
      const of = (t: Tensor) => ops.squeeze(ops.slice(t, { starts: [d], ends: [d + 1] }), 0);
      const [wBias, rBias] = b ? ops.split(of(b), [count * hidden, count * hidden], 0) : [];
      const cell: Cell = {
        w: of(w!),
        r: of(r!),
        wBias,
        rBias,
        peephole: p && of(p),
        hidden,
        activations: activations.slice(
          d * defaults.length,
          (d + 1) * defaults.length,
        ) as Activation[],
        linearBeforeReset,
      };
      const zero = ops.zeros(x!.dtype, [x!.shape[1]!, hidden]);
      const init = [h0, ...(node.opType === 'LSTM' ? [c0] : [])].map((t) => (t ? of(t) : zero));
      const next = step(cell);
      const reverse = direction === 'reverse' || d === 1;
      // The input's part of all steps is one product.
      const xw = plus(ops.matmul(x!, ops.transpose(cell.w)), wBias);
      return scan(
        (state, [slice]) => {
          const after = next(slice!, state);
          return { carry: after, ys: [after[0]!] };
        },
        { init, xs: [xw], reverse },
      );
    });
    const ends = runs[0]!.carry.map((_, i) =>
      ops.stack(
        runs.map((run) => run.carry[i]!),
        0,
      ),
    );
    return [
      ops.stack(
        runs.map((run) => run.ys[0]!),
        1,
      ),
      ...ends,
    ];
  };
}
