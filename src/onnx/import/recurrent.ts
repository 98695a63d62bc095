/**
 * Recurrent layers: ONNX Runtime runs them as they are, and the backward pass goes through the same
 * cells as Graft loops.
 */
import type { OnnxAttr, Tensor, TensorType } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import { cellsOf } from './recurrent-cells.js';
import type { OnnxNode, Rule, Rules } from './rule.js';

const REASON =
  'Graft has derivatives for recurrent layers with sigmoid, tanh and relu, without clipping, and for sequences of full length.';

const LISTS = ['activation_alpha', 'activation_beta'] as const;

/** Which inputs and outputs have the batch in front when `layout` is 1. */
interface Form {
  readonly states: readonly number[];
  readonly outputs: number;
}

function recurrent({ states, outputs }: Form): Rule {
  return (node) => {
    const batchFirst = node.flag('layout');
    const swap = (t: Tensor) => ops.transpose(t, [1, 0, 2]);
    const inputs = Array.from({ length: node.inputCount }, (_, i) => {
      const t = node.optional(i);
      return t && batchFirst && (i === 0 || states.includes(i)) ? swap(t) : t;
    });
    const x = inputs[0] ?? node.fail('has no input.');
    const w = inputs[1] ?? node.fail('has no weight.');
    const r = inputs[2] ?? node.fail('has no recurrent weight.');
    if (x.rank !== 3 || w.rank !== 3 || r.rank !== 3)
      node.fail('needs an input and weights of three axes.');
    const [steps, batch] = x.shape as [number, number, number];
    const directions = w.shape[0]!;
    const hidden = node.int('hidden_size', r.shape[2]!);
    const { dtype } = x;
    const state: TensorType = { dtype, shape: [directions, batch, hidden] };
    const types: TensorType[] = [
      { dtype, shape: [steps, directions, batch, hidden] },
      state,
      state,
    ];
    const mask = types.slice(0, outputs).map((_, i) => node.wants(i));
    const equivalent = cellsOf(node, inputs, hidden);
    const made = node.native({
      opType: node.opType,
      inputs,
      attrs: attributes(node, hidden),
      outputs: types.slice(0, outputs).filter((_, i) => mask[i]),
      mask,
      reason: REASON,
      ...(equivalent ? { equivalent: (given) => equivalent(given).filter((_, i) => mask[i]) } : {}),
    });
    let next = 0;
    return mask.map((wanted, i) => {
      if (!wanted) return undefined;
      const t = made[next++]!;
      if (!batchFirst) return t;
      return i === 0 ? ops.transpose(t, [2, 0, 1, 3]) : swap(t);
    });
  };
}

function attributes(node: OnnxNode, hidden: number): Record<string, OnnxAttr> {
  const attrs: Record<string, OnnxAttr> = {
    hidden_size: { int: hidden },
    direction: { string: node.string('direction', 'forward') },
  };
  if (node.hasAttribute('activations'))
    attrs.activations = { strings: node.strings('activations') };
  if (node.hasAttribute('clip')) attrs.clip = { float: node.float('clip') };
  for (const name of LISTS)
    if (node.hasAttribute(name)) attrs[name] = { floats: node.floats(name) };
  for (const name of ['input_forget', 'linear_before_reset']) {
    if (node.hasAttribute(name)) attrs[name] = { int: node.int(name) };
  }
  return attrs;
}

/** Rules of recurrent layers. */
export const recurrentRules: Rules = {
  RNN: recurrent({ states: [5], outputs: 2 }),
  GRU: recurrent({ states: [5], outputs: 2 }),
  LSTM: recurrent({ states: [5, 6], outputs: 3 }),
};
