/**
 * Nodes for which Graft has no rule: carried through as they are. ONNX Runtime says which types
 * their results have, from a model of the one node with static inputs.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { EngineError, WeightsError } from '../../errors.js';
import {
  constantValue,
  type HostTensor,
  isFloat,
  sizeOf,
  type Tensor,
  type TensorType,
} from '../../graph/index.js';
import { OPSET } from '../graph-encoder.js';
import { subgraphsOf } from '../node-order.js';
import { GraphSchema, ModelSchema, NodeSchema, ValueInfoSchema } from '../proto/onnx_pb.js';
import { tensorProto, valueInfo } from '../proto-parts.js';
import { normalDomain } from '../read.js';
import { nativeNode } from './native.js';
import { DEPRECATED, OP_VERSIONS } from './opsets.js';
import type { OnnxNode } from './rule.js';

/** A model of one node, to ask what it gives. */
export interface Probe {
  readonly bytes: Uint8Array;
  /** Inputs `in:0`, `in:1`, ... */
  readonly inputs: readonly TensorType[];
  /** Number of outputs `out:0`, `out:1`, ... */
  readonly outputs: number;
  /** False when the inputs are too large to run the node only to see what it gives. */
  readonly mayRun: boolean;
}

/** What the import asks of a runtime. The engine implements it. */
export interface OnnxEvaluator {
  /** Values of tensors that depend on constants only. */
  evaluate(tensors: readonly Tensor[]): Promise<HostTensor[]>;
  /**
   * Types of the results of a probe.
   * @throws EngineError when the runtime refuses it
   */
  outputTypes(probe: Probe): Promise<TensorType[]>;
  /**
   * Runs a probe that has no inputs.
   * @throws EngineError when the runtime refuses it
   */
  run(probe: Probe): Promise<HostTensor[]>;
}

/** Largest input, in elements, with which a node is run only to see what it gives. */
const MAX_PROBED_ELEMENTS = 2 ** 24;
/** IR version of probes: the oldest that knows every attribute kind in use. */
const PROBE_IR = 8n;

/** The newest definition of an operator at an opset. */
export function definitionAt(opType: string, opset: number): number | undefined {
  // Not every name of an own property: the operator's name comes from the file.
  const versions = Object.hasOwn(OP_VERSIONS, opType) ? OP_VERSIONS[opType] : undefined;
  return versions?.findLast((v) => v <= opset);
}

/**
 * An opset in which an operator means what it means at `opset`, as near to Graft's own as there is:
 * runtimes know that one, but not the newest, nor everything of the oldest.
 */
function equalOpset(opType: string, opset: number): number {
  const then = definitionAt(opType, opset) ?? opset;
  const next = OP_VERSIONS[opType]?.find((v) => v > then) ?? Number.POSITIVE_INFINITY;
  return Math.min(Math.max(then, OPSET), next - 1);
}

/**
 * The operator set version under which a node of the default domain means what it says.
 * @returns 0 when Graft's own will do
 */
function carriedVersion(node: OnnxNode): number {
  const { opType, opset } = node;
  const then = definitionAt(opType, opset);
  if (then === undefined || DEPRECATED[opType]?.includes(then)) {
    node.fail('ONNX has no such operator at this opset any more.', 'onnx-unknown-op');
  }
  const now = definitionAt(opType, OPSET);
  if (then === now) return 0;
  if (then > OPSET) return then;
  return node.fail(
    `the operator was defined anew in opset ${now} and Graft has no rule that translates it. Convert the model to opset ${OPSET} with onnx.version_converter.`,
    'onnx-unknown-op',
  );
}

/** Imports a node without a rule. */
export async function importOpaque(
  node: OnnxNode,
  evaluator: OnnxEvaluator | undefined,
  opsets: ReadonlyMap<string, number>,
): Promise<Tensor[]> {
  const domain = normalDomain(node.proto.domain);
  const version = domain === '' ? carriedVersion(node) : node.opset;
  if (!evaluator) {
    node.fail(
      'Graft has no rule for this operator, and finding its result type takes a runtime. Import through importOnnx(engine, ...).',
      'onnx-evaluator',
    );
  }
  const inputs = Array.from({ length: node.inputCount }, (_, i) => node.optional(i));
  if (subgraphsOf(node.proto).length > 0) {
    node.fail(
      'Graft has no rule for this operator, and cannot carry it through because it has a body.',
      'onnx-unknown-op',
    );
  }
  const outputs = node.proto.output.map((_, i) => node.wants(i));
  const types = await probeTypes(node, evaluator, opsets, inputs);
  for (const type of types) node.checkShape(type.shape);
  const made = nativeNode({
    opType: node.opType,
    domain,
    version,
    inputs,
    attrs: Object.fromEntries(node.proto.attribute.map((a) => [a.name, new Carried(a)])),
    outputs: types,
    mask: outputs,
    reason: 'Graft has no rule for this operator; it is carried through as it is.',
    // What an unknown operator does is unknown: equal nodes might still differ.
    unique: true,
    label: node.proto.name,
    opset: node.opset,
  });
  let next = 0;
  return outputs.map((wanted) => (wanted ? made[next++]! : made[0]!));
}

