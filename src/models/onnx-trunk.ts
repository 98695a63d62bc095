/** What is left of an `.onnx` classifier without its classifier, as a graph for every batch. */
import { type Engine, importOnnx } from '../engine/index.js';
import { ConfigError, WeightsError } from '../errors.js';
import type { HostTensor, Tensor } from '../graph/index.js';
import type { Initializer } from '../nn/index.js';
import type { ExternalReader, InitializerInfo, OnnxModel } from '../onnx/index.js';
import { BatchGraph } from './batch-graph.js';
import { findCut } from './onnx-cut.js';
import { findInput, inputShape, type OnnxInput, openBatch } from './onnx-input.js';
import { constantsAsWeights, isTrained, startOf } from './onnx-weights.js';

/**
 * Batches that a file is imported for. The importer works out constants of up to 4096 elements, so
 * a row of a thousand falls on both sides of that for the first three, but not for the others.
 */
const BATCHES = [
  [2, 3, 4],
  [5, 6, 7],
] as const;

/** A weight of the trunk. */
export interface TrunkWeight {
  /** Its placeholder in the trunk's graph. */
  readonly tensor: Tensor;
  readonly value: HostTensor;
  /** Where training from random weights begins. */
  readonly start: Initializer;
  readonly info: InitializerInfo;
}

/** The graph of a file up to the cut. */
export interface OnnxTrunk {
  readonly graph: BatchGraph;
  readonly input: OnnxInput;
  /** Name of the value at which the file was cut. */
  readonly cut: string;
  /** In `graph`: the picture, the last feature map, and the value at the cut. */
  readonly picture: Tensor;
  readonly map: Tensor;
  readonly end: Tensor;
  /** By the names of the file, from the picture to the cut. */
  readonly weights: ReadonlyMap<string, TrunkWeight>;
}

/** How a trunk is cut out. */
export interface TrunkOptions {
  /** Name of the value to cut at; found by itself by default. */
  readonly cut?: string | undefined;
  /** Side of the pictures, where the file leaves it open. */
  readonly size?: number | undefined;
  readonly external?: ExternalReader | undefined;
}

function refuseTrainingMode({ graph }: OnnxModel): void {
  const training = graph.node.find(
    (n) =>
      n.opType === 'BatchNormalization' &&
      n.attribute.some((a) => a.name === 'training_mode' && a.i !== 0n),
  );
  if (training) {
    throw new ConfigError(
      `The ONNX file was exported in training mode: '${training.name}' normalises by the batch, so what a picture gives depends on its neighbours. Export it for inference.`,
      { node: training.name },
      'onnx-training',
    );
  }
}

/**
 * Imports a file up to its classifier.
 * @throws ConfigError when it is no classifier of pictures or cannot be cut; WeightsError when the
 *   file is damaged
 */
export async function onnxTrunk(
  engine: Engine,
  file: OnnxModel,
  { cut: wanted, size, external }: TrunkOptions,
): Promise<OnnxTrunk> {
  refuseTrainingMode(file);
  const input = findInput(file, size);
  const { cut, maps } = findCut(file, input.name, wanted);
  const whole = constantsAsWeights(openBatch(file, input));
  // Only what the cut needs is imported: what lies behind it may be anything.
  const output = maps.map((name) => ({ ...whole.graph.output[0]!, name }));
  const model = { ...whole, graph: { ...whole.graph, output } };
  const infos = new Map<string, InitializerInfo>();

  const importFor = async (batch: number) => {
    try {
      const { inputs, outputs, parameters } = await importOnnx(engine, model, {
        inputs: { [input.name]: inputShape(input, batch) },
        parameters: (info) => {
          infos.set(info.name, info);
          return isTrained(info);
        },
        ...(external ? { external } : {}),
      });
      const picture = inputs[input.name]!;
      return { batch, picture, parameters, outputs: maps.map((name) => outputs[name]!) };
    } catch (cause) {
      if (input.batch === null || !(cause instanceof WeightsError)) throw cause;
      throw new ConfigError(
        `The ONNX file is written for a batch of ${input.batch}, and its graph does not fit another: ${cause.message} Export it with a dynamic batch axis.`,
        { batch: input.batch },
        'onnx-batch',
      );
    }
  };
  const learn = async (batches: readonly number[]) => {
    const traces = [];
    for (const batch of batches) traces.push(await importFor(batch));
    return { first: traces[0]!, graph: new BatchGraph(traces) };
  };
  const isBatchFault = (e: unknown) => e instanceof ConfigError && e.code === 'onnx-batch';
  const { first, graph } = await learn(BATCHES[0]).catch((error) => {
    if (isBatchFault(error)) return learn(BATCHES[1]);
    throw error;
  });
  const end = first.outputs[0]!;
  const tensors = new Map(Object.entries(first.parameters).map(([k, p]) => [p.tensor, k] as const));
  const weights = new Map<string, TrunkWeight>();
  for (const node of graph.order) {
    const name = node.outputs[0] && tensors.get(node.outputs[0]);
    if (name === undefined) continue;
    const info = infos.get(name)!;
    const { tensor, value } = first.parameters[name]!;
    weights.set(name, { tensor, value, start: startOf(info), info });
  }
  return {
    graph,
    input,
    cut,
    picture: first.picture,
    // The lowest map on the way: before pooling, and before channels were moved last.
    map: first.outputs.findLast((t) => t.rank === 4) ?? end,
    end,
    weights,
  };
}
