/**
 * Passes over a whole graph: substitution, common-subexpression elimination, constant folding.
 * Dead code needs no pass: only what the outputs reach is ever visited.
 */
import type { HostTensor } from './dtype.js';
import { sizeOf } from './dtype.js';
import { constantOf, constantValue } from './leaf.js';
import { inScopeOf, type Node, nextNodeId, type Tensor } from './node.js';
import { toposort } from './toposort.js';

/** Folding stops at this many elements: shape arithmetic is small, weights are not. */
const MAX_FOLDED_ELEMENTS = 4096;
/** Constants up to this many elements are compared by value, larger ones by identity. */
const MAX_COMPARED_ELEMENTS = 256;

const identities = new WeakMap<object, number>();
let nextIdentity = 0;

/** A number that stands for the identity of an object, equal for the same object only. */
export function identityOf(value: object): number {
  let id = identities.get(value);
  if (id === undefined) {
    id = nextIdentity++;
    identities.set(value, id);
  }
  return id;
}

function isHostTensor(value: object): value is HostTensor {
  return 'dtype' in value && 'data' in value && 'shape' in value;
}

/** A string that is equal for attributes that mean the same. */
export function attrKey(value: unknown): string {
  switch (typeof value) {
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'bigint':
      return `${value}n`;
    case 'string':
      return JSON.stringify(value);
    case 'function':
      return `@${identityOf(value)}`;
    case 'object': {
      if (value === null) return 'null';
      if (Array.isArray(value)) return `[${value.map(attrKey).join(',')}]`;
      if (isHostTensor(value)) {
        const { dtype, shape, data } = value;
        const content =
          data.length <= MAX_COMPARED_ELEMENTS
            ? `:${Array.from<number | bigint, string>(data, attrKey).join(',')}`
            : `@${identityOf(data)}`;
        return `${dtype}[${shape.join(',')}]${content}`;
      }
      // Plain records are compared by content; anything with a prototype of its own by identity.
      const proto = Object.getPrototypeOf(value);
      if (proto !== Object.prototype && proto !== null) return `@${identityOf(value)}`;
      const entries = Object.entries(value as Record<string, unknown>)
        .filter(([, v]) => v !== undefined)
        .sort(([a], [b]) => (a < b ? -1 : 1));
      return `{${entries.map(([k, v]) => `${k}:${attrKey(v)}`).join(',')}}`;
    }
    default:
      return String(value);
  }
}

/** Makes a node like `node` on other inputs; the inferred types are checked again. */
export function cloneNode(node: Node, inputs: readonly Tensor[]): readonly Tensor[] {
  return inScopeOf(node, () => node.op.apply(inputs, node.attrs));
}

/**
 * Rebuilds the graph of `outputs` with some tensors replaced. Nodes that do not depend on a
 * replaced tensor are kept as they are.
 */
export function substitute(
  outputs: readonly Tensor[],
  replacements: ReadonlyMap<Tensor, Tensor>,
): Tensor[] {
  const map = new Map<Tensor, Tensor>(replacements);
  const get = (t: Tensor) => map.get(t) ?? t;
  for (const node of toposort(outputs)) {
    if (node.inputs.every((t) => get(t) === t)) continue;
    const made = cloneNode(node, node.inputs.map(get));
    for (const [i, out] of node.outputs.entries()) if (!map.has(out)) map.set(out, made[i]!);
  }
  return outputs.map(get);
}

function fold(node: Node): readonly Tensor[] | null {
  const { fold: rule } = node.op.spec;
  if (!rule || node.inputs.length === 0) return null;
  if (node.outputs.some((t) => sizeOf(t.shape) > MAX_FOLDED_ELEMENTS)) return null;
  const values: HostTensor[] = [];
  for (const t of node.inputs) {
    const value = constantValue(t);
    if (value === null || value.data.length > MAX_FOLDED_ELEMENTS) return null;
    values.push(value);
  }
  const results = rule(values, node.attrs, node.outputs);
  return results === null ? null : results.map(constantOf);
}

/**
 * Merges equal nodes, simplifies chains that an operation knows a shorter form of, and folds small
 * constant arithmetic. Returns the outputs of the new graph.
 */
export function optimize(outputs: readonly Tensor[]): Tensor[] {
  const map = new Map<Tensor, Tensor>();
  const known = new Map<string, readonly Tensor[]>();
  const get = (t: Tensor) => map.get(t) ?? t;

  const merge = (node: Node, inputs: readonly Tensor[]): readonly Tensor[] => {
    const key = `${node.op.name}|${identityOf(node.op)}|${inputs.map((t) => `${t.node.id}.${t.index}`).join(',')}|${attrKey(node.attrs)}`;
    const equal = known.get(key);
    if (equal) return equal;
    const changed = inputs.some((t, i) => t !== node.inputs[i]);
    const made = changed ? cloneNode(node, inputs) : node.outputs;
    const results = (made.length > 0 && fold(made[0]!.node)) || made;
    known.set(key, results);
    return results;
  };

  const rebuild = (node: Node): readonly Tensor[] => {
    const inputs = node.inputs.map(get);
    if (node.op.spec.unique) {
      return inputs.some((t, i) => t !== node.inputs[i]) ? cloneNode(node, inputs) : node.outputs;
    }
    const firstNew = nextNodeId();
    const simpler = inScopeOf(node, () => node.op.spec.simplify?.(inputs, node.attrs));
    if (!simpler) return merge(node, inputs);
    // What is simpler is a tensor that is there already, or one new node on such tensors.
    return simpler.node.id < firstNew ? [simpler] : merge(simpler.node, simpler.node.inputs);
  };

  for (const node of toposort(outputs)) {
    const results = rebuild(node);
    for (const [i, out] of node.outputs.entries()) map.set(out, results[i]!);
  }
  return outputs.map(get);
}
