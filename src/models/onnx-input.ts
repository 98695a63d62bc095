/** The input of an `.onnx` classifier: its layout and size, and a batch that is written in the file. */
import { ConfigError } from '../errors.js';
import type { Shape } from '../graph/index.js';
import type { OnnxModel } from '../onnx/index.js';

/** ONNX's number for float32. */
const FLOAT = 1;
/** ONNX's number for int64. */
const INT64 = 7;
/** Grey, colour, colour with alpha. */
const CHANNELS = [1, 3, 4];
/** What most classifiers were trained on, for files that leave the size open. */
const DEFAULT_SIZE = 224;

/** How pictures enter a file. */
export interface OnnxInput {
  readonly name: string;
  /** Channels come last, as TensorFlow has them. */
  readonly channelsLast: boolean;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Number of samples that the file is written for; null: any. */
  readonly batch: number | null;
}

/** The shape of the input for a batch. */
export function inputShape(input: OnnxInput, batch: number): Shape {
  const { channelsLast, channels, height, width } = input;
  return channelsLast ? [batch, height, width, channels] : [batch, channels, height, width];
}

/**
 * Reads off the input.
 * @param size side of the pictures where the file leaves it open; 224 by default
 * @throws ConfigError when the file does not take one tensor of pictures
 */
export function findInput({ graph }: OnnxModel, size = DEFAULT_SIZE): OnnxInput {
  const weights = new Set(graph.initializer.map((t) => t.name));
  const inputs = graph.input.filter((v) => !weights.has(v.name));
  const [only] = inputs;
  const type = only?.type?.value.case === 'tensorType' ? only.type.value.value : undefined;
  const dims = type?.shape?.dim;
  if (!only || inputs.length > 1 || type?.elemType !== FLOAT || dims?.length !== 4) {
    const given = inputs.map((v) => `'${v.name}'`).join(', ') || 'none';
    throw new ConfigError(
      `An ONNX base takes pictures: one input of float32 with 4 axes (batch, channels, height, width, or channels last). This file has the inputs ${given}${inputs.length === 1 ? `, of element type number ${type?.elemType} with ${dims?.length ?? 'unknown'} axes` : ''}.`,
      { inputs: inputs.map((v) => v.name) },
      'onnx-input',
    );
  }
  // Exporters write an open size as a name, as nothing, as 0 or as -1.
  const [batch, a, b, c] = dims.map(({ value }) =>
    value.case === 'dimValue' && value.value > 0n ? Number(value.value) : null,
  ) as [number | null, number | null, number | null, number | null];
  const channelsLast = CHANNELS.includes(c ?? 0) && !CHANNELS.includes(a ?? 0);
  const [channels, height, width] = channelsLast ? [c, a, b] : [a, b, c];
  return {
    name: only.name,
    channelsLast,
    channels: channels ?? 3,
    height: height ?? size,
    width: width ?? size,
    batch,
  };
}

type TensorProto = OnnxModel['graph']['initializer'][number];

function int64Values(t: TensorProto): bigint[] | null {
  if (t.dataType !== INT64 || t.dims.length !== 1 || t.externalData.length > 0) return null;
  if (t.rawData.length === 0) return [...t.int64Data];
  if (t.rawData.length % 8 !== 0) return null;
  // Copied: it lies anywhere in the file, and a Buffer's slice would be a view.
  return [...new BigInt64Array(new Uint8Array(t.rawData).buffer)];
}

/**
 * The model with its batch left open. Where a reshape names the batch, it is told to copy it, or to
 * work it out; for the batch of the file that means the same.
 */
export function openBatch(model: OnnxModel, { name, batch }: OnnxInput): OnnxModel {
  if (batch === null) return model;
  const { graph } = model;
  const constants = new Map(graph.initializer.map((t) => [t.name, t] as const));
  for (const node of graph.node) {
    const t = node.opType === 'Constant' && node.attribute.find((a) => a.name === 'value')?.t;
    if (t) constants.set(node.output[0]!, t);
  }
  const added: TensorProto[] = [];
  const node = graph.node.map((n) => {
    const [data, shape] = n.input;
    const target = n.opType === 'Reshape' ? constants.get(shape!) : undefined;
    const dims = target && !constants.has(data!) ? int64Values(target) : null;
    if (!dims || dims[0] !== BigInt(batch)) return n;
    const inferred = dims.includes(-1n);
    // Where 0 is a length, it cannot stand for a copy.
    if (inferred && n.attribute.some((a) => a.name === 'allowzero' && a.i !== 0n)) return n;
    const free = [inferred ? 0n : -1n, ...dims.slice(1)];
    const own = `${n.output[0]}/open-batch`;
    added.push({
      ...target!,
      name: own,
      int64Data: [],
      rawData: new Uint8Array(BigInt64Array.from(free).buffer),
    });
    return { ...n, input: [data!, own] };
  });
  const input = graph.input.map((info) => {
    if (info.name !== name || info.type?.value.case !== 'tensorType') return info;
    const { value } = info.type.value;
    const [first, ...rest] = value.shape!.dim;
    const open = { ...first!, value: { case: 'dimParam' as const, value: 'batch' } };
    const shape = { ...value.shape!, dim: [open, ...rest] };
    return {
      ...info,
      type: { ...info.type, value: { ...info.type.value, value: { ...value, shape } } },
    };
  });
  return {
    ...model,
    graph: { ...graph, node, input, initializer: [...graph.initializer, ...added] },
  };
}
