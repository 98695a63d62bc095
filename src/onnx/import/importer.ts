/** Walks the nodes of an ONNX graph and turns each into Graft operations by its rule. */
import { GraftError, WeightsError } from '../../errors.js';
import {
  constantOf,
  constantValue,
  formatType,
  type HostTensor,
  input,
  inputName,
  isFloat,
  optimize,
  sizeOf,
  substitute,
  Tensor,
  toposort,
  withScope,
} from '../../graph/index.js';
import { nodeLabel, orderNodes } from '../node-order.js';
import type { Graph as GraphProto, Node as NodeProto } from '../proto/onnx_pb.js';
import {
  functionKey,
  NEWEST_OPSET,
  normalDomain,
  OLDEST_OPSET,
  type OnnxModel,
  opsetMap,
} from '../read.js';
import { type ExternalReader, loadTensorProto, tensorProtoType } from '../tensor-value.js';
import { bindAttributes } from './functions.js';
import { definitionAt, importOpaque, type OnnxEvaluator, runNode } from './opaque.js';
import { ruleFor } from './registry.js';
import { type ImportHost, OnnxNode } from './rule.js';
import { kindOf, Scope, type Value } from './values.js';

/**
 * Most nodes after functions and loops are written out: a small file could ask for 2^64. So many
 * for any file, and so many more for each node that the file has.
 */
const MAX_NODES = 50_000;
const MAX_NODES_EACH = 50;
/** Most elements of all tensors of a subgraph that is evaluated while importing. */
const MAX_EVALUATED_ELEMENTS = 2 ** 26;
/** Functions may call functions; deeper than this is recursion. */
const MAX_CALL_DEPTH = 64;

/** A parameter that the import has made. */
export interface ImportedParameter {
  readonly tensor: Tensor;
  /** Its value in the file. */
  readonly value: HostTensor;
}

/** Who reads an initializer, so that a caller can choose which to train. */
export interface InitializerUse {
  readonly opType: string;
  readonly domain: string;
  /** Position among the node's inputs. */
  readonly index: number;
}

/** What a caller sees of an initializer when choosing parameters. */
export interface InitializerInfo {
  readonly name: string;
  readonly dtype: Tensor['dtype'];
  readonly shape: Tensor['shape'];
  readonly uses: readonly InitializerUse[];
}

/** What the walk needs to know. */
export interface ImporterOptions {
  readonly model: OnnxModel;
  readonly external?: ExternalReader | undefined;
  readonly evaluator?: OnnxEvaluator | undefined;
  readonly isParameter: (info: InitializerInfo) => boolean;
}

/** One import of one model. */
export class Importer implements ImportHost {
  readonly parameters = new Map<string, ImportedParameter>();
  /** Operators that were carried through without a rule, with how often. */
  readonly opaqueOps = new Map<string, number>();
  private readonly options: ImporterOptions;
  private readonly known = new Map<Tensor, HostTensor>();
  private readonly calls: string[] = [];
  private opsets: ReadonlyMap<string, number>;
  private readonly maxNodes: number;
  private nodes = 0;

  constructor(options: ImporterOptions) {
    this.options = options;
    this.opsets = options.model.opsets;
    const { graph, functions } = options.model;
    const written = [graph, ...functions.values()].reduce((n, g) => n + g.node.length, 0);
    this.maxNodes = MAX_NODES + MAX_NODES_EACH * written;
  }

  /** Imports the nodes of a graph into `scope`, which holds its inputs, and returns its outputs. */
  async graph(graph: GraphProto, scope: Scope): Promise<Value[]> {
    const inner = new Set(graph.input.map((v) => v.name));
    for (const proto of graph.initializer) {
      inner.add(proto.name);
      let value: Promise<HostTensor> | undefined;
      let tensor: Promise<Tensor> | undefined;
      const load = () => (value ??= loadTensorProto(proto, this.options.external));
      scope.set(proto.name, {
        kind: 'initializer',
        name: proto.name,
        get type() {
          return tensorProtoType(proto);
        },
        load,
        tensor: () => (tensor ??= this.initializer(graph, proto.name, load)),
      });
    }
    const outputs = graph.output.map((v) => v.name);
    await this.run(graph.node, scope, (name) => inner.has(name) || !!scope.get(name), outputs);
    return Promise.all(outputs.map((name) => this.settle(scope.require(name))));
  }

  /** Outputs that are initializers become constants or parameters. */
  private async settle(value: Value): Promise<Value> {
    return !(value instanceof Tensor) && value.kind === 'initializer' ? value.tensor() : value;
  }

