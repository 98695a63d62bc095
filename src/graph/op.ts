/**
 * How an operation is defined. One object holds everything the rest of Graft needs to know of it
 * (shape rule, gradient, ONNX form), and every node points at its operation, so autodiff, encoder
 * and verifier need no tables.
 */
import { GradientError, ShapeError } from '../errors.js';
import type { DType, HostTensor, TensorType } from './dtype.js';
import { formatType } from './dtype.js';
import { inScopeOf, Node, type Tensor } from './node.js';

/** What a gradient rule gets to see. */
export interface GradContext<A> {
  readonly node: Node<A>;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attrs: A;
  /** Gradient of the loss with respect to each output; null where the loss does not depend on it. */
  readonly dys: readonly (Tensor | null)[];
  /** The gradient of output 0, for the many operations that have only one output. */
  readonly dy: Tensor;
  /** Which inputs a gradient is wanted for; a rule may skip the work for the others. */
  readonly needs: readonly boolean[];
}

/**
 * Builds the gradient of each input out of graph operations; null where there is none (integer
 * inputs, or `needs[i]` is false).
 */
export type GradRule<A> = (ctx: GradContext<A>) => readonly (Tensor | null)[];

/** Marks an operation through which no gradient flows, and says why. */
export interface NoGrad {
  /** `zero`: the derivative is zero almost everywhere; `error`: asking for it is a mistake. */
  readonly noGrad: 'zero' | 'error';
  readonly reason: string;
}

/** Derivative is zero almost everywhere (comparisons, rounding, argmax): the walk stops quietly. */
export function zeroGrad(reason: string): NoGrad {
  return { noGrad: 'zero', reason };
}

/** No derivative rule: asking for one throws a GradientError that gives this reason. */
export function noGrad(reason: string): NoGrad {
  return { noGrad: 'error', reason };
}

/** Value of an ONNX attribute, tagged with its kind. */
export type OnnxAttr =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly tensor: HostTensor }
  | { readonly graph: OnnxSubgraph }
  /** An attribute of an imported node, carried through as it was. */
  | { readonly proto: unknown };

/** A body graph (of Scan, If, Loop) made by {@link OnnxEmitter.subgraph}; opaque to operations. */
export interface OnnxSubgraph {
  readonly proto: unknown;
}

/** A traced body (of scan): placeholders in, results out. It reads nothing from outside. */
export interface GraphBody {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
}

/**
 * Family of execution provider that a graph is encoded for; some lowerings differ. `portable` is
 * none of them: operators of the ONNX standard only, for a file that any runtime may read.
 */
export type OnnxTarget = 'cpu' | 'wasm' | 'webgpu' | 'cuda' | 'portable';

/** What an operation uses to write itself as ONNX. Implemented by the encoder in `onnx/`. */
export interface OnnxEmitter {
  readonly target: OnnxTarget;
  /**
   * How many channels ONNX Runtime's blocked convolution kernels keep side by side on the machine
   * that will run the graph; 0 where it has none, and for a model that is to run anywhere.
   */
  readonly channelBlock: number;
  /** Asks for at least this version of a domain's operator set. */
  opset(domain: string, version: number): void;
  /** ONNX value name of a tensor that has been emitted already. */
  name(tensor: Tensor): string;
  /** True when `tensor` is read by some node or is an output of the graph being encoded. */
  used(tensor: Tensor): boolean;
  /**
   * Adds one ONNX node and returns the names of its outputs. An empty input name means "absent".
   * @param options.outputs number of outputs (default 1), or a mask with false for an unused one
   */
  node(
    opType: string,
    inputs: readonly string[],
    attrs?: Readonly<Record<string, OnnxAttr>>,
    options?: { readonly domain?: string; readonly outputs?: number | readonly boolean[] },
  ): string[];
  /** Like {@link OnnxEmitter.node}, for the common case of one output. */
  one(
    opType: string,
    inputs: readonly string[],
    attrs?: Readonly<Record<string, OnnxAttr>>,
    domain?: string,
  ): string;
  /** Name of an initializer with these values; equal small values share one. */
  constant(value: HostTensor): string;
  /** Name of a one-dimensional int64 initializer (axes, shapes, pads). */
  ints(values: readonly number[]): string;
  /** Name of a scalar initializer. */
  scalar(dtype: DType, value: number): string;
  /** States the type of a value whose shape ONNX Runtime cannot infer by itself. */
  declare(name: string, type: TensorType): void;
  /**
   * Encodes a closed body. `body.inputs` become the inputs of the ONNX body graph, in order,
   * except those listed in `captured`, which stand for values of the outer graph by name.
   */
  subgraph(body: GraphBody, captured?: ReadonlyMap<Tensor, string>): OnnxSubgraph;
}

