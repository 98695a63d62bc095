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
import { transposeOp } from '../ops/index.js';

/** The same node in each trace of one model. */
function columns(traces: readonly (readonly Tensor[])[]): Node[][] {
  const orders = traces.map((t) => toposort(t));
  return orders[0]!.map((node, i) => {
    const same = orders.map((order) => order[i]);
    if (same.some((n) => n?.op !== node.op) || orders.some((o) => o.length !== orders[0]!.length)) {
      throw new ConfigError(
        `The model takes another form when its sizes are others: ${node.describe()} has no counterpart. Export it for fixed sizes.`,
        { node: node.op.name },
        'batch-dependent',
      );
    }
    return same as Node[];
  });
}

/** Graphs with their parameters in place. */
export interface Folded {
  /** The results of each trace. */
  readonly traces: readonly (readonly Tensor[])[];
  /** Names of the values by their data: paths of parameters, and what was made of them. */
  readonly names: ReadonlyMap<HostTensor['data'], string>;
}

/**
 * Puts the values of parameters into traces of one model for several sizes. What is made of parameters alone
 * is computed by the engine, once for all traces; but a table that is read as it is and transposed too (words
 * that are looked up and asked for) stays one tensor, which runtimes transpose when they load it.
 * @param traces results of each
 * @param parameters placeholders by path
 */
export async function foldParameters(
  engine: Engine,
  traces: readonly (readonly Tensor[])[],
  parameters: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, HostTensor>,
): Promise<Folded> {
  const paths = new Map([...parameters].map(([path, t]) => [t, path]));
  /** For each tensor that is made of parameters alone and the same in all traces: of which. */
  const sources = new Map<Tensor, readonly Tensor[]>();
  const counterparts = new Map<Tensor, readonly Tensor[]>();
  const roots = new Set<Tensor>();
  /** Parameters that are read as they are. */
  const read = new Set<Tensor>();
  for (const nodes of columns(traces)) {
    const [node] = nodes as [Node];
    const computed = node.inputs.length > 0;
    const known = computed
      ? node.inputs.every((t) => sources.has(t)) && !node.op.spec.unique
      : node.outputs.every((t) => paths.has(t) || constantValue(t) !== null);
    const equal = nodes.every(
      (other) =>
        attrKey(node.attrs) === attrKey(other.attrs) &&
        node.outputs.every((t, i) => sameShape(t.shape, other.outputs[i]!.shape)),
    );
    for (const [i, t] of node.outputs.entries()) {
      counterparts.set(
        t,
        nodes.map((n) => n.outputs[i]!),
      );
    }
    if (known && equal) {
      const from = [...new Set(node.inputs.flatMap((t) => sources.get(t)!))];
      for (const t of node.outputs) sources.set(t, computed ? from : paths.has(t) ? [t] : []);
      continue;
    }
    for (const t of node.inputs) {
      if (isComputed(t) && sources.has(t)) roots.add(t);
      if (paths.has(t)) read.add(t);
    }
  }
  for (const t of traces[0]!) if (isComputed(t) && sources.has(t)) roots.add(t);

  const feeds = new Map([...parameters].map(([path, t]) => [t, weights.get(path)!]));
  const isOtherWay = (t: Tensor) =>
    t.node.op === (transposeOp as unknown) && t.node.inputs.every((p) => read.has(p));
  const wanted = [...roots].filter((t) => !isOtherWay(t));
  const values = wanted.length > 0 ? await engine.evaluate(wanted, feeds) : [];
  const names = new Map<HostTensor['data'], string>();
  const replaced = traces.map(() => new Map<Tensor, Tensor>());
  const put = (t: Tensor, value: HostTensor, name: string | null) => {
    if (name !== null) names.set(value.data, name);
    const constant = constantOf(value);
    for (const [i, same] of counterparts.get(t)!.entries()) replaced[i]!.set(same, constant);
  };
  for (const [path, t] of parameters) {
    if (counterparts.has(t)) put(t, weights.get(path)!, path);
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
  return { traces: traces.map((t, i) => substitute(t, replaced[i]!)), names };
}

function isComputed(t: Tensor): boolean {
  return t.node.inputs.length > 0 && inputName(t) === null;
}