  private async run(
    nodes: readonly NodeProto[],
    scope: Scope,
    given: (name: string) => boolean,
    outputs: readonly string[],
  ): Promise<void> {
    for (const proto of orderNodes(nodes, given, outputs)) {
      if (++this.nodes > this.maxNodes) {
        throw new WeightsError(
          `The model grows to more than ${this.maxNodes} nodes once its functions and loops are written out. Graft refuses to go on.`,
          {},
          { code: 'onnx-graph' },
        );
      }
      const results = await this.node(proto, scope);
      for (const [i, name] of proto.output.entries()) {
        const value = results[i];
        if (name !== '' && value) scope.set(name, value);
      }
    }
  }

  private async initializer(
    graph: GraphProto,
    name: string,
    load: () => Promise<HostTensor>,
  ): Promise<Tensor> {
    const value = await load();
    const constant = constantOf(value);
    // Bodies of control flow are imported once a round; what they hold stays constant.
    if (!isFloat(value.dtype) || graph !== this.options.model.graph) return constant;
    const { dtype, shape } = value;
    if (!this.options.isParameter({ name, dtype, shape, uses: this.usesOf(graph, name) })) {
      return constant;
    }
    const tensor = input(name, dtype, shape);
    this.parameters.set(name, { tensor, value });
    return tensor;
  }

  private uses: Map<string, InitializerUse[]> | undefined;

  private usesOf(graph: GraphProto, name: string): readonly InitializerUse[] {
    if (!this.uses) {
      this.uses = new Map();
      for (const node of graph.node) {
        for (const [index, read] of node.input.entries()) {
          const use = { opType: node.opType, domain: normalDomain(node.domain), index };
          const list = this.uses.get(read);
          if (list) list.push(use);
          else this.uses.set(read, [use]);
        }
      }
    }
    return this.uses.get(name) ?? [];
  }

  private async node(proto: NodeProto, scope: Scope): Promise<readonly (Value | undefined)[]> {
    const domain = normalDomain(proto.domain);
    const fn = this.options.model.functions.get(functionKey(domain, proto.opType, proto.overload));
    if (fn) return this.call(proto, functionKey(domain, proto.opType, proto.overload), scope);
    const opset = this.opsets.get(domain);
    if (opset === undefined) {
      throw new WeightsError(
        `${nodeLabel(proto)} belongs to the operator set '${domain}', whose version the file does not say.`,
        { op: proto.opType, domain },
        { code: 'onnx-graph' },
      );
    }
    const node = new OnnxNode(proto, opset, this, scope);
    if (domain === '') this.requireDefined(node);
    await node.prepare();
    try {
      const rule = ruleFor(domain, proto.opType);
      const result = rule ? await inScope(proto.name, () => rule(node)) : await this.opaque(node);
      const list = (Array.isArray(result) ? result : [result]) as readonly (Value | undefined)[];
      return list.map((v) => (v instanceof Tensor ? this.folded(v, node) : v));
    } catch (error) {
      if (error instanceof WeightsError || !(error instanceof GraftError)) throw error;
      throw new WeightsError(
        `${node.label} does not fit its inputs: ${error.message}`,
        { op: proto.opType, node: proto.name, opset },
        { code: 'onnx-node', cause: error },
      );
    }
  }

  /** An operator must exist at the file's opset, and mean what it means to the rules. */
  private requireDefined(node: OnnxNode): void {
    const then = definitionAt(node.opType, node.opset);
    if (then === undefined) {
      node.fail(
        'ONNX has no such operator at this opset. Check the spelling, or give the operator a domain of its own.',
        'onnx-unknown-op',
      );
    }
    if (node.opset < OLDEST_OPSET && then !== definitionAt(node.opType, OLDEST_OPSET)) {
      node.fail(
        `the operator has changed since, and Graft reads opset ${OLDEST_OPSET} to ${NEWEST_OPSET}. Convert the model with onnx.version_converter.convert_version, or export it again.`,
        'onnx-opset',
      );
    }
  }

  /** Folds a result of constants on the spot, so that shape arithmetic never grows. */
  private folded(result: Tensor, node: OnnxNode): Tensor {
    node.checkShape(result.shape);
    if (result.rank > 64) node.fail(`the result has ${result.rank} axes.`);
    if (constantValue(result) || inputName(result) !== null || sizeOf(result.shape) > 4096) {
      return result;
    }
    for (let i = 0; i < node.inputCount; i++) {
      if (!node.has(i)) continue;
      const value = node.value(i);
      if (value instanceof Tensor && !constantValue(value)) return result;
    }
    return optimize([result])[0]!;
  }

