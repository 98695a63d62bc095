/**
 * Reads the bytes of an `.onnx` file. The file is not trusted: whatever it holds, the outcome is a
 * checked model or a WeightsError, and memory stays in proportion to the bytes given.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { WeightsError } from '../errors.js';
import type { HostTensor } from '../graph/index.js';
import { orderNodes } from './node-order.js';
import {
  type Function as FunctionProto,
  type Graph as GraphProto,
  type Model as ModelProto,
  ModelSchema,
  TensorSchema,
} from './proto/onnx_pb.js';
import { isExternal, tensorProtoValue } from './tensor-value.js';
import { checkWire } from './wire-check.js';

/**
 * Opset of the default domain from which on Graft's rules hold. Older files are read as far as
 * their operators mean the same in this one.
 */
export const OLDEST_OPSET = 7;
/** Newest opset whose definitions Graft knows; a later file is refused instead of misread. */
export const NEWEST_OPSET = 28;
/** Protocol buffers cannot be larger; bigger weights lie in external data. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

/** A decoded model whose structure has been checked. */
export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  readonly graph: GraphProto;
  /** Version of each operator set by domain; the default domain is ''. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Functions defined in the file, by {@link functionKey}. */
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Paths of the files beside the model that hold weights. */
  readonly externalPaths: readonly string[];
  /** What the file says about itself, such as labels; the last of two entries of one key holds. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The default domain has two spellings. */
export function normalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/** Key of a function defined in a file. */
export function functionKey(domain: string, name: string, overload: string): string {
  return `${normalDomain(domain)}\n${name}\n${overload}`;
}

function invalid(message: string, data: Record<string, unknown> = {}): WeightsError {
  return new WeightsError(message, data, { code: 'onnx-graph' });
}

function undecodable(cause: unknown): WeightsError {
  return new WeightsError(
    `Not a valid ONNX file: ${(cause as Error).message}. The file is damaged or not ONNX at all; fetch or export it again.`,
    {},
    { code: 'onnx-format', cause },
  );
}

/** Versions of operator sets as a map; later entries of a domain named twice are refused. */
export function opsetMap(
  imports: readonly { domain: string; version: bigint }[],
): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of imports) {
    const key = normalDomain(domain);
    if (version < 1n || version > 10_000n) {
      throw invalid(`The operator set of domain '${key}' has version ${version}, which cannot be.`);
    }
    if (opsets.has(key) && opsets.get(key) !== Number(version)) {
      throw invalid(`The file asks for two versions of the operator set of domain '${key}'.`);
    }
    opsets.set(key, Number(version));
  }
  return opsets;
}

function checkDefaultOpset(opsets: ReadonlyMap<string, number>): void {
  const opset = opsets.get('');
  if (opset === undefined) return;
  if (opset > NEWEST_OPSET) {
    throw new WeightsError(
      `The model is written in ONNX opset ${opset}; Graft reads ${OLDEST_OPSET} to ${NEWEST_OPSET}. Convert it with onnx.version_converter.convert_version, or export it again.`,
      { opset },
      { code: 'onnx-opset' },
    );
  }
}

function unique(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (name === '') throw invalid(`${what} of the graph has no name.`);
    if (seen.has(name)) {
      throw invalid(`Two of the graph's ${what}s are named '${name}'.`, { name });
    }
    seen.add(name);
  }
}

function check(graph: GraphProto): void {
  if (graph.sparseInitializer.length > 0) {
    throw invalid(
      'The model holds sparse initializers, which Graft does not read. Save it with dense weights.',
    );
  }
  if (graph.output.length === 0) {
    throw invalid('The graph has no outputs, so there is nothing to import. The file is cut off.');
  }
  unique(
    graph.input.map((v) => v.name),
    'input',
  );
  unique(
    graph.initializer.map((t) => t.name),
    'initializer',
  );
  unique(
    graph.output.map((v) => v.name),
    'output',
  );
  const given = new Set([
    ...graph.input.map((v) => v.name),
    ...graph.initializer.map((t) => t.name),
  ]);
  orderNodes(
    graph.node,
    (name) => given.has(name),
    graph.output.map((v) => v.name),
  );
}

/**
 * Decodes and checks a model. External data is not touched.
 * @param bytes content of an `.onnx` file; arrays of the result may be views of it
 * @throws WeightsError whatever is wrong with it
 */
export function readOnnx(bytes: Uint8Array): OnnxModel {
  if (bytes.length === 0) {
    throw new WeightsError('The ONNX file is empty.', {}, { code: 'onnx-format' });
  }
  if (bytes.length > MAX_FILE_BYTES) {
    throw new WeightsError(
      `The file has ${bytes.length} bytes; an ONNX file cannot exceed 2 GiB. Save it with its weights as external data.`,
      { bytes: bytes.length },
      { code: 'onnx-format' },
    );
  }
  checkWire(bytes, ModelSchema);
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    throw undecodable(cause);
  }
  const { graph } = proto;
  if (!graph) {
    throw new WeightsError(
      'Not an ONNX model: there is no graph in it. Other protocol-buffer files look alike; check that this is the model file.',
      {},
      { code: 'onnx-format' },
    );
  }
  const opsets = opsetMap(proto.opsetImport);
  // Files of IR version 1 and 2 name no operator set and mean the first.
  if (opsets.size === 0) opsets.set('', 1);
  checkDefaultOpset(opsets);
  check(graph);
  const functions = new Map<string, FunctionProto>();
  for (const f of proto.functions) {
    const key = functionKey(f.domain, f.name, f.overload);
    if (functions.has(key)) {
      throw invalid(`The function '${f.name}' of domain '${f.domain}' is defined twice.`, {
        name: f.name,
      });
    }
    checkDefaultOpset(opsetMap(f.opsetImport));
    functions.set(key, f);
  }
  const paths = new Set<string>();
  for (const t of graph.initializer) {
    if (!isExternal(t)) continue;
    const path = t.externalData.find((e) => e.key === 'location')?.value;
    if (path !== undefined) paths.add(path);
  }
  return {
    irVersion: Number(proto.irVersion),
    producer: proto.producerName,
    graph,
    opsets,
    functions,
    externalPaths: [...paths],
    metadata: new Map(proto.metadataProps.map(({ key, value }) => [key, value])),
  };
}

/**
 * Reads a tensor from a file of its own (`.pb`), as ONNX tools write them beside models for tests.
 * @throws WeightsError when it is damaged or of an element type that Graft does not have
 */
export function readTensor(bytes: Uint8Array): HostTensor {
  checkWire(bytes, TensorSchema);
  try {
    return tensorProtoValue(fromBinary(TensorSchema, bytes, { readUnknownFields: false }));
  } catch (cause) {
    if (cause instanceof WeightsError) throw cause;
    throw undecodable(cause);
  }
}
