/** What a rule, which turns one ONNX node into Graft operations, gets to see. */
import { WeightsError } from '../../errors.js';
import {
  type DType,
  formatType,
  type HostTensor,
  sizeOf,
  Tensor,
  type TensorType,
  toNumbers,
} from '../../graph/index.js';
import { nodeLabel } from '../node-order.js';
import type { Attribute, Graph as GraphProto, Node as NodeProto } from '../proto/onnx_pb.js';
import { MAX_ELEMENTS, requireDTypeNumber, tensorProtoValue } from '../tensor-value.js';
import { type NativeSpec, nativeNode } from './native.js';
import { kindOf, type Scope, type Value } from './values.js';

/** What rules may ask of the import as a whole. */
export interface ImportHost {
  /** Values of a tensor that must be known while importing. */
  constant(tensor: Tensor, reader: string): Promise<HostTensor>;
  /** True when the tensor depends on constants and parameters only. */
  isKnown(tensor: Tensor): boolean;
  /**
   * Imports a body graph.
   * @param inputs values of its formal inputs, in order
   * @param outer names that it may read from around it
   */
  body(graph: GraphProto, inputs: readonly Value[], outer: Scope): Promise<Value[]>;
  /** Carries a node through as it is, for forms of an operator that its rule does not cover. */
  opaque(node: OnnxNode): Promise<Value[]>;
  /** Runs a node on known values and returns its results. */
  runNode(node: OnnxNode, inputs: readonly (HostTensor | null)[]): Promise<HostTensor[]>;
}

/** Turns a node into values, one for each of its outputs; `undefined` for one that nothing reads. */
export type Rule = (node: OnnxNode) => RuleResult | Promise<RuleResult>;

/** One value is short for a list of one. */
export type RuleResult = Value | readonly (Value | undefined)[];

/** Rules of one family by operator. */
export type Rules = Readonly<Record<string, Rule>>;

/** Most elements that a rule takes as an argument (axes, pads, sizes): nobody means more. */
const MAX_ARGUMENT_ELEMENTS = 1_000_000;

const utf8 = new TextDecoder();

/** A node of the file with its inputs resolved. */
export class OnnxNode {
  readonly proto: NodeProto;
  /** Version of the operator set of the node's domain. */
  readonly opset: number;
  readonly host: ImportHost;
  readonly scope: Scope;
  private readonly attributes = new Map<string, Attribute>();
  private readonly inputs: readonly (Value | undefined)[];
  private readonly tensors = new Map<number, Tensor>();

  constructor(proto: NodeProto, opset: number, host: ImportHost, scope: Scope) {
    this.proto = proto;
    this.opset = opset;
    this.host = host;
    this.scope = scope;
    for (const a of proto.attribute) {
      if (this.attributes.has(a.name)) this.fail(`attribute '${a.name}' is given twice.`);
      this.attributes.set(a.name, a);
    }
    this.inputs = proto.input.map((name) => (name === '' ? undefined : scope.require(name)));
  }

  /** Turns initializers among the inputs into tensors, so that rules can ask for them at once. */
  async prepare(): Promise<void> {
    for (const [i, value] of this.inputs.entries()) {
      if (value === undefined || value instanceof Tensor || value.kind !== 'initializer') continue;
      this.tensors.set(i, await value.tensor());
    }
  }

  get opType(): string {
    return this.proto.opType;
  }

  /** `Conv 'layer1.conv' of opset 13`. */
  get label(): string {
    return `${nodeLabel(this.proto)} of opset ${this.opset}`;
  }

  /** Number of inputs that are written, absent ones in between included. */
  get inputCount(): number {
    return this.inputs.length;
  }

  /** Number of outputs that are written. */
  get outputCount(): number {
    return this.proto.output.length;
  }

  /** True when output `i` has a name, so that something may read it. */
  wants(i: number): boolean {
    return (this.proto.output[i] ?? '') !== '';
  }

  /** @throws WeightsError always */
  fail(message: string, code = 'onnx-node'): never {
    throw new WeightsError(
      `${this.label}: ${message}`,
      { op: this.opType, node: this.proto.name, opset: this.opset },
      { code },
    );
  }

  /** True when input `i` is given. */
  has(i: number): boolean {
    return this.inputs[i] !== undefined;
  }

  /** Input `i`, whatever it is. */
  value(i: number): Value {
    return this.inputs[i] ?? this.fail(`input ${i} is missing.`);
  }

  /** Input `i` as a tensor. */
  tensor(i: number): Tensor {
    const value = this.optional(i);
    return value ?? this.fail(`input ${i} is missing.`);
  }

  /** Input `i` as a tensor, or undefined when it is absent. */
  optional(i: number): Tensor | undefined {
    const value = this.inputs[i];
    if (value === undefined) return undefined;
    if (value instanceof Tensor) return value;
    const made = this.tensors.get(i);
    if (made) return made;
    if (value.kind === 'optional' && value.value instanceof Tensor) return value.value;
    return this.fail(`input ${i} is a ${kindOf(value)}; expected a tensor.`);
  }

  /** All inputs as tensors. */
  all(): Tensor[] {
    return this.inputs.map((_, i) => this.tensor(i));
  }

  /** Type of input `i`. */
  type(i: number): TensorType {
    const value = this.inputs[i];
    if (value && !(value instanceof Tensor) && value.kind === 'initializer') return value.type;
    return this.tensor(i);
  }

  /** Values of input `i`, which must not depend on what is fed. */
  async constant(i: number): Promise<HostTensor> {
    const value = this.value(i);
    if (!(value instanceof Tensor) && value.kind === 'initializer') return value.load();
    return this.host.constant(this.tensor(i), `${this.label} needs its input ${i}`);
  }