  /** Inlines a function of the file. */
  private async call(proto: NodeProto, key: string, scope: Scope): Promise<readonly Value[]> {
    const fn = this.options.model.functions.get(key)!;
    if (this.calls.includes(key) || this.calls.length >= MAX_CALL_DEPTH) {
      throw new WeightsError(
        `The function '${proto.opType}' calls itself, directly or through others.`,
        { function: proto.opType },
        { code: 'onnx-graph' },
      );
    }
    const inner = new Scope();
    for (const [i, name] of fn.input.entries()) {
      const given = proto.input[i] ?? '';
      if (given !== '') inner.set(name, scope.require(given));
    }
    const nodes = bindAttributes(fn, proto);
    const outer = this.opsets;
    this.opsets = new Map([...outer, ...opsetMap(fn.opsetImport)]);
    this.calls.push(key);
    try {
      const absent = new Set(fn.input.filter((name) => !inner.get(name)));
      // An optional input that the caller leaves out reads as absent inside too.
      const body = nodes.map((n) =>
        n.input.some((name) => absent.has(name))
          ? { ...n, input: n.input.map((name) => (absent.has(name) ? '' : name)) }
          : n,
      );
      const wanted = fn.output.filter((_, i) => (proto.output[i] ?? '') !== '');
      await this.run(body, inner, (name) => !!inner.get(name), wanted);
      return fn.output.map((name) => inner.get(name)!);
    } finally {
      this.calls.pop();
      this.opsets = outer;
    }
  }

  async body(graph: GraphProto, inputs: readonly Value[], outer: Scope): Promise<Value[]> {
    const scope = new Scope(outer);
    for (const [i, formal] of graph.input.entries()) {
      const value = inputs[i];
      if (value) scope.set(formal.name, value);
    }
    return this.graph(graph, scope);
  }

  async runNode(node: OnnxNode, inputs: readonly (HostTensor | null)[]): Promise<HostTensor[]> {
    return runNode(node, this.options.evaluator, this.opsets, inputs);
  }

  async opaque(node: OnnxNode): Promise<Value[]> {
    const op = node.proto.domain ? `${node.proto.domain}.${node.opType}` : node.opType;
    this.opaqueOps.set(op, (this.opaqueOps.get(op) ?? 0) + 1);
    return importOpaque(node, this.options.evaluator, this.opsets);
  }

  isKnown(tensor: Tensor): boolean {
    return constantValue(tensor) !== null || this.fedBy(tensor).length === 0;
  }

  /** Names of the fed inputs that a tensor depends on. */
  private fedBy(tensor: Tensor): string[] {
    const names: string[] = [];
    for (const { outputs } of toposort([tensor])) {
      const name = outputs[0] && inputName(outputs[0]);
      if (name && this.parameters.get(name)?.tensor !== outputs[0]) names.push(name);
    }
    return names;
  }

  async constant(tensor: Tensor, reader: string): Promise<HostTensor> {
    const direct = constantValue(tensor) ?? this.known.get(tensor);
    if (direct) return direct;
    const fed = this.fedBy(tensor);
    if (fed.length > 0) {
      throw new WeightsError(
        `${reader} while importing, because shapes are static, but it depends on ${fed.map((n) => `'${n}'`).join(', ')}. Give that input a fixed value with the option constants.`,
        { inputs: fed },
        { code: 'onnx-dynamic' },
      );
    }
    const values = new Map(
      [...this.parameters.values()].map((p) => [p.tensor, constantOf(p.value)] as const),
    );
    const folded = optimize(values.size > 0 ? substitute([tensor], values) : [tensor])[0]!;
    const value = constantValue(folded) ?? (await this.evaluate(folded, reader));
    this.known.set(tensor, value);
    return value;
  }

  private async evaluate(tensor: Tensor, reader: string): Promise<HostTensor> {
    const { evaluator } = this.options;
    if (!evaluator) {
      throw new WeightsError(
        `${reader} while importing; it is computed by operations that only a runtime can evaluate. Import through importOnnx(engine, ...).`,
        { type: formatType(tensor) },
        { code: 'onnx-evaluator' },
      );
    }
    let total = 0;
    for (const { op, outputs } of toposort([tensor])) {
      for (const t of outputs) total += sizeOf(t.shape);
      if (op.name === 'onnx.Loop') {
        throw new WeightsError(
          `${reader} while importing, but a loop of too many rounds to write out computes it; it might not end.`,
          {},
          { code: 'onnx-graph' },
        );
      }
    }
    if (total > MAX_EVALUATED_ELEMENTS) {
      throw new WeightsError(
        `${reader} while importing, but computing it takes tensors of ${total} elements; at most ${MAX_EVALUATED_ELEMENTS} are allowed.`,
        { elements: total },
        { code: 'onnx-graph' },
      );
    }
    return (await evaluator.evaluate([tensor]))[0]!;
  }
}

/** Rules may be asynchronous, and a scope must not leak into what runs in between. */
function inScope<T>(name: string, fn: () => T): T {
  return name ? withScope(name, fn) : fn();
}

/** A value that must be a tensor, as the outputs of a model are. */
export function requireTensor(value: Value, what: string): Tensor {
  if (value instanceof Tensor) return value;
  if (value.kind === 'optional' && value.value) return requireTensor(value.value, what);
  throw new WeightsError(
    `${what} is a ${kindOf(value)}; only tensors can leave a graph.`,
    {},
    { code: 'onnx-kind' },
  );
}
