/**
 * Takes sizes out of an encoded model. Graphs have static shapes, so a graph is encoded for several sizes of
 * its free axes (the batch, the tokens of a text); where the models differ, the sizes are what differs, and
 * they are written in their place. Whatever else differs is refused: then the form of the graph depends on them.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ConfigError } from '../errors.js';
import type { HostTensor } from '../graph/index.js';
import { dtypeOfOnnx } from '../ops/index.js';
import type { EncodedModel, ModelValue } from './encode.js';
import { freeConstant } from './free-constants.js';
import { type AxisPlace, FreeShapes } from './free-shapes.js';
import {
  isFixed,
  type Length,
  lengthOf,
  nameOf,
  type Sizes,
  type Traced,
  tracedAt,
} from './lengths.js';
import {
  AttributeSchema,
  type Graph,
  type Model,
  ModelSchema,
  type Node as NodeProto,
  type Tensor as TensorProto,
  type ValueInfo,
} from './proto/onnx_pb.js';
import type { Block } from './repeated-block.js';

/** One graph, encoded for these sizes. */
export interface SizedModel {
  readonly sizes: Sizes;
  readonly model: EncodedModel;
}

/** Options of {@link freeAxes}. */
export interface FreeAxesOptions {
  /** Tables that have an end, of which a constant may be the first rows; asked for when needed. */
  readonly tables?: () => readonly HostTensor[];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset) return a.length === b.length;
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

/** Elements of a shape or a list of axes. */
function int64Values(bytes: Uint8Array): number[] {
  // Copied: it lies anywhere in the file, and a Buffer's slice would be a view.
  return Array.from(new BigInt64Array(new Uint8Array(bytes).buffer), Number);
}

/** Constants of a model with their bytes, wherever those lie. */
class Constants {
  readonly list: readonly TensorProto[];
  private readonly external: ReadonlyMap<string, Uint8Array>;

  constructor(graph: Graph, { external }: EncodedModel) {
    this.list = graph.initializer;
    this.external = new Map(external.map((e) => [e.path, e.data]));
  }

  block(at: number): Block {
    const tensor = this.list[at]!;
    return {
      bytes: this.external.get(tensor.name) ?? tensor.rawData,
      dims: tensor.dims.map(Number),
    };
  }
}

class AxisFreer {
  private readonly models: readonly SizedModel[];
  private readonly traced: Traced;
  private readonly proto: Model;
  private readonly graph: Graph;
  private readonly others: readonly Graph[];
  private readonly tables: NonNullable<FreeAxesOptions['tables']>;
  /** What stands in the place of constants. */
  private readonly shapes = new FreeShapes((axis) => this.place(axis));

  constructor(models: readonly SizedModel[], { tables = () => [] }: FreeAxesOptions) {
    this.models = models;
    const traced = tracedAt(models.map((m) => m.sizes));
    if (!traced) {
      throw new ConfigError('freeAxes: each axis needs an encoding in which it alone is another.');
    }
    this.traced = traced;
    this.proto = fromBinary(ModelSchema, models[0]!.model.bytes);
    this.graph = this.proto.graph!;
    this.others = models.slice(1).map(({ model }) => fromBinary(ModelSchema, model.bytes).graph!);
    this.tables = tables;
  }

  run(): EncodedModel {
    const { graph, models } = this;
    this.checkNodes();
    this.freeConstants();
    for (const list of ['input', 'output', 'valueInfo'] as const) {
      if (this.others.some((g) => g[list].length !== graph[list].length)) {
        this.refuse('it has other values');
      }
      for (const [i, value] of graph[list].entries()) {
        this.freeType([value, ...this.others.map((g) => g[list][i]!)]);
      }
    }
    graph.node = [...this.shapes.nodes, ...graph.node];
    const kept = new Set(graph.initializer.map((t) => t.name));
    graph.initializer = [...graph.initializer, ...this.shapes.initializers];
    const [{ model }] = models as [SizedModel];
    const free = (list: 'inputs' | 'outputs') =>
      model[list].map(
        (value, at): ModelValue => ({
          ...value,
          shape: value.shape.map((d, i) =>
            models.every((m) => m.model[list][at]!.shape[i] === d) ? d : -1,
          ),
        }),
      );
    return {
      ...model,
      external: model.external.filter(({ path }) => kept.has(path)),
      bytes: toBinary(ModelSchema, this.proto),
      inputs: free('inputs'),
      outputs: free('outputs'),
    };
  }

  private refuse(what: string): never {
    const axes = [...this.traced.varied.keys()];
    const fixed = axes.length === 1 ? `a fixed ${axes[0]}` : 'fixed sizes';
    throw new ConfigError(
      `The model takes another form when the ${axes.join(' or the ')} is another: ${what}. Export it for ${fixed}.`,
      { axes },
      'batch-dependent',
    );
  }

  /** A length that the models give, one each. */
  private length(values: readonly number[], where: () => string): Length {
    const found = lengthOf(values, this.traced);
    if (found) return found;
    const { sizes } = this.traced;
    const other = values.findIndex((v) => v !== values[0]);
    const numbers = Object.values(sizes[other]!).join(' x ');
    const named = Object.entries(sizes[0]!).map(([axis, n]) => `${axis} ${n}`);
    return this.refuse(
      `${where()} holds ${values[0]} at ${named.join(' x ')} and ${values[other]} at ${numbers}`,
    );
  }

