/** Checks a graph against the rules of its operations; run in tests and in debug mode. */
import { EngineError } from '../errors.js';
import { formatType, sameShape, type TensorType } from './dtype.js';
import { inputName, inputOp } from './leaf.js';
import type { Node, Tensor } from './node.js';
import type { GraphBody, Op } from './op.js';
import { toposort } from './toposort.js';

/** The bodies (of loops and branches) that a node carries among its attributes. */
function bodiesOf({ attrs }: Node): GraphBody[] {
  if (attrs === null || typeof attrs !== 'object') return [];
  return Object.values(attrs).filter(
    (value): value is GraphBody =>
      typeof value === 'object' && value !== null && 'inputs' in value && 'outputs' in value,
  );
}

/**
 * Verifies every node that `outputs` reach, in bodies too: its inputs were made before it, its
 * results are its own, their recorded types are what its shape rule says, and placeholder names
 * are unique within a graph.
 * @throws EngineError with code `verify`, naming the node
 */
export function verify(outputs: readonly Tensor[]): void {
  const names = new Map<string, Tensor>();
  for (const node of toposort(outputs)) {
    for (const t of node.inputs) {
      if (t.node.id >= node.id) {
        throw new EngineError(
          'verify',
          `${node.describe()} reads ${t.node.describe()}, which was made after it: the graph has a cycle or was changed in place.`,
        );
      }
    }
    if (node.outputs.some((t, i) => t.node !== node || t.index !== i)) {
      throw new EngineError(
        'verify',
        `${node.describe()} lists results that belong to another node or stand in another place.`,
      );
    }
    for (const body of bodiesOf(node)) verify(body.outputs);
    const result = node.op.spec.infer(node.inputs, node.attrs);
    const types = (Array.isArray(result) ? result : [result]) as readonly TensorType[];
    const same =
      types.length === node.outputs.length &&
      types.every((type, i) => {
        const out = node.outputs[i]!;
        return type.dtype === out.dtype && sameShape(type.shape, out.shape);
      });
    if (!same) {
      throw new EngineError(
        'verify',
        `${node.describe()} is recorded as ${node.outputs.map(formatType).join(', ')} but its rule infers ${types.map(formatType).join(', ')}.`,
      );
    }
    if (node.op === (inputOp as unknown as Op)) {
      const out = node.outputs[0]!;
      const name = inputName(out)!;
      if (names.has(name)) {
        throw new EngineError('verify', `Two placeholders are both named '${name}'.`, { name });
      }
      names.set(name, out);
    }
  }
}
