/**
 * Encoded models as files: one file with all weights inside, or a model with its weights in a file
 * beside it. Files are made chunk by chunk, so that no buffer ever holds a whole one.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { ConfigError } from '../errors.js';
import type { EncodedModel } from './encode.js';
import { GraphSchema, type Model, ModelSchema, TensorSchema } from './proto/onnx_pb.js';
import { checkedPath } from './tensor-value.js';

/** Protocol buffers cannot be larger: lengths in them are 32-bit, and readers use signed ones. */
const MAX_SINGLE_BYTES = 2 ** 31 - 1;
/** Offsets of external tensors are multiples of this, so that readers can map them into memory. */
const ALIGNMENT = 4096;
/** Field numbers of the IR specification: Model.graph, Graph.initializer, Tensor.raw_data. */
const GRAPH = 7;
const INITIALIZER = 5;
const RAW_DATA = 9;

/** A file that is yet to be written. */
export interface ModelFile {
  /** Path relative to the folder of the model. */
  readonly name: string;
  /** Its length. */
  readonly bytes: number;
  /** Its content in order. The chunks are views of the weights: write them before changing those. */
  chunks(): Iterable<Uint8Array>;
}

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) out.push((rest % 128) | 0x80);
  out.push(rest);
  return out;
}

/** Tag and length of a length-delimited field. */
function header(field: number, length: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8 + 2), ...varint(length)]);
}

/** The model with its large constants looked up. */
function open(model: EncodedModel) {
  const proto = fromBinary(ModelSchema, model.bytes);
  const graph = proto.graph!;
  const data = new Map(model.external.map((e) => [e.path, e.data]));
  const large = graph.initializer.flatMap((tensor) => {
    const path = tensor.externalData.find((e) => e.key === 'location')?.value;
    return path === undefined ? [] : [{ tensor, data: data.get(path)! }];
  });
  return { proto, graph, large };
}

/**
 * One file with all weights inside.
 * @throws ConfigError when it would exceed 2 GiB, which the format does not allow
 */
export function singleFile(model: EncodedModel, name = 'model.onnx'): ModelFile {
  const { proto, graph, large } = open(model);
  // A message may come in parts: lists are appended. So the model comes first without the large
  // constants, and each of them follows as one more element of its list.
  const outside = new Set(large.map((l) => l.tensor));
  const inner = toBinary(
    GraphSchema,
    { ...graph, initializer: graph.initializer.filter((t) => !outside.has(t)) },
    { writeUnknownFields: false },
  );
  const shell: Model = { ...proto };
  delete shell.graph;
  const head = toBinary(ModelSchema, shell, { writeUnknownFields: false });
  const parts = large.map(({ tensor, data }) => {
    const { name: id, dims, dataType } = tensor;
    const type = toBinary(TensorSchema, create(TensorSchema, { name: id, dims, dataType }));
    const raw = header(RAW_DATA, data.length);
    return { type, raw, data, length: type.length + raw.length + data.length };
  });
  const initializers = parts.map((p) => header(INITIALIZER, p.length));
  const graphBytes = parts.reduce(
    (n, p, i) => n + initializers[i]!.length + p.length,
    inner.length,
  );
  const graphHeader = header(GRAPH, graphBytes);
  const bytes = head.length + graphHeader.length + graphBytes;
  if (bytes > MAX_SINGLE_BYTES) {
    throw new ConfigError(
      `The model takes ${bytes} bytes; a single ONNX file cannot exceed 2 GiB. Write it with its weights beside it (externalFiles).`,
      { bytes },
    );
  }
  return {
    name,
    bytes,
    *chunks() {
      yield head;
      yield graphHeader;
      yield inner;
      for (const [i, { type, raw, data }] of parts.entries()) {
        yield initializers[i]!;
        yield type;
        yield raw;
        yield data;
      }
    },
  };
}

/** Options of {@link externalFiles}. */
export interface ExternalOptions {
  /** Name of the model file. Defaults to `model.onnx`. */
  readonly name?: string;
  /** Name of the file with the weights. Defaults to that of the model followed by `.data`. */
  readonly dataName?: string;
}

/**
 * The model and, when there are large weights, a file that holds them; no limit on its size.
 * @throws ConfigError when a name is not a plain file name inside the model's folder
 */
export function externalFiles(
  model: EncodedModel,
  { name = 'model.onnx', dataName = `${name}.data` }: ExternalOptions = {},
): readonly ModelFile[] {
  if (dataName.includes('/') || dataName === name) {
    throw new ConfigError(
      `externalFiles: '${dataName}' must be the name of another file in the folder of '${name}'.`,
    );
  }
  checkedPath(dataName, 'The weights');
  const { proto, large } = open(model);
  let offset = 0;
  const places = large.map(({ tensor, data }) => {
    const at = Math.ceil(offset / ALIGNMENT) * ALIGNMENT;
    for (const entry of tensor.externalData) {
      if (entry.key === 'location') entry.value = dataName;
      if (entry.key === 'offset') entry.value = String(at);
    }
    const gap = at - offset;
    offset = at + data.length;
    return { gap, data };
  });
  const bytes = toBinary(ModelSchema, proto, { writeUnknownFields: false });
  const main: ModelFile = { name, bytes: bytes.length, chunks: () => [bytes] };
  if (places.length === 0) return [main];
  const beside: ModelFile = {
    name: dataName,
    bytes: offset,
    *chunks() {
      for (const { gap, data } of places) {
        if (gap > 0) yield new Uint8Array(gap);
        yield data;
      }
    },
  };
  return [main, beside];
}
