/** Shapes with free axes in them, as nodes that work them out when the model runs. */
import { create } from '@bufbuild/protobuf';
import { type HostTensor, hostTensor } from '../graph/index.js';
import { isFixed, type Length, nameOf } from './lengths.js';
import {
  type Attribute,
  AttributeSchema,
  type Node as NodeProto,
  NodeSchema,
  type Tensor as TensorProto,
} from './proto/onnx_pb.js';
import { tensorProto } from './proto-parts.js';

/** Start of the names of all that is made here. */
export const PREFIX = 'graft.free';

/** Where an axis is found: an input of the model, and which of its axes. */
export interface AxisPlace {
  readonly input: string;
  readonly at: number;
}

/** An attribute that holds a whole number. */
function int(name: string, value: number): Attribute {
  return create(AttributeSchema, { name, type: 2, i: BigInt(value) });
}

/** Collects nodes and the constants that they read. */
export class FreeShapes {
  /** In the order in which they run. */
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly place: (axis: string) => AxisPlace;
  private readonly known = new Map<string, string>();
  private readonly lengths = new Map<string, string>();
  private next = 0;

  constructor(place: (axis: string) => AxisPlace) {
    this.place = place;
  }

  /**
   * A node; gives the name of its output.
   * @param name of the output; a new one by default
   */
  node(
    opType: string,
    input: readonly string[],
    attribute: Readonly<Record<string, number>> = {},
    name = `${PREFIX}.v${this.next++}`,
  ): string {
    this.nodes.push(
      create(NodeSchema, {
        name: `${PREFIX}.${name}`,
        opType,
        input: [...input],
        output: [name],
        attribute: Object.entries(attribute).map(([key, value]) => int(key, value)),
      }),
    );
    return name;
  }

  /** A constant under a new name. */
  constant(value: HostTensor, name = `${PREFIX}.t${this.next++}`): string {
    this.initializers.push(tensorProto(name, value));
    return name;
  }

  /** A constant list. */
  ints(values: readonly number[]): string {
    const key = values.join(',');
    let name = this.known.get(key);
    if (name === undefined) {
      name = `${PREFIX}.c${this.known.size}`;
      this.known.set(key, name);
      this.constant(hostTensor('int64', [values.length], values), name);
    }
    return name;
  }

  /** A node that makes the list `lengths`, under the name `name` where it is given. */
  list(lengths: readonly Length[], name?: string): string {
    if (name === undefined && lengths.every(isFixed))
      return this.ints(lengths.map((l) => l.constant));
    return this.node(
      'Concat',
      lengths.map((l) => this.length(l)),
      { axis: 0 },
      name,
    );
  }

  /** A list for Reshape that leaves its one free length to be worked out. */
  rest(lengths: readonly Length[]): string {
    return this.ints(lengths.map((l) => (isFixed(l) ? l.constant : -1)));
  }

  /** A length as a list of one number. */
  length(length: Length): string {
    const { constant, terms } = length;
    if (isFixed(length)) return this.ints([constant]);
    const key = nameOf(length);
    const known = this.lengths.get(key);
    if (known !== undefined) return known;
    const products = terms.map(({ factor, axes }) => {
      const factors = axes.map((axis) => this.axis(axis));
      if (factor !== 1) factors.push(this.ints([factor]));
      return factors.reduce((a, b) => this.node('Mul', [a, b]));
    });
    if (constant !== 0) products.push(this.ints([constant]));
    const made = products.reduce((a, b) => this.node('Add', [a, b]));
    this.lengths.set(key, made);
    return made;
  }

  /** A length as a scalar. */
  scalar(length: Length): string {
    return this.node('Squeeze', [this.length(length)]);
  }

  /** int64 0, 1, 2, ..., `length` of them. */
  range(length: Length): string {
    const [zero, one] = [0, 1].map((v) => this.constant(hostTensor('int64', [], [v])));
    return this.node('Range', [zero!, this.scalar(length), one!]);
  }

  private axis(axis: string): string {
    const key = `axis ${axis}`;
    let name = this.lengths.get(key);
    if (name === undefined) {
      const { input, at } = this.place(axis);
      name = this.node('Shape', [input], { start: at, end: at + 1 });
      this.lengths.set(key, name);
    }
    return name;
  }
}
