/**
 * Which variables a program may overwrite while it runs.
 *
 * ONNX Runtime writes a result that was given a buffer the moment its node runs. If that buffer is
 * also an input, a node that runs later and still reads the old value sees the new one. A variable
 * is therefore written in place only when every reader of its old value has provably finished, and
 * gets a second buffer otherwise.
 */
import {
  constantValue,
  type Node,
  type OnnxTarget,
  sameShape,
  type Tensor,
  toposort,
} from '../graph/index.js';

/** New values of variables: placeholder to the tensor that replaces it. */
export type Updates = ReadonlyMap<Tensor, Tensor>;

/**
 * Whether ONNX Runtime may hand an input's buffer on as the output of `node`: it does for views,
 * and it removes additions of 0 and products with 1.
 */
function mayAlias(node: Node): boolean {
  if (node.op.spec.view) return true;
  return (
    node.op.spec.elementwise === true &&
    node.inputs.some((t) => {
      const value = constantValue(t);
      return value !== null && value.data.length === 1 && [0, 1].includes(Number(value.data[0]));
    })
  );
}

/**
 * Whether `writer`, which reads `variable`, may write its result over it.
 * @param shared what may lie in the memory of `variable`
 */
function writesOver(writer: Node, variable: Tensor, shared: ReadonlySet<Tensor>): boolean {
  const { elementwise, overwrites } = writer.op.spec;
  if (elementwise) return writer.inputs.includes(variable);
  if (overwrites === undefined || writer.inputs[overwrites] !== variable) return false;
  // It reads the others while it writes.
  return writer.inputs.every((t, i) => i === overwrites || !shared.has(t));
}

function consumersOf(order: readonly Node[]): Map<Tensor, Node[]> {
  const consumers = new Map<Tensor, Node[]>();
  for (const node of order) {
    for (const t of new Set(node.inputs)) {
      const list = consumers.get(t);
      if (list) list.push(node);
      else consumers.set(t, [node]);
    }
  }
  return consumers;
}

function ancestorsOf(node: Node): Set<Node> {
  const found = new Set<Node>();
  const stack = [node];
  for (let n = stack.pop(); n; n = stack.pop()) {
    for (const t of n.inputs) {
      if (!found.has(t.node)) {
        found.add(t.node);
        stack.push(t.node);
      }
    }
  }
  return found;
}

/**
 * The variables among `updates` whose new value may be written over the old one.
 * @param updates of the graph as it will be encoded (after optimisation)
 * @param outputs the program's other results
 */
export function writableInPlace(
  updates: Updates,
  outputs: readonly Tensor[],
  target: OnnxTarget,
): Set<Tensor> {
  const results = [...outputs, ...updates.values()];
  const consumers = consumersOf(toposort(results));
  const fetched = new Set(results);
  const safe = new Set<Tensor>();

  for (const [variable, next] of updates) {
    // Every node that may read the variable's memory, looking through operations that hand the
    // same buffer on; null when a result is itself such a view.
    let readers: Set<Node> | null = new Set();
    const views = [variable];
    const shared = new Set<Tensor>();
    for (let t = views.pop(); t && readers; t = views.pop()) {
      shared.add(t);
      if (fetched.has(t)) readers = null;
      for (const node of consumers.get(t) ?? []) {
        readers?.add(node);
        if (mayAlias(node)) views.push(...node.outputs);
      }
    }
    if (!readers) continue;
    if (readers.size === 0) {
      safe.add(variable);
      continue;
    }
    const writer = next.node;
    if (mayAlias(writer) || writer.inputs.length === 0) continue;
    if (readers.has(writer)) {
      // WebGPU forbids one buffer as read-only and writable binding of the same dispatch.
      if (target === 'webgpu' || !writesOver(writer, variable, shared)) continue;
      if (!sameShape(next.shape, variable.shape)) continue;
    }
    const before = ancestorsOf(writer);
    if ([...readers].every((node) => node === writer || before.has(node))) safe.add(variable);
  }
  return safe;
}
