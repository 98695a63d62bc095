/**
 * A graph for every batch out of the graphs for a few. Imported graphs have static shapes, and how
 * the batch enters them (reshapes, repeated tokens, slices) is known to the importer alone. So it
 * is seen from outside: the same file, imported for several batches, gives the same nodes, whose
 * attributes and constants are the same, or grow by the same amount with every sample.
 */
import { ConfigError } from '../errors.js';
import {
  dtypeInfo,
  type HostTensor,
  hostTensor,
  inputName,
  inScopeOf,
  type Node,
  sizeOf,
  type Tensor,
  toposort,
} from '../graph/index.js';

/** What stands in a place when the batch has `n` samples. */
type At = (n: number) => unknown;

/** The same results, traced for one batch. */
export interface BatchTrace {
  readonly batch: number;
  readonly outputs: readonly Tensor[];
}

function refuse(what: string): never {
  throw new ConfigError(
    `The network takes another form when the batch is another: ${what}. Export it with a dynamic batch axis.`,
    {},
    'onnx-batch',
  );
}

function isHostTensor(value: object): value is HostTensor {
  return 'dtype' in value && 'data' in value && 'shape' in value;
}

function isPlain(value: object): value is Record<string, unknown> {
  const proto = Object.getPrototypeOf(value);
  return proto === Object.prototype || proto === null;
}

/** Most elements of a constant that are looked at one by one. */
const MAX_NUMBERS = 65_536;

/** Learns how values depend on the batch from what they are at some batches. */
class Learner {
  private readonly batches: readonly number[];

  constructor(batches: readonly number[]) {
    this.batches = batches;
  }

  /**
   * @param values what stands in one place, in the order of the batches
   * @param where for messages
   * @returns null when it is the same for every batch
   */
  learn(values: readonly unknown[], where: string): At | null {
    const [first] = values;
    if (values.every((v) => Object.is(v, first))) return null;
    if (values.some((v) => typeof v !== typeof first)) refuse(where);
    if (typeof first === 'number') return this.number(values as number[], where);
    if (typeof first === 'bigint') {
      const at = this.number(values.map(Number), where);
      return (n) => BigInt(at(n));
    }
    // A derivative said in other words: made at every import, from nothing but the attributes.
    if (typeof first === 'function') return null;
    if (typeof first !== 'object' || values.some((v) => v === null)) return refuse(where);
    const objects = values as readonly object[];
    if (objects.every(Array.isArray)) return this.list(objects as readonly unknown[][], where);
    if (objects.every(isHostTensor)) return this.tensor(objects as readonly HostTensor[], where);
    if (objects.every(isPlain)) return this.record(objects as Record<string, unknown>[], where);
    // An attribute of the file that is carried through: a new object around the same words.
    const words = objects.map((v) => ('proto' in v ? v.proto : v));
    return words.every((w) => w === words[0]) ? null : refuse(where);
  }

  /** A number that grows by a whole number with every sample. */
  private number(values: readonly number[], where: string): (n: number) => number {
    const [a, b] = this.batches as [number, number];
    const slope = (values[1]! - values[0]!) / (b - a);
    const at = (n: number) => values[0]! + slope * (n - a);
    if (!Number.isInteger(slope) || this.batches.some((n, i) => at(n) !== values[i])) refuse(where);
    return at;
  }

  private list(values: readonly (readonly unknown[])[], where: string): At | null {
    const [first] = values as [readonly unknown[]];
    if (values.some((v) => v.length !== first.length)) refuse(where);
    const parts = first.map((_, i) =>
      this.learn(
        values.map((v) => v[i]),
        where,
      ),
    );
    if (parts.every((p) => p === null)) return null;
    return (n) => first.map((v, i) => parts[i]?.(n) ?? v);
  }

  private record(values: readonly Record<string, unknown>[], where: string): At | null {
    const [first] = values as [Record<string, unknown>];
    const names = Object.keys(first);
    if (values.some((v) => Object.keys(v).join() !== names.join())) refuse(where);
    const parts = names.map((name) =>
      this.learn(
        values.map((v) => v[name]),
        where,
      ),
    );
    if (parts.every((p) => p === null)) return null;
    return (n) =>
      Object.fromEntries(names.map((name, i) => [name, parts[i]?.(n) ?? first[name]] as const));
  }

  /** Constants: numbers that grow (shapes), or one block for each sample (tokens). */
  private tensor(values: readonly HostTensor[], where: string): At | null {
    const [first] = values as [HostTensor];
    if (values.some((v) => v.dtype !== first.dtype)) refuse(where);
    const shape = this.list(
      values.map((v) => v.shape),
      where,
    );
    if (shape) return this.repeated(values, where);
    if (values.every((v) => v.data === first.data)) return null;
    // Large ones are compared by their bits and never grow.
    const large = first.data.length > MAX_NUMBERS;
    const numbers = values.map(({ data }) => (large ? data : Array.from(data as Float32Array)));
    if (large) {
      const same = numbers.every((d) => d.every((v, i) => Object.is(v, first.data[i])));
      return same ? null : refuse(where);
    }
    const data = this.list(numbers as readonly (readonly unknown[])[], where);
    if (!data) return null;
    return (n) => hostTensor(first.dtype, first.shape, data(n) as number[]);
  }

