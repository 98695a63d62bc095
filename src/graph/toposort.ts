/** Order and reachability in a graph, without recursion: graphs have up to 10^5 nodes and more. */
import type { Node, Tensor } from './node.js';

/**
 * Nodes needed for `outputs`, every node after its inputs. The order is a depth-first one from
 * the outputs, so it depends only on the graph, not on ids.
 */
export function toposort(outputs: readonly Tensor[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  for (const output of outputs) {
    if (seen.has(output.node)) continue;
    seen.add(output.node);
    stack.push({ node: output.node, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.node.inputs[top.next];
      if (input === undefined) {
        order.push(top.node);
        stack.pop();
      } else {
        top.next++;
        if (!seen.has(input.node)) {
          seen.add(input.node);
          stack.push({ node: input.node, next: 0 });
        }
      }
    }
  }
  return order;
}

/** The set of nodes among `order` (a topological order) that depend on one of `roots`. */
export function dependents(order: readonly Node[], roots: Iterable<Tensor>): Set<Node> {
  const wanted = new Set(roots);
  const found = new Set<Node>();
  for (const node of order) {
    if (
      node.outputs.some((t) => wanted.has(t)) ||
      node.inputs.some((t) => wanted.has(t) || found.has(t.node))
    ) {
      found.add(node);
    }
  }
  return found;
}
