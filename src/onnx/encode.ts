/**
 * Writes a graph as an ONNX model. Large constants are not copied into the model: they are handed
 * over beside it as external data, so that weights of any size (over 2 GiB too) fit.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { ConfigError } from '../errors.js';
import {
  inputName,
  type Node,
  type OnnxTarget,
  type Tensor,
  type TensorData,
  type TensorType,
  toposort,
} from '../graph/index.js';
import { BLOCKED_DOMAIN } from '../ops/index.js';
import { type ExternalData, GraphEncoder, OPSET, type Shared } from './graph-encoder.js';
import { GraphSchema, ModelSchema } from './proto/onnx_pb.js';
import { valueInfo } from './proto-parts.js';

/** IR version that goes with {@link OPSET}. */
const IR_VERSION = 10n;
/**
 * Opset and IR version of portable models: older, so that more runtimes know them, and new enough
 * for Gelu. Operators are written alike in both opsets.
 */
const PORTABLE_OPSET = 20;
const PORTABLE_IR_VERSION = 9n;
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
