/**
 * Writes a graph as an ONNX model. Large constants are not copied into the model: they are handed
 * over beside it as external data, so that weights of any size (over 2 GiB too) fit.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { ConfigError } from '../errors.js';
import {
  byteSize,
  type DType,
  filled,
  formatType,
  type GraphBody,
  type HostTensor,
  hostTensor,
  identityOf,
  inputName,
  type Node,
  type OnnxAttr,
  type OnnxEmitter,
  type OnnxSubgraph,
  type OnnxTarget,
  type Tensor,
  type TensorData,
  type TensorType,
  toposort,
} from '../graph/index.js';
import { BLOCKED_DOMAIN, onnxDType } from '../ops/index.js';
import {
  type Attribute,
  AttributeSchema,
  type Graph,
  GraphSchema,
  ModelSchema,
  type Node as NodeProto,
  NodeSchema,
  type Tensor as TensorProto,
  TensorSchema,
  ValueInfoSchema,
} from './proto/onnx_pb.js';
import { neededNodes } from './prune.js';

/** Opset of the default domain that Graft writes. */
export const OPSET = 21;
/** IR version that goes with {@link OPSET}. */
const IR_VERSION = 10n;
/**
 * Opset and IR version of portable models: older, so that more runtimes know them, and new enough
 * for Gelu. Operators are written alike in both opsets.
 */
const PORTABLE_OPSET = 20;
const PORTABLE_IR_VERSION = 9n;
/** Operators that {@link OPSET} defines anew; a file that carries one cannot be of an older opset. */
const DEFINED_ANEW = new Set([
  'DequantizeLinear',
  'GroupNormalization',
  'QLinearMatMul',
  'QuantizeLinear',
]);
/** Constants of at least this many bytes are kept outside the model. */
const EXTERNAL_BYTES = 4096;

/** A large constant that travels beside the model. */
export interface ExternalData {
  /** The name under which the model refers to it. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** A value that is fed to or fetched from a model. */
export interface ModelValue extends TensorType {
  /** Name of the placeholder or result. */
  readonly name: string;
  /** Name in the model: numbered, unless `keepNames` was asked for. */
  readonly onnxName: string;
}

/** An encoded model. */
export interface EncodedModel {
  readonly bytes: Uint8Array;
  readonly external: readonly ExternalData[];
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
  /** For each ONNX node name, the graph node it came from; for messages and profiles. */
  readonly origins: ReadonlyMap<string, Node>;
}

/** What to encode. */
export interface EncodeOptions {
  /** Results by the names under which they are fetched. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly target?: OnnxTarget;
  /** See `OnnxEmitter.channelBlock`; a model made with it is for this machine only. Defaults to 0. */
  readonly channelBlock?: number;
  /**
   * Use the names of placeholders and results in the model. By default they are numbered, so that
   * graphs of equal structure encode to equal bytes; a file for others wants names.
   */
  readonly keepNames?: boolean;
  /** Names of constants by their data; the others are numbered. */
  readonly constantNames?: ReadonlyMap<TensorData, string>;
}

function bytesOf(value: HostTensor): Uint8Array {
  const { data } = value;
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
}

/** Name and type of a value. */
export function valueInfo(name: string, type: TensorType) {
  return create(ValueInfoSchema, {
    name,
    type: {
      value: {
        case: 'tensorType',
        value: {
          elemType: onnxDType(type.dtype),
          shape: {
            dim: type.shape.map((d) => ({
              value: { case: 'dimValue' as const, value: BigInt(d) },
            })),
          },
        },
      },
    },
  });
}

const utf8 = new TextEncoder();

// AttributeProto.AttributeType of the IR specification.
function attribute(name: string, attr: OnnxAttr): Attribute {
  if ('int' in attr) return create(AttributeSchema, { name, type: 2, i: BigInt(attr.int) });
  if ('ints' in attr)
    return create(AttributeSchema, { name, type: 7, ints: attr.ints.map(BigInt) });
  if ('float' in attr) return create(AttributeSchema, { name, type: 1, f: attr.float });
  if ('floats' in attr) {
    return create(AttributeSchema, { name, type: 6, floats: [...attr.floats] });
  }
  if ('string' in attr) {
    return create(AttributeSchema, { name, type: 3, s: utf8.encode(attr.string) });
  }
  if ('strings' in attr) {
    return create(AttributeSchema, {
      name,
      type: 8,
      strings: attr.strings.map((s) => utf8.encode(s)),
    });
  }
  if ('tensor' in attr) {
    return create(AttributeSchema, { name, type: 4, t: tensorProto('', attr.tensor) });
  }
  if ('proto' in attr) return { ...(attr.proto as Attribute), name };
  return create(AttributeSchema, { name, type: 5, g: attr.graph.proto as Graph });
}

/** A tensor with its values inside the message. */
export function tensorProto(name: string, value: HostTensor): TensorProto {
  return create(TensorSchema, {
    name,
    dims: value.shape.map(BigInt),
    dataType: onnxDType(value.dtype),
    rawData: bytesOf(value),
  });
}

/** What the encoders of a graph and of its bodies share. */
interface Shared {
  readonly target: OnnxTarget;
  readonly channelBlock: number;
  readonly external: ExternalData[];
  readonly origins: Map<string, Node>;
  readonly initializers: TensorProto[];
  readonly constants: Map<string, string>;
  /** Operator set version of each domain. */
  readonly opsets: Map<string, number>;
  /** Put before names that the encoder makes up, where names of the caller stand beside them. */
  readonly prefix: string;
  /** Names that are still to be given. */
  readonly constantNames: Map<TensorData, string>;
  next: number;
}

class GraphEncoder implements OnnxEmitter {
  readonly target: OnnxTarget;
  readonly channelBlock: number;
  nodes: NodeProto[] = [];
  private readonly shared: Shared;
  private readonly names: Map<Tensor, string>;
  private readonly usedTensors = new Set<Tensor>();
  private readonly declared = new Map<string, TensorType>();
  /** Names that bodies read from this graph. */
  private readonly captured = new Set<string>();
  private current: Node | null = null;

