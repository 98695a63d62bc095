/** Shapes with the batch in them, as nodes that work them out when the model runs. */
import { create } from '@bufbuild/protobuf';
import { hostTensor } from '../graph/index.js';
import { tensorProto } from './encode.js';
import {
  AttributeSchema,
  type Node as NodeProto,
  NodeSchema,
  type Tensor as TensorProto,
} from './proto/onnx_pb.js';

/** Start of the names of all that is made here. */
export const PREFIX = 'graft.batch';

/** What stands at one place of a shape: a number, or so many batches. */
export type Length = { readonly value: number } | { readonly batches: number };

/** Collects nodes and the constants that they read. */
export class BatchShapes {
  /** In the order in which they run. */
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly input: () => string;
  private readonly known = new Map<string, string>();
  private readonly multiples = new Map<number, string>();

  /** @param input name of an input whose first axis is the batch */
  constructor(input: () => string) {
    this.input = input;
  }

  /** A node that makes `lengths` under the name `name`. */
  compute(name: string, lengths: readonly Length[]): void {
    this.nodes.push(
      create(NodeSchema, {
        name: `${PREFIX}.${name}`,
        opType: 'Concat',
        input: lengths.map((l) => ('value' in l ? this.ints([l.value]) : this.batches(l.batches))),
        output: [name],
        attribute: [create(AttributeSchema, { name: 'axis', type: 2, i: 0n })],
      }),
    );
  }

  /** A constant list. */
  private ints(values: readonly number[]): string {
    const key = values.join(',');
    let name = this.known.get(key);
    if (name === undefined) {
      name = `${PREFIX}.c${this.known.size}`;
      this.known.set(key, name);
      this.initializers.push(tensorProto(name, hostTensor('int64', [values.length], values)));
    }
    return name;
  }

  /** A shape for Reshape that leaves the batch to be worked out; one of `lengths` holds it. */
  rest(lengths: readonly Length[]): string {
    return this.ints(lengths.map((l) => ('value' in l ? l.value : -1)));
  }

  /** The batch times `count`, as a list of one number. */
  private batches(count: number): string {
    let name = this.multiples.get(count);
    if (name !== undefined) return name;
    if (count === 1) {
      name = `${PREFIX}.size`;
      const end = (key: string, i: bigint) => create(AttributeSchema, { name: key, type: 2, i });
      this.nodes.push(
        create(NodeSchema, {
          name,
          opType: 'Shape',
          input: [this.input()],
          output: [name],
          attribute: [end('start', 0n), end('end', 1n)],
        }),
      );
    } else {
      name = `${PREFIX}.times.${count}`;
      const input = [this.batches(1), this.ints([count])];
      this.nodes.push(create(NodeSchema, { name, opType: 'Mul', input, output: [name] }));
    }
    this.multiples.set(count, name);
    return name;
  }
}
