/** Names and order inside a graph of an ONNX file: who makes a value, who reads it, in which order. */
import { WeightsError } from '../errors.js';
import type { Graph as GraphProto, Node as NodeProto } from './proto/onnx_pb.js';

/** How messages name a node of the file. */
export function nodeLabel(node: NodeProto): string {
  const domain = node.domain && node.domain !== 'ai.onnx' ? `${node.domain}.` : '';
  const name = node.name || node.output.find((o) => o !== '') || '';
  return `${domain}${node.opType || '(no operator)'}${name ? ` '${name.slice(0, 100)}'` : ''}`;
}

/** The graphs that a node carries as attributes (bodies of If, Loop, Scan, ...). */
export function subgraphsOf(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap((a) => (a.g ? [a.g, ...a.graphs] : a.graphs));
}

const free = new WeakMap<GraphProto, ReadonlySet<string>>();

/** Names that a body graph reads from the graphs around it. */
export function freeNames(graph: GraphProto): ReadonlySet<string> {
  let names = free.get(graph);
  if (names) return names;
  const own = new Set<string>();
  for (const v of graph.input) own.add(v.name);
  for (const t of graph.initializer) own.add(t.name);
  for (const n of graph.node) for (const o of n.output) own.add(o);
  const found = new Set<string>();
  const read = (name: string) => {
    if (name !== '' && !own.has(name)) found.add(name);
  };
  for (const n of graph.node) for (const name of readsOf(n)) read(name);
  for (const v of graph.output) read(v.name);
  names = found;
  free.set(graph, names);
  return names;
}

/** All names that a node reads: its inputs and what its bodies take from around them. */
export function readsOf(node: NodeProto): string[] {
  const names = node.input.filter((name) => name !== '');
  for (const g of subgraphsOf(node)) names.push(...freeNames(g));
  return names;
}

function invalid(message: string, data: Record<string, unknown>): WeightsError {
  return new WeightsError(message, data, { code: 'onnx-graph' });
}

/**
 * Nodes in an order in which each comes after those whose results it reads, without those that
 * `outputs` do not need.
 * @param given names that exist before the first node runs (inputs, initializers, outer values)
 * @throws WeightsError when a name is made twice, read but never made, or part of a cycle
 */
export function orderNodes(
  nodes: readonly NodeProto[],
  given: (name: string) => boolean,
  outputs: readonly string[],
): NodeProto[] {
  const makers = new Map<string, number>();
  for (const [i, node] of nodes.entries()) {
    for (const name of node.output) {
      if (name === '') continue;
      const other = makers.get(name);
      if (other !== undefined || given(name)) {
        const first = other === undefined ? 'an input or initializer' : nodeLabel(nodes[other]!);
        throw invalid(
          `The name '${name}' is given to two values: by ${first} and by ${nodeLabel(node)}. Names must be unique; the file is damaged.`,
          { name },
        );
      }
      makers.set(name, i);
    }
  }
  const order: NodeProto[] = [];
  // 0: not seen, 1: waiting for its inputs, 2: placed.
  const state = new Uint8Array(nodes.length);
  const stack: { index: number; reads: string[]; next: number }[] = [];
  const enter = (name: string, reader: string) => {
    const index = makers.get(name);
    if (index === undefined) {
      if (given(name)) return;
      throw invalid(
        `${reader} reads '${name}', which no node, input or initializer provides. The file is cut off or damaged.`,
        { name },
      );
    }
    if (state[index] === 2) return;
    if (state[index] === 1) {
      const from = stack.findIndex((s) => s.index === index);
      const members = stack.slice(from).map((s) => nodeLabel(nodes[s.index]!));
      throw invalid(
        `The graph has a cycle: ${members.slice(0, 6).join(' needs ')}${members.length > 6 ? ' ...' : ''} needs ${members[0]}. A feed-forward graph cannot; the file is damaged.`,
        { nodes: members.slice(0, 6) },
      );
    }
    state[index] = 1;
    stack.push({ index, reads: readsOf(nodes[index]!), next: 0 });
  };
  for (const output of outputs) {
    if (output === '') continue;
    enter(output, 'An output of the graph');
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const name = top.reads[top.next];
      if (name === undefined) {
        state[top.index] = 2;
        order.push(nodes[top.index]!);
        stack.pop();
      } else {
        top.next++;
        enter(name, nodeLabel(nodes[top.index]!));
      }
    }
  }
  return order;
}
