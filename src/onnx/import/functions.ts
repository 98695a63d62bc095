/** Functions defined in a file: their bodies are written out at each call. */
import type {
  Attribute,
  Function as FunctionProto,
  Graph as GraphProto,
  Node as NodeProto,
} from '../proto/onnx_pb.js';

type Bound = ReadonlyMap<string, Attribute>;

function bindNode(node: NodeProto, bound: Bound): NodeProto {
  if (node.attribute.every((a) => a.refAttrName === '' && !a.g && a.graphs.length === 0)) {
    return node;
  }
  const attribute = node.attribute.flatMap((a): Attribute[] => {
    if (a.refAttrName !== '') {
      const value = bound.get(a.refAttrName);
      return value ? [{ ...value, name: a.name }] : [];
    }
    const g = a.g && bindGraph(a.g, bound);
    return [{ ...a, ...(g ? { g } : {}), graphs: a.graphs.map((x) => bindGraph(x, bound)) }];
  });
  return { ...node, attribute };
}

function bindGraph(graph: GraphProto, bound: Bound): GraphProto {
  return { ...graph, node: graph.node.map((n) => bindNode(n, bound)) };
}

/**
 * The nodes of `fn` with the attributes of a call put in. An attribute that refers to one that the
 * call does not give, and that has no default, is absent.
 */
export function bindAttributes(fn: FunctionProto, call: NodeProto): NodeProto[] {
  const bound = new Map(fn.attributeProto.map((a) => [a.name, a]));
  for (const a of call.attribute) bound.set(a.name, a);
  return fn.node.map((n) => bindNode(n, bound));
}
