/**
 * Sequences and optionals. Their structure is known while importing, so these operators leave no
 * trace in the graph: an element of a sequence is simply the tensor that was put there.
 */
import { scalar, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';
import type { OnnxNode, Rule, Rules } from './rule.js';
import { kindOf, type SequenceValue, type Value } from './values.js';

function sequence(items: readonly Value[]): SequenceValue {
  return { kind: 'sequence', items };
}

function sequenceAt(node: OnnxNode, i: number): SequenceValue {
  const value = node.value(i);
  if ('kind' in value && value.kind === 'sequence') return value;
  if ('kind' in value && value.kind === 'optional' && value.value && 'kind' in value.value) {
    if (value.value.kind === 'sequence') return value.value;
  }
  return node.fail(`input ${i} is a ${kindOf(value)}; expected a sequence.`);
}

async function position(node: OnnxNode, i: number, length: number): Promise<number> {
  const at = await node.numberAt(i);
  const index = at < 0 ? at + length : at;
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    node.fail(`position ${at} is out of range for a sequence of ${length}.`);
  }
  return index;
}

const insert: Rule = async (node) => {
  const { items } = sequenceAt(node, 0);
  // One place more than there are elements: after the last.
  const at = node.has(2) ? await position(node, 2, items.length + 1) : items.length;
  return sequence(items.toSpliced(at, 0, node.tensor(1)));
};

const erase: Rule = async (node) => {
  const { items } = sequenceAt(node, 0);
  if (items.length === 0) node.fail('the sequence is empty.');
  const at = node.has(1) ? await position(node, 1, items.length) : items.length - 1;
  return sequence(items.toSpliced(at, 1));
};

const at: Rule = async (node) => {
  const { items } = sequenceAt(node, 0);
  return items[await position(node, 1, items.length)]!;
};

/** Longest sequence that a tensor is taken apart into. */
const MAX_ITEMS = 65536;

const splitToSequence: Rule = async (node) => {
  const x = node.tensor(0);
  const axis = node.axis(node.int('axis', 0), x.rank);
  const length = x.shape[axis]!;
  let sizes: readonly number[];
  let drop = false;
  if (!node.has(1)) {
    if (length > MAX_ITEMS) node.fail(`would make ${length} elements.`);
    sizes = new Array<number>(length).fill(1);
    drop = !node.flag('keepdims', true);
  } else if (node.type(1).shape.length === 0) {
    const size = await node.numberAt(1);
    if (!(size >= 1) || length / size > MAX_ITEMS) node.fail(`cannot cut parts of size ${size}.`);
    sizes = Array.from({ length: Math.ceil(length / size) }, (_, i) =>
      Math.min(size, length - i * size),
    );
  } else {
    sizes = await node.intsAt(1);
  }
  if (sizes.length === 0) return sequence([]);
  const parts = sizes.length === 1 ? [x] : ops.split(x, sizes, axis);
  return sequence(drop ? parts.map((t) => ops.squeeze(t, axis)) : parts);
};

const concatFromSequence: Rule = (node) => {
  const tensors = sequenceAt(node, 0).items.map((t): Tensor => {
    if ('kind' in t) return node.fail(`an element is a ${kindOf(t)}; expected a tensor.`);
    return t;
  });
  const axis = node.int('axis');
  return node.flag('new_axis') ? ops.stack(tensors, axis) : ops.concat(tensors, axis);
};

/** Applies a body to each element of a sequence. */
const sequenceMap: Rule = async (node) => {
  const { items } = sequenceAt(node, 0);
  const body = node.graph('body');
  const results: Value[][] = body.output.map(() => []);
  for (const [i, item] of items.entries()) {
    const others = Array.from({ length: node.inputCount - 1 }, (_, j) => {
      const value = node.value(j + 1);
      if (!('kind' in value) || value.kind !== 'sequence') return value;
      return value.items[i] ?? node.fail('its sequences differ in length.');
    });
    const made = await node.host.body(body, [item, ...others], node.scope);
    for (const [j, value] of made.entries()) results[j]!.push(value);
  }
  return results.map(sequence);
};

const optional: Rule = (node) => ({
  kind: 'optional',
  value: node.has(0) ? node.value(0) : null,
});

function isPresent(node: OnnxNode): boolean {
  if (!node.has(0)) return false;
  const value = node.value(0);
  return !('kind' in value) || value.kind !== 'optional' || value.value !== null;
}

const getElement: Rule = (node) => {
  const value = node.value(0);
  if (!('kind' in value) || value.kind !== 'optional') return value;
  return value.value ?? node.fail('the optional is empty.');
};

/** Rules of sequences and optionals. */
export const sequenceRules: Rules = {
  SequenceConstruct: (node) => sequence(node.all()),
  SequenceEmpty: () => sequence([]),
  SequenceInsert: insert,
  SequenceErase: erase,
  SequenceAt: at,
  SequenceLength: (node) => scalar(sequenceAt(node, 0).items.length, 'int64'),
  SequenceMap: sequenceMap,
  SplitToSequence: splitToSequence,
  ConcatFromSequence: concatFromSequence,
  Optional: optional,
  OptionalHasElement: (node) => scalar(isPresent(node) ? 1 : 0, 'bool'),
  OptionalGetElement: getElement,
};
