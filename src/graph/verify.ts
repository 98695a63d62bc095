/** Checks a graph against the rules of its operations; run in tests and in debug mode. */
import { EngineError } from '../errors.js';
import { formatType, sameShape, type TensorType } from './dtype.js';
import { inputName, inputOp } from './leaf.js';
import type { Tensor } from './node.js';
import type { Op } from './op.js';
import { toposort } from './toposort.js';

/**
 * Verifies every node that `outputs` reach: its inputs were made before it, its recorded result
 * types are what its shape rule says, and placeholder names are unique.
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
