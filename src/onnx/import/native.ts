/**
 * ONNX operators that a graph carries as they are: ONNX Runtime runs them. Gradients flow through
 * those that can also be said in Graft operations. One Graft operation stands for each operator.
 */
import { vjp } from '../../autodiff/index.js';
import { DTypeError, GradientError } from '../../errors.js';
import {
  defineOp,
  formatType,
  input,
  type OnnxAttr,
  type OnnxEmitter,
  type Op,
  sameShape,
  substitute,
  type Tensor,
  type TensorType,
} from '../../graph/index.js';

/** Attributes of an operator, as values or as a function that needs the emitter (bodies). */
export type NativeAttrs = Readonly<Record<string, OnnxAttr>>;

/** Says how to write the attributes once the names of the outer values are known. */
export class LateAttrs {
  readonly write: (emit: OnnxEmitter, inputs: readonly Tensor[]) => NativeAttrs;

  constructor(write: (emit: OnnxEmitter, inputs: readonly Tensor[]) => NativeAttrs) {
    this.write = write;
  }
}

/** What makes a native node. */
export interface NativeSpec {
  readonly opType: string;
  readonly domain?: string;
  /** Operator set version that must be asked for when it is newer than Graft's own. */
  readonly version?: number;
  /** Inputs in order; undefined for an absent one. */
  readonly inputs: readonly (Tensor | undefined)[];
  /** Values that a body reads from around it: inputs of the node that ONNX does not list. */
  readonly captured?: readonly Tensor[];
  readonly attrs?: NativeAttrs | LateAttrs;
  readonly outputs: readonly TensorType[];
  /** Which outputs are written; all by default. */
  readonly mask?: readonly boolean[];
  /** Why there is no gradient. */
  readonly reason: string;
  /**
   * The same results made of Graft operations, for the backward pass only: forwards ONNX Runtime's
   * own kernel is faster. Gets one tensor for each position of `inputs`.
   */
  readonly equivalent?: (inputs: readonly (Tensor | undefined)[]) => readonly Tensor[];
  /** Two equal nodes give different results (random operators). */
  readonly unique?: boolean;
  /** Name of the node in its file. */
  readonly label: string;
  /** Operator set version of its file. */
  readonly opset: number;
}

interface NativeNodeAttrs {
  /** For each input position, the index among the node's inputs, or -1. */
  readonly slots: readonly number[];
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  readonly mask: readonly boolean[];
  readonly attrs: NativeAttrs | LateAttrs;
  readonly version: number;
  readonly reason: string;
  readonly equivalent: NativeSpec['equivalent'];
  readonly label: string;
  readonly opset: number;
}

const ops = new Map<string, Op<NativeNodeAttrs>>();

function opFor(domain: string, opType: string, unique: boolean): Op<NativeNodeAttrs> {
  const key = `${domain}\n${opType}\n${unique}`;
  let op = ops.get(key);
  if (!op) {
    op = define(domain, opType, unique);
    ops.set(key, op);
  }
  return op;
}

function define(domain: string, opType: string, unique: boolean): Op<NativeNodeAttrs> {
  const name = `onnx.${domain ? `${domain}.` : ''}${opType}`;
  return defineOp<NativeNodeAttrs>({
    name,
    infer: (inputs, attrs) => {
      for (const [i, want] of attrs.inputs.entries()) {
        const got = inputs[i]!;
        if (got.dtype !== want.dtype || !sameShape(got.shape, want.shape)) {
          throw new DTypeError(
            `${name}: was imported for ${formatType(want)} as input ${i} but is given ${formatType(got)}; its result type is known for the former only. Import the model again with the sizes wanted.`,
            { op: name },
          );
        }
      }
      return attrs.outputs;
    },
    grad: ({ node, inputs, attrs, dys, needs }) => {
      if (attrs.equivalent) return gradientsByEquivalent(inputs, attrs, dys, needs);
      throw new GradientError(
        `No gradient through ${node.describe()}: ONNX operator ${domain ? `${domain}.` : ''}${opType} of opset ${attrs.opset}${attrs.label ? `, node '${attrs.label}'` : ''}. ${attrs.reason} Freeze everything that lies below it, or stop the gradient there (stopGradient).`,
        { op: opType, domain, node: attrs.label, opset: attrs.opset },
      );
    },
    onnx: (emit, { inputs, outputs, attrs }) => {
      if (attrs.version > 0) emit.opset(domain, attrs.version);
      const names = attrs.slots.map((slot) => (slot < 0 ? '' : emit.name(inputs[slot]!)));
      while (names.at(-1) === '') names.pop();
      const written =
        attrs.attrs instanceof LateAttrs ? attrs.attrs.write(emit, inputs) : attrs.attrs;
      const made = emit.node(opType, names, written, { domain, outputs: attrs.mask });
      // Outputs that are not written have no tensor, so the masked list maps one to one.
      const kept = made.filter((_, i) => attrs.mask[i]);
      return outputs.map((_, i) => kept[i]!);
    },
    unique,
  });
}

/**
 * Differentiates the Graft operations that give the same results. They are made on placeholders:
 * on the inputs themselves, a reshape of a reshape would become one and pass the input by.
 */
function gradientsByEquivalent(
  inputs: readonly Tensor[],
  { equivalent, slots }: NativeNodeAttrs,
  dys: readonly (Tensor | null)[],
  needs: readonly boolean[],
): (Tensor | null)[] {
  const given = inputs.map((t, i) => input(`operand.${i}`, t.dtype, t.shape));
  const results = equivalent!(slots.map((slot) => (slot < 0 ? undefined : given[slot]!)));
  const wanted = given.filter((_, i) => needs[i]);
  const actual = new Map(given.map((t, i) => [t, inputs[i]!]));
  const made = substitute(vjp(results, dys, wanted), actual);
  let next = 0;
  return inputs.map((_, i) => (needs[i] ? made[next++]! : null));
}

/** Makes a node that runs an ONNX operator as it is. */
export function nativeNode(spec: NativeSpec): readonly Tensor[] {
  const given: Tensor[] = [];
  const slots = spec.inputs.map((t) => (t ? given.push(t) - 1 : -1));
  const inputs = [...given, ...(spec.captured ?? [])];
  const op = opFor(spec.domain ?? '', spec.opType, spec.unique ?? false);
  return op.apply(inputs, {
    slots,
    inputs: inputs.map(({ dtype, shape }) => ({ dtype, shape })),
    outputs: spec.outputs,
    mask: spec.mask ?? spec.outputs.map(() => true),
    attrs: spec.attrs ?? {},
    version: spec.version ?? 0,
    reason: spec.reason,
    equivalent: spec.equivalent,
    label: spec.label,
    opset: spec.opset,
  });
}