  private describe(node: NodeProto): string {
    return this.models[0]!.model.origins.get(node.name)?.describe() ?? node.name;
  }

  private checkNodes(): void {
    const { graph, others } = this;
    const attributes = (n: NodeProto) => n.attribute.map((a) => toBinary(AttributeSchema, a));
    for (const other of others) {
      for (const [i, node] of graph.node.entries()) {
        const theirs = other.node[i];
        const same =
          theirs &&
          node.opType === theirs.opType &&
          node.domain === theirs.domain &&
          sameList(node.input, theirs.input) &&
          sameList(node.output, theirs.output);
        if (!same) this.refuse(`at ${this.describe(node)} other operators follow`);
        const [mine, yours] = [attributes(node), attributes(theirs)];
        if (mine.length !== yours.length || !mine.every((a, k) => sameBytes(a, yours[k]!))) {
          this.refuse(`an attribute of ${node.opType} (${this.describe(node)}) depends on it`);
        }
      }
      if (other.node.length !== graph.node.length) this.refuse('it has other operators at its end');
    }
  }

  private freeConstants(): void {
    const { graph, others, models } = this;
    const all = [graph, ...others].map((g, i) => new Constants(g, models[i]!.model));
    const [mine, ...theirs] = all as [Constants, ...Constants[]];
    if (theirs.some((c) => c.list.length !== mine.list.length))
      this.refuse('it has other constants');
    graph.initializer = graph.initializer.filter((tensor, i) => {
      const { name, dataType } = tensor;
      if (theirs.some(({ list }) => list[i]!.name !== name || list[i]!.dataType !== dataType)) {
        this.refuse(`the constant ${name} has another type`);
      }
      const blocks = all.map((c) => c.block(i));
      const [first, ...rest] = blocks as [Block, ...Block[]];
      const sameShape = rest.every((b) => sameList(b.dims, first.dims));
      if (sameShape && rest.every((b) => sameBytes(b.bytes, first.bytes))) return true;
      const dtype = dtypeOfOnnx(dataType)!;
      if (sameShape && dtype === 'int64' && first.dims.length === 1) {
        const values = blocks.map((b) => int64Values(b.bytes));
        const lengths = values[0]!.map((_, k) =>
          this.length(
            values.map((v) => v[k]!),
            () => `a shape (${name})`,
          ),
        );
        this.replace(name, lengths);
        return false;
      }
      const family = { name, dtype, blocks, tables: this.tables };
      if (!freeConstant(family, this.traced, this.shapes)) {
        this.refuse(`the constant ${name} ${sameShape ? 'depends on it' : 'has another shape'}`);
      }
      return false;
    });
  }

  /** Puts the shape `lengths` in the place of the constant `name`. */
  private replace(name: string, lengths: readonly Length[]): void {
    const free = lengths.filter((l) => !isFixed(l)).length;
    const empty = lengths.some((l) => isFixed(l) && l.constant === 0);
    let others = false;
    for (const node of this.graph.node) {
      for (const [i, input] of node.input.entries()) {
        if (input !== name) continue;
        // What is left over is the free one: runtimes optimise this better than a computed shape.
        if (node.opType === 'Reshape' && i === 1 && free === 1 && !empty) {
          node.input[i] = this.shapes.rest(lengths);
        } else others = true;
      }
      if (node.attribute.some((a) => a.g)) others = true;
    }
    if (others) this.shapes.list(lengths, name);
  }

  /** The axis of an input that has this length in every model. */
  private place(axis: string): AxisPlace {
    const { models } = this;
    for (const [i, value] of models[0]!.model.inputs.entries()) {
      const at = value.shape.findIndex((_, d) =>
        models.every(({ sizes, model }) => model.inputs[i]?.shape[d] === sizes[axis]),
      );
      if (at >= 0) return { input: value.onnxName, at };
    }
    return this.refuse(`no input has the ${axis} as an axis`);
  }

  private freeType(values: readonly ValueInfo[]): void {
    const shape = (v: ValueInfo) =>
      v.type?.value.case === 'tensorType' ? (v.type.value.value.shape?.dim ?? []) : [];
    const [mine] = values as [ValueInfo];
    if (values.some((v) => v.name !== mine.name || shape(v).length !== shape(mine).length)) {
      this.refuse(`the value ${mine.name} has another type`);
    }
    for (const [i, dim] of shape(mine).entries()) {
      const sizes = values.map((v) => {
        const { value } = shape(v)[i]!;
        return value.case === 'dimValue' ? Number(value.value) : Number.NaN;
      });
      const length = this.length(sizes, () => `the shape of ${mine.name}`);
      if (!isFixed(length)) dim.value = { case: 'dimParam', value: nameOf(length) };
    }
  }
}

/**
 * One model for every size, from encodings of one graph that was traced for several: first one, then for each
 * axis one in which it alone is another, then, for sums of axes to be known, one in which all are others.
 * Choose sizes that no other axis has. In `inputs` and `outputs` of the result -1 stands for a free length.
 * @throws ConfigError with code `batch-dependent` when they differ in more than the sizes
 */
export function freeAxes(
  models: readonly SizedModel[],
  options: FreeAxesOptions = {},
): EncodedModel {
  return new AxisFreer(models, options).run();
}