/** Everything there is to know of an operation. All fields that are not optional must be given. */
export interface OpSpec<A> {
  /** Unique name in camelCase, as printed and documented. */
  readonly name: string;
  /** Shape and dtype rule; throws ShapeError or DTypeError. */
  infer(inputs: readonly TensorType[], attrs: A): TensorType | readonly TensorType[];
  readonly grad: GradRule<A> | NoGrad;
  /** Writes the node as ONNX and returns one value name an output ('' for one that is unused). */
  onnx(emit: OnnxEmitter, node: Node<A>): string | readonly string[];
  /**
   * Evaluates the operation on the host, for folding small integer and shape arithmetic while
   * importing. Return null to decline.
   */
  readonly fold?: (
    inputs: readonly HostTensor[],
    attrs: A,
    outputs: readonly TensorType[],
  ) => readonly HostTensor[] | null;
  /**
   * An equal tensor that takes fewer nodes (a reshape of a reshape), or null. Asked by the pass
   * before encoding, never while tracing: there, a tensor in between may be differentiated by.
   */
  readonly simplify?: (inputs: readonly Tensor[], attrs: A) => Tensor | null;
  /** ONNX Runtime may hand on the input's buffer as the output (reshape and its kin). */
  readonly view?: boolean;
  /**
   * Element i of the only output depends on element i of each input of the output's shape: such
   * an operation may write over the input it reads.
   */
  readonly elementwise?: boolean;
  /**
   * Which input the only output is, but for the places that the other inputs say: such an operation may
   * write over that input, where no other input lies in the same memory.
   */
  readonly overwrites?: number;
  /** Nodes that an elementwise operation's ONNX form takes, each a pass over memory. Default 1. */
  readonly passes?: number;
  /** Never merged with an equal node (recomputation barriers). */
  readonly unique?: boolean;
}

/** A defined operation. */
export class Op<A = unknown> {
  readonly name: string;
  readonly spec: OpSpec<A>;

  constructor(spec: OpSpec<A>) {
    this.name = spec.name;
    this.spec = spec;
  }

  /**
   * Applies the operation: checks types, infers the result and makes the node.
   * @throws ShapeError, DTypeError when the inputs do not fit
   */
  apply(inputs: readonly Tensor[], attrs: A): readonly Tensor[] {
    const result = this.spec.infer(inputs, attrs);
    const types = (Array.isArray(result) ? result : [result]) as readonly TensorType[];
    for (const type of types) {
      if (type.shape.some((d) => !Number.isInteger(d) || d < 0)) {
        const given = inputs.map(formatType).join(', ');
        throw new ShapeError(
          `${this.name}: the result would have shape [${type.shape.join(',')}] from (${given}); every axis must be a non-negative integer. Check strides, padding and slice bounds.`,
          { op: this.name, shape: type.shape },
        );
      }
    }
    return new Node(this, inputs, attrs, types).outputs;
  }

  /** {@link Op.apply} for operations with one output. */
  one(inputs: readonly Tensor[], attrs: A): Tensor {
    return this.apply(inputs, attrs)[0]!;
  }
}

/** Defines an operation; see {@link OpSpec} for what it must say. */
export function defineOp<A>(spec: OpSpec<A>): Op<A> {
  return new Op(spec);
}

/**
 * Gradients of the inputs of `node`.
 * @throws GradientError when the operation has no rule
 */
export function gradientsOf(
  node: Node,
  dys: readonly (Tensor | null)[],
  needs: readonly boolean[],
): readonly (Tensor | null)[] {
  const { grad } = node.op.spec;
  if (typeof grad !== 'function') {
    if (grad.noGrad === 'zero') return node.inputs.map(() => null);
    throw new GradientError(
      `No gradient through ${node.describe()}: ${grad.reason} Stop the gradient before it (stopGradient), or freeze everything that lies below it.`,
      { op: node.op.name, node: node.id, scope: node.scope },
    );
  }
  const dy = dys[0] ?? (dys.find((d) => d !== null) as Tensor);
  return inScopeOf(node, () =>
    grad({ node, inputs: node.inputs, outputs: node.outputs, attrs: node.attrs, dys, dy, needs }),
  );
}