/** An attribute as the file has it; two of them are equal when they are the same object. */
class Carried {
  readonly proto: unknown;

  constructor(proto: unknown) {
    this.proto = proto;
  }
}

/** The model of a node whose inputs have been given names. */
function probeModel(
  node: OnnxNode,
  opsets: ReadonlyMap<string, number>,
  input: readonly string[],
  constants: readonly ReturnType<typeof tensorProto>[],
  given: readonly TensorType[],
  opset = node.opset,
): { readonly bytes: Uint8Array; readonly outputs: number } {
  let next = 0;
  const output = node.proto.output.map((_, i) => (node.wants(i) ? `out:${next++}` : ''));
  const domain = normalDomain(node.proto.domain);
  const imports = new Map(opsets);
  if (domain === '') imports.set('', equalOpset(node.opType, opset));
  const model = create(ModelSchema, {
    irVersion: PROBE_IR,
    opsetImport: [...imports].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: create(GraphSchema, {
      name: 'probe',
      node: [
        create(NodeSchema, {
          name: 'probe',
          opType: node.opType,
          domain: node.proto.domain,
          input: [...input],
          output,
          attribute: node.proto.attribute,
        }),
      ],
      initializer: [...constants],
      input: given.map((t, i) => valueInfo(`in:${i}`, t)),
      output: output.flatMap((name) => (name ? [create(ValueInfoSchema, { name })] : [])),
    }),
  });
  return { bytes: toBinary(ModelSchema, model), outputs: next };
}

async function probeTypes(
  node: OnnxNode,
  evaluator: OnnxEvaluator,
  opsets: ReadonlyMap<string, number>,
  inputs: readonly (Tensor | undefined)[],
): Promise<TensorType[]> {
  const given: Tensor[] = [];
  const constants: ReturnType<typeof tensorProto>[] = [];
  const input = inputs.map((t): string => {
    if (!t) return '';
    // Known values help the runtime to infer shapes; weights would only be copied.
    const value = constantValue(t);
    if (value && value.data.length <= 4096) {
      const name = `const:${constants.length}`;
      constants.push(tensorProto(name, value));
      return name;
    }
    return `in:${given.push(t) - 1}`;
  });
  const total = given.reduce((n, t) => n + sizeOf(t.shape), 0);
  // Integers tend to be sizes and axes: made-up ones could send a kernel astray.
  const safe = normalDomain(node.proto.domain) !== '' || given.every((t) => isFloat(t.dtype));
  return refused(node, () =>
    evaluator.outputTypes({
      ...probeModel(node, opsets, input, constants, given),
      inputs: given,
      mayRun: safe && total <= MAX_PROBED_ELEMENTS,
    }),
  );
}

/** Runs a node on known values. */
export async function runNode(
  node: OnnxNode,
  evaluator: OnnxEvaluator | undefined,
  opsets: ReadonlyMap<string, number>,
  inputs: readonly (HostTensor | null)[],
): Promise<HostTensor[]> {
  if (!evaluator) {
    node.fail(
      'the size of its result depends on values, which takes a runtime to evaluate. Import through importOnnx(engine, ...).',
      'onnx-evaluator',
    );
  }
  const constants: ReturnType<typeof tensorProto>[] = [];
  const input = inputs.map((value): string => {
    if (!value) return '';
    const name = `const:${constants.length}`;
    constants.push(tensorProto(name, value));
    return name;
  });
  // Only operators with a rule come here, and the rule vouches that Graft's own opset will do.
  const opset = Math.min(node.opset, OPSET);
  const model = probeModel(node, opsets, input, constants, [], opset);
  const results = await refused(node, () => evaluator.run({ ...model, inputs: [], mayRun: true }));
  let next = 0;
  // Outputs without a name keep their place; nothing reads them.
  return node.proto.output.map((_, i) => (node.wants(i) ? results[next++]! : results[0]!));
}

async function refused<T>(node: OnnxNode, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause;
    throw new WeightsError(
      `${node.label}: the runtime could not tell what it gives: ${cause.message}`,
      { op: node.opType, node: node.proto.name, opset: node.opset },
      { code: 'onnx-unknown-op', cause },
    );
  }
}
