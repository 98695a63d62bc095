/**
 * Works out what depends on parameters alone (folded batch norms, transposed weights), so that a
 * file holds it as an initializer.
 */
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import {
  attrKey,
  constantOf,
  constantValue,
  type HostTensor,
  inputName,
  type Node,
  sameShape,
  substitute,
  type Tensor,
  toposort,
} from '../graph/index.js';

/** The nodes of two traces of one model, side by side. */
function pairs(traces: readonly [Tensor, Tensor]): [Node, Node][] {
  const [first, second] = traces.map((t) => toposort([t])) as [Node[], Node[]];
  return first.map((node, i) => {
    const other = second[i];
    if (!other || other.op !== node.op || first.length !== second.length) {
      throw new ConfigError(
        `The model takes another form when the batch is another: ${node.describe()} has no counterpart. Export it for a fixed batch.`,
        { node: node.op.name },
        'batch-dependent',
      );
    }
    return [node, other];
  });
}

/** Graphs with their parameters in place. */
export interface Folded {
  readonly traces: readonly [Tensor, Tensor];
  /** Names of the values by their data: paths of parameters, and what was made of them. */
  readonly names: ReadonlyMap<HostTensor['data'], string>;
}

/**
 * Puts the values of parameters into two traces of one model. What is made of parameters alone is
 * computed by the engine, once for both traces.
 * @param parameters placeholders by path
 */
export async function foldParameters(
  engine: Engine,
  traces: readonly [Tensor, Tensor],
  parameters: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, HostTensor>,
): Promise<Folded> {
  const paths = new Map([...parameters].map(([path, t]) => [t, path]));
  /** For each tensor that is made of parameters alone and the same in both traces: of which. */
  const sources = new Map<Tensor, readonly Tensor[]>();
  const counterpart = new Map<Tensor, Tensor>();
  const roots = new Set<Tensor>();
  for (const [node, other] of pairs(traces)) {
    const computed = node.inputs.length > 0;
    const known = computed
      ? node.inputs.every((t) => sources.has(t)) && !node.op.spec.unique
      : node.outputs.every((t) => paths.has(t) || constantValue(t) !== null);
    const equal =
      attrKey(node.attrs) === attrKey(other.attrs) &&
      node.outputs.every((t, i) => sameShape(t.shape, other.outputs[i]!.shape));
    for (const [i, t] of node.outputs.entries()) counterpart.set(t, other.outputs[i]!);
    if (known && equal) {
      const from = [...new Set(node.inputs.flatMap((t) => sources.get(t)!))];
      for (const t of node.outputs) sources.set(t, computed ? from : paths.has(t) ? [t] : []);
    } else {
      for (const t of node.inputs) if (isComputed(t) && sources.has(t)) roots.add(t);
    }
  }
  const [result] = traces;
  if (isComputed(result) && sources.has(result)) roots.add(result);

  const feeds = new Map([...parameters].map(([path, t]) => [t, weights.get(path)!]));
  const wanted = [...roots];
  const values = wanted.length > 0 ? await engine.evaluate(wanted, feeds) : [];
  const names = new Map<HostTensor['data'], string>();
  const replaced = [new Map<Tensor, Tensor>(), new Map<Tensor, Tensor>()] as const;
  const put = (t: Tensor, value: HostTensor, name: string | null) => {
    if (name !== null) names.set(value.data, name);
    replaced[0].set(t, constantOf(value));
    replaced[1].set(counterpart.get(t)!, constantOf(value));
  };
  for (const [path, t] of parameters) {
    if (counterpart.has(t)) put(t, weights.get(path)!, path);
  }
  const taken = new Set<string>();
  for (const [i, t] of wanted.entries()) {
    const from = sources.get(t)!;
    // A folded weight goes by the name of the weight, not of the scale that went into it.
    const main = from.find((p) => p.size === t.size) ?? from[0];
    const name = main ? `${paths.get(main)}.folded` : null;
    put(t, values[i]!, name === null || taken.has(name) ? null : name);
    if (name !== null) taken.add(name);
  }
  return {
    traces: [substitute([traces[0]], replaced[0])[0]!, substitute([traces[1]], replaced[1])[0]!],
    names,
  };
}

function isComputed(t: Tensor): boolean {
  return t.node.inputs.length > 0 && inputName(t) === null;
}
