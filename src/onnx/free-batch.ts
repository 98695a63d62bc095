/**
 * Takes the batch out of an encoded model. Graphs have static shapes, so a graph is encoded for two
 * batches; where the two models differ, the batch is what differs, and it is written in its place.
 * Whatever else differs is refused: then the form of the graph depends on the batch.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ConfigError } from '../errors.js';
import { BatchShapes, type Length, PREFIX } from './batch-shapes.js';
import type { EncodedModel } from './encode.js';
import {
  AttributeSchema,
  type Graph,
  ModelSchema,
  type Node as NodeProto,
  NodeSchema,
  type Tensor as TensorProto,
  TensorSchema,
  type ValueInfo,
} from './proto/onnx_pb.js';
import { type Block, repeatedBlock } from './repeated-block.js';

/** ONNX's number for int64. */
const INT64 = 7;

/** One graph, encoded for a batch of that size. */
export interface BatchModel {
  readonly batch: number;
  readonly model: EncodedModel;
}

function refuse(what: string): never {
  throw new ConfigError(
    `The model takes another form when the batch is another: ${what}. Export it for a fixed batch.`,
    {},
    'batch-dependent',
  );
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

class BatchFreer {
  private readonly first: BatchModel;
  private readonly second: BatchModel;
  private readonly graph: Graph;
  private readonly other: Graph;
  private readonly axis: string;
  /** What stands in the place of constants. */
  private readonly shapes = new BatchShapes(() => this.batchInput());
  private readonly proto;

  constructor(first: BatchModel, second: BatchModel, axis: string) {
    this.first = first;
    this.second = second;
    this.axis = axis;
    this.proto = fromBinary(ModelSchema, first.model.bytes);
    this.graph = this.proto.graph!;
    this.other = fromBinary(ModelSchema, second.model.bytes).graph!;
  }

  run(): EncodedModel {
    const { graph, first } = this;
    this.checkNodes();
    this.freeConstants();
    for (const list of ['input', 'output', 'valueInfo'] as const) {
      const theirs = this.other[list];
      if (theirs.length !== graph[list].length) refuse('it has other values');
      for (const [i, value] of graph[list].entries()) this.freeType(value, theirs[i]!, list);
    }
    graph.node = [...this.shapes.nodes, ...graph.node];
    const kept = new Set(graph.initializer.map((t) => t.name));
    graph.initializer = [...graph.initializer, ...this.shapes.initializers];
    const free = (
      value: EncodedModel['inputs'][number],
      at: number,
      list: 'inputs' | 'outputs',
    ) => ({
      ...value,
      shape: value.shape.map((d, i) => (d === this.second.model[list][at]!.shape[i] ? d : -1)),
    });
    return {
      ...first.model,
      external: first.model.external.filter(({ path }) => kept.has(path)),
      bytes: toBinary(ModelSchema, this.proto),
      inputs: first.model.inputs.map((v, i) => free(v, i, 'inputs')),
      outputs: first.model.outputs.map((v, i) => free(v, i, 'outputs')),
    };
  }

  /** A length that the two models give, one each. */
  private length(a: number, b: number, where: () => string): Length {
    if (a === b) return { value: a };
    const batches = a / this.first.batch;
    if (!Number.isInteger(batches) || batches !== b / this.second.batch) {
      refuse(`${where()} holds ${a} at batch ${this.first.batch} and ${b} at ${this.second.batch}`);
    }
    return { batches };
  }

  private describe(node: NodeProto): string {
    return this.first.model.origins.get(node.name)?.describe() ?? node.name;
  }

  private checkNodes(): void {
    const { graph, other } = this;
    for (const [i, node] of graph.node.entries()) {
      const theirs = other.node[i];
      const same =
        theirs &&
        node.opType === theirs.opType &&
        node.domain === theirs.domain &&
        sameList(node.input, theirs.input) &&
        sameList(node.output, theirs.output);
      if (!same) refuse(`at ${this.describe(node)} other operators follow`);
      const attributes = (n: NodeProto) => n.attribute.map((a) => toBinary(AttributeSchema, a));
      const mine = attributes(node);
      const yours = attributes(theirs);
      if (mine.length !== yours.length || !mine.every((a, k) => sameBytes(a, yours[k]!))) {
        refuse(`an attribute of ${node.opType} (${this.describe(node)}) depends on it`);
      }
    }
    if (other.node.length !== graph.node.length) refuse('it has other operators at its end');
  }

  private freeConstants(): void {
    const { graph, other } = this;
    if (graph.initializer.length !== other.initializer.length) refuse('it has other constants');
    const bytesIn = ({ model }: BatchModel) => {
      const external = new Map(model.external.map((e) => [e.path, e.data]));
      return (t: TensorProto) => external.get(t.name) ?? t.rawData;
    };
    const [mineIn, theirsIn] = [bytesIn(this.first), bytesIn(this.second)];
    graph.initializer = graph.initializer.filter((mine, i) => {
      const theirs = other.initializer[i]!;
      const { name } = mine;
      const [bytes, yours] = [mineIn(mine), theirsIn(theirs)];
      if (name !== theirs.name || mine.dataType !== theirs.dataType) {
        refuse(`the constant ${name} has another type`);
      }
      if (!sameList(mine.dims, theirs.dims)) {
        this.repeat(mine, { bytes, dims: mine.dims.map(Number) }, yours, theirs.dims.map(Number));
        return false;
      }
      if (sameBytes(bytes, yours)) return true;
      if (mine.dataType !== INT64 || mine.dims.length !== 1) {
        refuse(`the constant ${name} depends on it`);
      }
      const values = int64Values(yours);
      const lengths = int64Values(bytes).map((a, k) =>
        this.length(a, values[k]!, () => `a shape (${name})`),
      );
      this.replace(name, lengths);
      return false;
    });
  }

  /** Puts one sample's part, repeated, in the place of a constant that is the same for each. */
  private repeat(mine: TensorProto, block: Block, theirs: Uint8Array, theirDims: number[]): void {
    const { name } = mine;
    const axis = block.dims.findIndex((d, i) => d !== theirDims[i]);
    const part = repeatedBlock(block, axis, this.first.batch);
    const other = repeatedBlock({ bytes: theirs, dims: theirDims }, axis, this.second.batch);
    if (
      !part ||
      !other ||
      !sameList(part.dims, other.dims) ||
      !sameBytes(part.bytes, other.bytes)
    ) {
      refuse(`the constant ${name} has another shape`);
    }
    const base = `${PREFIX}.part.${name}`;
    this.shapes.initializers.push(
      create(TensorSchema, {
        name: base,
        dims: part.dims.map(BigInt),
        dataType: mine.dataType,
        rawData: part.bytes,
      }),
    );
    const repeats = part.dims.map((_, i): Length => (i === axis ? { batches: 1 } : { value: 1 }));
    const times = `${PREFIX}.repeats.${name}`;
    this.shapes.compute(times, repeats);
    this.shapes.nodes.push(
      create(NodeSchema, {
        name: `${PREFIX}.${name}`,
        opType: 'Tile',
        input: [base, times],
        output: [name],
      }),
    );
  }

  /** Puts the shape `lengths` in the place of the constant `name`. */
  private replace(name: string, lengths: readonly Length[]): void {
    const free = lengths.filter((l) => 'batches' in l).length;
    const empty = lengths.some((l) => 'value' in l && l.value === 0);
    let others = false;
    for (const node of this.graph.node) {
      for (const [i, input] of node.input.entries()) {
        if (input !== name) continue;
        // What is left over is the batch: runtimes optimise this better than a computed shape.
        if (node.opType === 'Reshape' && i === 1 && free === 1 && !empty) {
          node.input[i] = this.shapes.rest(lengths);
        } else others = true;
      }
      if (node.attribute.some((a) => a.g)) others = true;
    }
    if (others) this.shapes.compute(name, lengths);
  }

  /** An input whose first axis is the batch. */
  private batchInput(): string {
    const { first, second } = this;
    const found = first.model.inputs.find(
      (v, i) => v.shape[0] === first.batch && second.model.inputs[i]?.shape[0] === second.batch,
    );
    return found?.onnxName ?? refuse('no input has it as its first axis');
  }

  private freeType(mine: ValueInfo, theirs: ValueInfo, list: string): void {
    const shape = (v: ValueInfo) =>
      v.type?.value.case === 'tensorType' ? (v.type.value.value.shape?.dim ?? []) : [];
    const yours = shape(theirs);
    if (mine.name !== theirs.name || shape(mine).length !== yours.length) {
      refuse(`the value ${mine.name} has another type`);
    }
    for (const [i, dim] of shape(mine).entries()) {
      const sizes = [dim, yours[i]!].map((d) =>
        d.value.case === 'dimValue' ? Number(d.value.value) : Number.NaN,
      );
      const length = this.length(sizes[0]!, sizes[1]!, () => `the shape of ${mine.name}`);
      if ('value' in length) continue;
      if (list === 'input' && length.batches !== 1) refuse(`input ${mine.name} holds several`);
      dim.value = {
        case: 'dimParam',
        value: length.batches === 1 ? this.axis : `${length.batches}*${this.axis}`,
      };
    }
  }
}

/**
 * One model for every batch, from two encodings of one graph that was traced for two batches.
 * Choose sizes that no other axis has. In `inputs` and `outputs` of the result -1 stands for the
 * batch.
 * @param axis name of the free axis in the file
 * @throws ConfigError with code `batch-dependent` when the two differ in more than the batch
 */
export function freeBatch(first: BatchModel, second: BatchModel, axis = 'batch'): EncodedModel {
  return new BatchFreer(first, second, axis).run();
}