  constructor(shared: Shared, names: Map<Tensor, string>) {
    this.shared = shared;
    this.target = shared.target;
    this.channelBlock = shared.channelBlock;
    this.names = names;
  }

  /** Emits everything that `outputs` need; afterwards each of them has a name. */
  emit(outputs: readonly Tensor[]): void {
    const order = toposort(outputs);
    for (const t of outputs) this.usedTensors.add(t);
    for (const node of order) for (const t of node.inputs) this.usedTensors.add(t);
    for (const node of order) {
      if (node.outputs.every((t) => this.names.has(t))) continue;
      this.current = node;
      const made = node.op.spec.onnx(this, node);
      const list = typeof made === 'string' ? [made] : made;
      for (const [i, t] of node.outputs.entries()) this.names.set(t, list[i] ?? '');
    }
    this.current = null;
  }

  opset(domain: string, version: number): void {
    const { opsets } = this.shared;
    opsets.set(domain, Math.max(opsets.get(domain) ?? 1, version));
  }

  name(tensor: Tensor): string {
    const name = this.names.get(tensor);
    if (name === undefined) {
      throw new ConfigError(
        inputName(tensor) === null
          ? `encode: ${tensor.node.describe()} is read before it is written.`
          : `encode: placeholder '${inputName(tensor)}' (${formatType(tensor)}) is read by a body that does not list it.`,
      );
    }
    return name;
  }

  used(tensor: Tensor): boolean {
    return this.usedTensors.has(tensor);
  }

