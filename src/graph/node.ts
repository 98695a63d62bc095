/** The nodes of the symbolic graph: an operation applied to tensors, and its symbolic results. */
import type { DType, Shape, TensorType } from './dtype.js';
import { sizeOf } from './dtype.js';
import type { Op } from './op.js';

let nextId = 0;
let currentScope = '';

/** One application of an operation. Nodes are immutable; ids rise in the order of creation. */
export class Node<A = unknown> {
  readonly id: number = nextId++;
  /** Where the node was made, e.g. `layer1.0.conv1`; only for messages and profiles. */
  readonly scope: string = currentScope;
  readonly op: Op<A>;
  readonly inputs: readonly Tensor[];
  readonly attrs: A;
  readonly outputs: readonly Tensor[];

  constructor(op: Op<A>, inputs: readonly Tensor[], attrs: A, types: readonly TensorType[]) {
    this.op = op;
    this.inputs = inputs;
    this.attrs = attrs;
    this.outputs = types.map((type, i) => new Tensor(this as Node, i, type));
  }

  /** `conv2d#17 in layer1.0.conv1`, the way messages name a node. */
  describe(): string {
    return `${this.op.name}#${this.id}${this.scope ? ` in ${this.scope}` : ''}`;
  }
}

/** A symbolic tensor: output `index` of `node`, with a dtype and a static shape. */
export class Tensor implements TensorType {
  readonly node: Node;
  readonly index: number;
  readonly dtype: DType;
  readonly shape: Shape;

  constructor(node: Node, index: number, type: TensorType) {
    this.node = node;
    this.index = index;
    this.dtype = type.dtype;
    this.shape = type.shape;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }
}

/**
 * Runs `fn` with `name` appended to the scope of every node it makes, so that messages and
 * profiles can say which layer a node belongs to.
 */
export function withScope<T>(name: string, fn: () => T): T {
  const outer = currentScope;
  currentScope = outer ? `${outer}.${name}` : name;
  try {
    return fn();
  } finally {
    currentScope = outer;
  }
}

/** Runs `fn` with the scope set to exactly `scope`; used when a node is made on behalf of another. */
export function inScopeOf<T>(node: Node, fn: () => T): T {
  const outer = currentScope;
  currentScope = node.scope;
  try {
    return fn();
  } finally {
    currentScope = outer;
  }
}

/** The id that the next node will get: nodes made by a later call have ids at or above it. */
export function nextNodeId(): number {
  return nextId;
}
