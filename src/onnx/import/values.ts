/**
 * What a name of an ONNX graph stands for while it is imported. Sequences and optionals have no
 * counterpart in a Graft graph: they are taken apart here, so that only tensors remain.
 */
import { WeightsError } from '../../errors.js';
import { type HostTensor, Tensor, type TensorType } from '../../graph/index.js';

/** A list of values whose length is known while importing. */
export interface SequenceValue {
  readonly kind: 'sequence';
  readonly items: readonly Value[];
}

/** A value that may be absent, which is known while importing. */
export interface OptionalValue {
  readonly kind: 'optional';
  readonly value: Value | null;
}

/** An initializer that has not been read yet: it becomes a constant, a parameter or an argument. */
export interface InitializerValue {
  readonly kind: 'initializer';
  readonly name: string;
  readonly type: TensorType;
  /** The values; read at the first call. */
  load(): Promise<HostTensor>;
  /** The constant or placeholder that stands for it in the graph. */
  tensor(): Promise<Tensor>;
}

/** Whatever a name can stand for. */
export type Value = Tensor | SequenceValue | OptionalValue | InitializerValue;

/** How messages name the kind of a value. */
export function kindOf(value: Value): string {
  return value instanceof Tensor ? 'tensor' : value.kind;
}

/** Names of a graph, and of the graphs around it. */
export class Scope {
  private readonly values = new Map<string, Value>();
  private readonly outer: Scope | null;

  constructor(outer: Scope | null = null) {
    this.outer = outer;
  }

  get(name: string): Value | undefined {
    for (let scope: Scope | null = this; scope; scope = scope.outer) {
      const value = scope.values.get(name);
      if (value) return value;
    }
    return undefined;
  }

  set(name: string, value: Value): void {
    this.values.set(name, value);
  }

  /** @throws WeightsError when nothing of that name exists */
  require(name: string): Value {
    const value = this.get(name);
    if (!value) {
      throw new WeightsError(
        `The graph reads '${name}', which nothing provides. The file is cut off or damaged.`,
        { name },
        { code: 'onnx-graph' },
      );
    }
    return value;
  }
}