  node(
    opType: string,
    inputs: readonly string[],
    attrs: Readonly<Record<string, OnnxAttr>> = {},
    options: { readonly domain?: string; readonly outputs?: number | readonly boolean[] } = {},
  ): string[] {
    const { domain = '', outputs = 1 } = options;
    if (domain === '' && DEFINED_ANEW.has(opType)) this.opset('', OPSET);
    if (this.target === 'portable' && domain !== '') {
      throw new ConfigError(
        `encode: ${this.current?.describe() ?? opType} is the operator ${opType} of '${domain}', which is not in the ONNX standard: a portable file cannot hold it. Replace the layer.`,
        { opType, domain },
      );
    }
    const mask = typeof outputs === 'number' ? new Array<boolean>(outputs).fill(true) : outputs;
    const id = this.shared.next++;
    const output = mask.map((wanted, i) =>
      wanted ? `${this.shared.prefix}v${id}${i ? `_${i}` : ''}` : '',
    );
    const name = `n${id}_${opType}`;
    if (this.current) this.shared.origins.set(name, this.current);
    this.nodes.push(
      create(NodeSchema, {
        name,
        opType,
        domain,
        input: [...inputs],
        output,
        attribute: Object.entries(attrs).map(([key, value]) => attribute(key, value)),
      }),
    );
    return output;
  }

  one(
    opType: string,
    inputs: readonly string[],
    attrs: Readonly<Record<string, OnnxAttr>> = {},
    domain = '',
  ): string {
    return this.node(opType, inputs, attrs, { domain })[0]!;
  }

  constant(value: HostTensor): string {
    const { shared } = this;
    const large = byteSize(value) >= EXTERNAL_BYTES;
    const key = `${formatType(value)}${large ? `@${identityOf(value.data)}` : `:${bytesOf(value).join(',')}`}`;
    const known = shared.constants.get(key);
    if (known !== undefined) return known;
    const given = shared.constantNames.get(value.data);
    // The same values in another shape are a constant of their own.
    shared.constantNames.delete(value.data);
    const name = given ?? `${shared.prefix}c${shared.constants.size}`;
    shared.constants.set(key, name);
    if (large) {
      shared.external.push({ path: name, data: bytesOf(value) });
      shared.initializers.push(
        create(TensorSchema, {
          name,
          dims: value.shape.map(BigInt),
          dataType: onnxDType(value.dtype),
          dataLocation: 1,
          externalData: [
            { key: 'location', value: name },
            { key: 'offset', value: '0' },
            { key: 'length', value: String(byteSize(value)) },
          ],
        }),
      );
    } else {
      shared.initializers.push(tensorProto(name, value));
    }
    return name;
  }

  ints(values: readonly number[]): string {
    return this.constant(hostTensor('int64', [values.length], values));
  }

  scalar(dtype: DType, value: number): string {
    return this.constant(filled(dtype, [], value));
  }

  declare(name: string, type: TensorType): void {
    this.declared.set(name, type);
  }

  /** Declared types of the values that still have the name they were declared under. */
  declarations() {
    const produced = new Set(this.nodes.flatMap((n) => n.output));
    return [...this.declared]
      .filter(([name]) => produced.has(name))
      .map(([name, type]) => valueInfo(name, type));
  }

  subgraph(body: GraphBody, captured: ReadonlyMap<Tensor, string> = new Map()): OnnxSubgraph {
    const names = new Map<Tensor, string>(captured);
    for (const name of captured.values()) this.captured.add(name);
    const inputs = body.inputs.filter((t) => !captured.has(t));
    for (const t of inputs) names.set(t, `${this.shared.prefix}b${this.shared.next++}`);
    const encoder = new GraphEncoder(this.shared, names);
    encoder.current = this.current;
    encoder.emit(body.outputs);
    const output = encoder.finish(
      body.outputs,
      body.outputs.map(() => `${this.shared.prefix}r${this.shared.next++}`),
    );
    const proto = create(GraphSchema, {
      name: 'body',
      node: encoder.nodes,
      input: inputs.map((t) => valueInfo(names.get(t)!, t)),
      output,
      valueInfo: encoder.declarations(),
    });
    return { proto };
  }