  /** True when {@link OnnxNode.constant} can answer. */
  isKnown(i: number): boolean {
    const value = this.value(i);
    if (!(value instanceof Tensor) && value.kind === 'initializer') return true;
    return this.host.isKnown(this.tensor(i));
  }

  /** Values of input `i` as numbers, for axes, pads, sizes and scales. */
  async numbers(i: number): Promise<number[]> {
    const type = this.type(i);
    if (sizeOf(type.shape) > MAX_ARGUMENT_ELEMENTS) {
      this.fail(`input ${i} is ${formatType(type)}, far more than an argument can have.`);
    }
    return toNumbers(await this.constant(i));
  }

  /** Input `i` as a list of integers. */
  async intsAt(i: number): Promise<number[]> {
    const values = await this.numbers(i);
    for (const v of values)
      if (!Number.isInteger(v)) this.fail(`input ${i} holds ${v}, not an integer.`);
    return values;
  }

  /** Input `i` as one number; the fallback when it is absent. */
  async numberAt(i: number, fallback?: number): Promise<number> {
    if (!this.has(i)) return fallback ?? this.fail(`input ${i} is missing.`);
    const values = await this.numbers(i);
    if (values.length !== 1) this.fail(`input ${i} must be one number, got ${values.length}.`);
    return values[0]!;
  }

  private attribute(name: string, type: number): Attribute | undefined {
    const a = this.attributes.get(name);
    // Files of early producers leave the type out.
    if (a && a.type !== type && a.type !== 0) {
      this.fail(`attribute '${name}' has type number ${a.type}; expected ${type}.`);
    }
    return a;
  }

  private orFail<T>(value: T | undefined, name: string): T {
    return value ?? this.fail(`attribute '${name}' is missing.`);
  }

  private integer(value: bigint, name: string): number {
    // Exporters write "to the end" as the largest int64; anything that large means the same.
    const n = Number(value);
    if (Math.abs(n) > Number.MAX_SAFE_INTEGER) return Math.sign(n) * Number.MAX_SAFE_INTEGER;
    if (Number.isNaN(n)) this.fail(`attribute '${name}' is not a number.`);
    return n;
  }

  hasAttribute(name: string): boolean {
    return this.attributes.has(name);
  }

  int(name: string, fallback?: number): number {
    const a = this.attribute(name, 2);
    return a ? this.integer(a.i, name) : this.orFail(fallback, name);
  }

  /** An integer attribute that is a switch. */
  flag(name: string, fallback = false): boolean {
    return this.int(name, fallback ? 1 : 0) !== 0;
  }

  float(name: string, fallback?: number): number {
    return this.attribute(name, 1)?.f ?? this.orFail(fallback, name);
  }

  string(name: string, fallback?: string): string {
    const a = this.attribute(name, 3);
    return a ? utf8.decode(a.s) : this.orFail(fallback, name);
  }

  ints(name: string, fallback?: readonly number[]): readonly number[] {
    const a = this.attribute(name, 7);
    return a ? a.ints.map((v) => this.integer(v, name)) : this.orFail(fallback, name);
  }

  floats(name: string, fallback?: readonly number[]): readonly number[] {
    return this.attribute(name, 6)?.floats ?? this.orFail(fallback, name);
  }

  strings(name: string, fallback?: readonly string[]): readonly string[] {
    return (
      this.attribute(name, 8)?.strings.map((s) => utf8.decode(s)) ?? this.orFail(fallback, name)
    );
  }

  /** A tensor attribute; undefined when absent. */
  tensorAttribute(name: string): HostTensor | undefined {
    const t = this.attribute(name, 4)?.t;
    return t && tensorProtoValue(t, `Attribute '${name}' of ${this.label}`);
  }

  graph(name: string): GraphProto {
    return this.orFail(this.attribute(name, 5)?.g, name);
  }

  /** An attribute that names an element type. */
  dtype(name: string, fallback?: DType): DType {
    if (fallback !== undefined && !this.attributes.has(name)) return fallback;
    return requireDTypeNumber(this.int(name), `${this.label}, attribute '${name}',`);
  }

  /**
   * Axes given as an attribute before `since`, as input `i` from then on.
   * @returns undefined when they are not given
   */
  async axes(i: number, since: number): Promise<readonly number[] | undefined> {
    if (this.opset < since) return this.hasAttribute('axes') ? this.ints('axes') : undefined;
    return this.has(i) ? this.intsAt(i) : undefined;
  }

  /** An axis as an index from 0. */
  axis(axis: number, rank: number): number {
    const at = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(axis) || at < 0 || at >= rank) {
      this.fail(`axis ${axis} is out of range for a tensor with ${rank} axes.`);
    }
    return at;
  }

  /** Throws unless `shape` is one that a tensor can have. */
  checkShape(shape: readonly number[]): readonly number[] {
    let total = 1;
    for (const d of shape) {
      if (!Number.isInteger(d) || d < 0)
        this.fail(`the result would have shape [${shape.join(',')}].`);
      total *= Math.max(1, d);
    }
    if (total > MAX_ELEMENTS) {
      this.fail(`the result would have shape [${shape.join(',')}], more than 2^40 elements.`);
    }
    return shape;
  }

  /** A node that ONNX Runtime runs as it is; see {@link nativeNode}. */
  native(spec: Omit<NativeSpec, 'label' | 'opset'>): readonly Tensor[] {
    for (const type of spec.outputs) this.checkShape(type.shape);
    return nativeNode({ ...spec, label: this.proto.name, opset: this.opset });
  }
}
