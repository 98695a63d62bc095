/** Leaves out what no result needs: ONNX Runtime would compute it. */
import type { Node } from './proto/onnx_pb.js';

/**
 * The nodes that `results` need, in their order. An operation that is emitted as part of its reader (a transpose inside
 * a product) leaves a node behind that nothing reads.
 * @param nodes each after those that it reads from
 * @param results names that are fetched, or read by the body of a node
 */
export function neededNodes(nodes: readonly Node[], results: Iterable<string>): Node[] {
  const needed = new Set(results);
  const kept = nodes.toReversed().filter(({ input, output }) => {
    if (!output.some((name) => name !== '' && needed.has(name))) return false;
    for (const name of input) needed.add(name);
    return true;
  });
  return kept.toReversed();
}