  /** Gives each output its own name, and leaves out what none of them needs. */
  finish(outputs: readonly Tensor[], names: readonly string[]) {
    const produced = new Map<string, NodeProto>();
    for (const node of this.nodes) for (const out of node.output) produced.set(out, node);
    const renamed = new Map<string, string>();
    const readers = new Map<string, NodeProto[]>();
    for (const node of this.nodes) {
      for (const name of new Set(node.input)) {
        const list = readers.get(name);
        if (list) list.push(node);
        else readers.set(name, [node]);
      }
    }
    const values = outputs.map((t, i) => {
      const inner = this.name(t);
      const name = names[i]!;
      const node = produced.get(inner);
      // A value is renamed where it is made and read. What a body reads by name, a second fetch of
      // the same value, and a fetched input go through Identity, which is a copy.
      if (node && !this.captured.has(inner) && !renamed.has(inner)) {
        const rename = (n: string) => (n === inner ? name : n);
        node.output = node.output.map(rename);
        for (const reader of readers.get(inner) ?? []) reader.input = reader.input.map(rename);
        renamed.set(inner, name);
        this.names.set(t, name);
      } else {
        this.nodes.push(
          create(NodeSchema, {
            name: `out_${name}`,
            opType: 'Identity',
            // Two tensors can have one name (stopGradient(x) and x), so it may be renamed by now.
            input: [renamed.get(inner) ?? inner],
            output: [name],
          }),
        );
      }
      return valueInfo(name, t);
    });
    this.nodes = neededNodes(this.nodes, [...names, ...this.captured]);
    return values;
  }
}

/**
 * Encodes the graph of `outputs`. Placeholders become inputs under their own names.
 * @throws ConfigError when two placeholders share a name, or the target is `portable` and an
 *   operator is not in the ONNX standard
 */
export function encode({
  outputs,
  target = 'cpu',
  channelBlock = 0,
  keepNames = false,
  constantNames = new Map(),
}: EncodeOptions): EncodedModel {
  const portable = target === 'portable';
  const shared: Shared = {
    target,
    channelBlock,
    external: [],
    origins: new Map(),
    initializers: [],
    constants: new Map(),
    opsets: new Map([
      ['', portable ? PORTABLE_OPSET : OPSET],
      ...(portable ? [] : ([['com.microsoft', 1]] as const)),
      ...(channelBlock > 0 ? ([[BLOCKED_DOMAIN, 1]] as const) : []),
    ]),
    prefix: keepNames ? 'graft.' : '',
    constantNames: new Map(constantNames),
    next: 0,
  };
  const names = new Map<Tensor, string>();
  const inputs: ModelValue[] = [];
  const seen = new Set<string>();
  const results = Object.values(outputs);
  for (const node of toposort(results)) {
    const t = node.outputs[0];
    const name = t && inputName(t);
    if (!name) continue;
    if (seen.has(name)) {
      throw new ConfigError(`encode: two placeholders are both named '${name}'.`, { name });
    }
    seen.add(name);
    const onnxName = keepNames ? name : `i${inputs.length}`;
    names.set(t, onnxName);
    inputs.push({ name, onnxName, dtype: t.dtype, shape: t.shape });
  }
  const encoder = new GraphEncoder(shared, names);
  encoder.emit(results);
  const values = Object.entries(outputs).map(
    ([name, t], i): ModelValue => ({
      name,
      onnxName: keepNames ? name : `o${i}`,
      dtype: t.dtype,
      shape: t.shape,
    }),
  );
  const output = encoder.finish(
    results,
    values.map((v) => v.onnxName),
  );
  const model = create(ModelSchema, {
    irVersion: shared.opsets.get('')! > PORTABLE_OPSET ? IR_VERSION : PORTABLE_IR_VERSION,
    producerName: 'graftml',
    opsetImport: [...shared.opsets].map(([domain, version]) => ({
      domain,
      version: BigInt(version),
    })),
    graph: create(GraphSchema, {
      name: 'graft',
      node: encoder.nodes,
      initializer: shared.initializers,
      input: inputs.map((t) => valueInfo(t.onnxName, t)),
      output,
      valueInfo: encoder.declarations(),
    }),
  });
  return {
    bytes: toBinary(ModelSchema, model),
    external: shared.external,
    inputs,
    outputs: values,
    origins: shared.origins,
  };
}
