/** One model of two that share their weights: the first while an input is empty, the second afterwards. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ConfigError } from '../errors.js';
import { hostTensor } from '../graph/index.js';
import type { EncodedModel, ModelValue } from './encode.js';
import {
  AttributeSchema,
  type Graph,
  GraphSchema,
  ModelSchema,
  NodeSchema,
  type Tensor as TensorProto,
  type ValueInfo,
  ValueInfoSchema,
} from './proto/onnx_pb.js';
import { tensorProto } from './proto-parts.js';

/** AttributeProto.AttributeType of the IR specification. */
const INT = 2;
const GRAPH = 5;

const PREFIX = 'graft.branch';

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset) return a.length === b.length;
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

/** A graph with its nodes' values under other names, as the body of a branch. */
function body(graph: Graph, prefix: string, constants: ReadonlyMap<string, string>): Graph {
  const made = new Set(graph.node.flatMap((n) => n.output));
  const renamed = (name: string) =>
    constants.get(name) ?? (name !== '' && made.has(name) ? `${prefix}.${name}` : name);
  for (const node of graph.node) {
    if (node.attribute.some((a) => a.g)) {
      throw new ConfigError(`branches: ${node.name} has a body of its own, which is not built.`);
    }
    node.name = `${prefix}.${node.name}`;
    node.input = node.input.map(renamed);
    node.output = node.output.map(renamed);
  }
  for (const value of [...graph.output, ...graph.valueInfo]) value.name = renamed(value.name);
  return create(GraphSchema, {
    name: prefix,
    node: graph.node,
    output: graph.output,
    valueInfo: graph.valueInfo,
  });
}

/** Dimensions of a value. */
function dims(value: ValueInfo) {
  return value.type?.value.case === 'tensorType' ? (value.type.value.value.shape?.dim ?? []) : [];
}

/** The type of a value that has another length in the other branch. */
function widened(mine: ValueInfo, theirs: ValueInfo | undefined, total: string): ValueInfo {
  const copy = fromBinary(ValueInfoSchema, toBinary(ValueInfoSchema, mine));
  if (!theirs) return copy;
  for (const [i, dim] of dims(copy).entries()) {
    const { value: a } = dim;
    const { value: b } = dims(theirs)[i]!;
    if (a.case === 'dimParam' && b.case === 'dimParam' && a.value !== b.value) {
      dim.value = { case: 'dimParam', value: total };
    }
  }
  return copy;
}

/** Constants of both models in one list, those that are equal once; with the names of the second one's. */
class SharedConstants {
  readonly list: TensorProto[];
  readonly external: EncodedModel['external'];
  readonly renamed = new Map<string, string>();

  constructor(first: Graph, second: Graph, models: readonly [EncodedModel, EncodedModel]) {
    const [mine, theirs] = models.map(
      ({ external }) => new Map(external.map((e) => [e.path, e.data])),
    );
    const known = new Map(first.initializer.map((t) => [t.name, t]));
    const isKnown = (t: TensorProto) => {
      const other = known.get(t.name);
      const bytes = theirs!.get(t.name) ?? t.rawData;
      return (
        other !== undefined &&
        other.dataType === t.dataType &&
        other.dims.join() === t.dims.join() &&
        sameBytes(mine!.get(t.name) ?? other.rawData, bytes)
      );
    };
    const own = second.initializer.filter((t) => !isKnown(t));
    const beside: EncodedModel['external'][number][] = [];
    for (const tensor of own) {
      const path = `${PREFIX}.1.${tensor.name}`;
      this.renamed.set(tensor.name, path);
      const data = theirs!.get(tensor.name);
      if (data) beside.push({ path, data });
      for (const entry of tensor.externalData) if (entry.key === 'location') entry.value = path;
      tensor.name = path;
    }
    this.list = [...first.initializer, ...own];
    this.external = [...models[0].external, ...beside];
  }
}

/** How {@link branches} joins two models. */
export interface BranchOptions {
  /** Input of the second model that is empty while the first one is to run. */
  readonly by: string;
  /** Its axis that is then of length 0. */
  readonly axis: number;
  /** Name of lengths that the two say in other words. */
  readonly total: string;
}

/**
 * Joins two models with the same results. Inputs that both have are one; the first model does not look at
 * those that only the second has.
 * @throws ConfigError when their results are not of the same names
 */
export function branches(
  first: EncodedModel,
  second: EncodedModel,
  { by, axis, total }: BranchOptions,
): EncodedModel {
  const model = fromBinary(ModelSchema, first.bytes);
  const one = model.graph!;
  const two = fromBinary(ModelSchema, second.bytes).graph!;
  const outputs = one.output.map((o) => o.name);
  if (outputs.join() !== two.output.map((o) => o.name).join()) {
    throw new ConfigError(
      `branches: one model gives ${outputs.join(', ')}, the other ${two.output.map((o) => o.name).join(', ')}.`,
    );
  }
  const constants = new SharedConstants(one, two, [first, second]);
  const types = new Map(two.input.map((v) => [v.name, v]));
  const own = two.input.filter((v) => !one.input.some((i) => i.name === v.name));
  const input = [...one.input.map((v) => widened(v, types.get(v.name), total)), ...own];
  const output = one.output.map((v, i) => widened(v, two.output[i], total));
  const graph = (name: string, g: Graph) => create(AttributeSchema, { name, type: GRAPH, g });
  const int = (name: string, i: number) =>
    create(AttributeSchema, { name, type: INT, i: BigInt(i) });
  const [length, zero, any] = [`${PREFIX}.length`, `${PREFIX}.zero`, `${PREFIX}.any`];
  const node = [
    create(NodeSchema, {
      name: length,
      opType: 'Shape',
      input: [by],
      output: [length],
      attribute: [int('start', axis), int('end', axis + 1)],
    }),
    create(NodeSchema, { name: any, opType: 'Greater', input: [length, zero], output: [any] }),
    create(NodeSchema, {
      name: PREFIX,
      opType: 'If',
      input: [any],
      output: outputs,
      attribute: [
        graph('then_branch', body(two, `${PREFIX}.1`, constants.renamed)),
        graph('else_branch', body(one, `${PREFIX}.0`, new Map())),
      ],
    }),
  ];
  model.graph = create(GraphSchema, {
    name: one.name,
    node,
    initializer: [...constants.list, tensorProto(zero, hostTensor('int64', [1], [0]))],
    input,
    output,
  });
  const shape = (value: ModelValue, other: ModelValue | undefined): ModelValue =>
    other ? { ...value, shape: value.shape.map((d, i) => (d === other.shape[i] ? d : -1)) } : value;
  const given = new Map(second.inputs.map((v) => [v.name, v]));
  return {
    bytes: toBinary(ModelSchema, model),
    external: constants.external,
    inputs: [
      ...first.inputs.map((v) => shape(v, given.get(v.name))),
      ...second.inputs.filter((v) => !first.inputs.some((i) => i.name === v.name)),
    ],
    outputs: first.outputs.map((v, i) => shape(v, second.outputs[i])),
    origins: first.origins,
  };
}