  /** A constant that is the same for each sample, one block of rows after the other. */
  private repeated(values: readonly HostTensor[], where: string): At {
    const [first] = values as [HostTensor];
    const [batch] = this.batches as [number];
    const axis = first.shape.findIndex((d, i) => values.some((v) => v.shape[i] !== d));
    const rows = first.shape[axis]! / batch;
    const outer = sizeOf(first.shape.slice(0, axis));
    const inner = rows * sizeOf(first.shape.slice(axis + 1));
    const fits = (v: HostTensor, n: number) =>
      v.shape.every((d, i) => d === (i === axis ? rows * n : first.shape[i])) &&
      v.data.every((x, i) => {
        const block = Math.floor(i / (inner * n));
        return Object.is(x, first.data[block * inner * batch + (i % inner)]);
      });
    if (!Number.isInteger(rows) || !values.every((v, i) => fits(v, this.batches[i]!)))
      refuse(where);
    return (n): HostTensor => {
      const data = new (dtypeInfo(first.dtype).array)(outer * inner * n);
      for (let i = 0; i < data.length; i++) {
        const block = Math.floor(i / (inner * n));
        data[i] = first.data[block * inner * batch + (i % inner)]!;
      }
      return { ...first, shape: first.shape.with(axis, rows * n), data };
    };
  }
}

/** A graph that can be traced for any batch. */
export class BatchGraph {
  /** The results for the first batch; they stand for those of any. */
  readonly outputs: readonly Tensor[];
  /** Every node after its inputs. */
  readonly order: readonly Node[];
  private readonly attrs = new Map<Node, At>();

  /**
   * @param traces at least three, so that what two of them suggest is checked; batches above 1,
   *   where no axis is mistaken for one to broadcast
   * @throws ConfigError when the graphs differ in more than the batch
   */
  constructor(traces: readonly BatchTrace[]) {
    const orders = traces.map(({ outputs }) => toposort(outputs));
    const [order] = orders as [Node[]];
    if (orders.some((o) => o.length !== order.length)) refuse('the number of its nodes changes');
    const places = orders.map((o) => new Map(o.map((node, i) => [node, i] as const)));
    const source = (t: Tensor, trace: number) => `${places[trace]!.get(t.node)}.${t.index}`;
    const learner = new Learner(traces.map((t) => t.batch));
    for (const [i, node] of order.entries()) {
      const nodes = orders.map((o) => o[i]!);
      const where = node.describe();
      const inputs = nodes.map((n, trace) => n.inputs.map((t) => source(t, trace)).join());
      if (nodes.some((n) => n.op !== node.op) || new Set(inputs).size > 1) refuse(where);
      const names = nodes.map((n) => n.outputs[0] && inputName(n.outputs[0]));
      if (names.some((name) => name !== names[0])) refuse(where);
      if (names[0]) continue;
      const at = learner.learn(
        nodes.map((n) => n.attrs),
        where,
      );
      if (at) this.attrs.set(node, at);
    }
    this.outputs = traces[0]!.outputs;
    this.order = order;
  }

  /**
   * Traces results again.
   * @param targets tensors of {@link outputs}, or below them
   * @param given what stands for tensors of this graph: pixels, parameters, features
   */
  at(batch: number, targets: readonly Tensor[], given: ReadonlyMap<Tensor, Tensor>): Tensor[] {
    const made = new Map<Tensor, Tensor>(given);
    const get = (t: Tensor) => made.get(t) ?? t;
    const needed = this.needed(targets, new Set(given.keys()));
    for (const node of this.order) {
      if (!needed.has(node)) continue;
      const at = this.attrs.get(node);
      if (!at && node.inputs.every((t) => get(t) === t)) continue;
      const attrs = at ? at(batch) : node.attrs;
      const results = inScopeOf(node, () => node.op.apply(node.inputs.map(get), attrs));
      for (const [i, out] of node.outputs.entries()) if (!made.has(out)) made.set(out, results[i]!);
    }
    return targets.map(get);
  }

  /** Nodes below `targets`, down to `stops`. */
  private needed(targets: readonly Tensor[], stops: ReadonlySet<Tensor>): Set<Node> {
    const found = new Set<Node>();
    const waiting = targets.filter((t) => !stops.has(t));
    for (let t = waiting.pop(); t; t = waiting.pop()) {
      if (found.has(t.node)) continue;
      found.add(t.node);
      waiting.push(...t.node.inputs.filter((input) => !stops.has(input)));
    }
    return found;
  }
}
