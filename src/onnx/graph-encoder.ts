/** Writes the nodes of a graph, and of the bodies in it, as ONNX nodes. */
import { create } from '@bufbuild/protobuf';
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
import { onnxDType } from '../ops/index.js';
import {
  GraphSchema,
  type Node as NodeProto,
  NodeSchema,
  type Tensor as TensorProto,
  TensorSchema,
} from './proto/onnx_pb.js';
import { attribute, bytesOf, tensorProto, valueInfo } from './proto-parts.js';
import { neededNodes } from './prune.js';

/** Opset of the default domain that Graft writes. */
export const OPSET = 21;
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

/** What the encoders of a graph and of its bodies share. */
export interface Shared {
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

/** Writes one graph or body; names of what was written already are shared with the caller. */
export class GraphEncoder implements OnnxEmitter {
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
