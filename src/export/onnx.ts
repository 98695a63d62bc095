/** Trained classifiers as ONNX models that any runtime can run. */
import type { Engine } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { formatType, type HostTensor, input, optimize, type Tensor } from '../graph/index.js';
import type { ImageClassifier, ImagePreprocess } from '../models/index.js';
import { Context, checkWeights } from '../nn/index.js';
import { annotate, type EncodedModel, encode, freeBatch } from '../onnx/index.js';
import { foldParameters } from './fold-parameters.js';

/** Name of the input of an exported classifier, as Hugging Face's exports call it. */
export const ONNX_INPUT = 'pixel_values';
/** Name of its output. */
export const ONNX_OUTPUT = 'logits';

/**
 * Two batches to trace with. Primes, so that no other axis of a model has their length or a
 * multiple of it, and beyond what is folded, so that nothing with the batch in it becomes a constant.
 */
const BATCHES = [5003, 6007] as const;

/** A classifier to export. */
export interface ExportedClassifier {
  readonly model: ImageClassifier;
  /** Values of all its parameters and buffers, by path. */
  readonly weights: ReadonlyMap<string, HostTensor>;
  /** Class names in the order of the logits. */
  readonly labels: readonly string[];
  /** What the model is fed; it decides the size of the input. */
  readonly preprocess: ImagePreprocess;
}

/** Options of {@link exportOnnx}. */
export interface OnnxExportOptions {
  /** A fixed batch. By default the file takes batches of every size. */
  readonly batch?: number;
  /** More to store in the file, such as the licence. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Preprocessing as it is stored in a file: what to do with a picture, and the layout of the input. */
export function describePreprocess(preprocess: ImagePreprocess): Record<string, unknown> {
  return {
    ...preprocess,
    layout: 'NCHW',
    channelOrder: preprocess.mean.length === 3 ? 'RGB' : 'L',
  };
}

/**
 * A classifier in evaluation mode as an ONNX model: input {@link ONNX_INPUT} float32 [batch,
 * channels, height, width], output {@link ONNX_OUTPUT} [batch, classes], operators of the ONNX
 * standard only. Labels and preprocessing are in its metadata, as JSON. Write it with
 * `writeOnnxFile`.
 * @throws ConfigError when weights or labels do not fit the model; with code `batch-dependent` when
 *   the model cannot be said for every batch at once
 * @example
 * const model = await exportOnnx(engine, { model, weights, labels, preprocess });
 * await writeOnnxFile('model.onnx', model);
 */
export async function exportOnnx(
  engine: Engine,
  { model, weights, labels, preprocess }: ExportedClassifier,
  { batch, metadata = {} }: OnnxExportOptions = {},
): Promise<EncodedModel> {
  checkWeights(model, weights);
  const { height, width, mean } = preprocess;
  const trace = (size: number): Tensor => {
    const x = input(ONNX_INPUT, 'float32', [size, mean.length, height, width]);
    const y = model.forward(x, new Context({ training: false }));
    if (y.rank !== 2 || y.shape[0] !== size || y.shape[1] !== labels.length) {
      throw new ConfigError(
        `The model gives ${formatType(y)} for a batch of ${size}, expected [${size},${labels.length}]: one number for each of the ${labels.length} labels.`,
        { shape: y.shape, labels: labels.length },
      );
    }
    return optimize([y])[0]!;
  };
  const sizes = batch === undefined ? BATCHES : ([batch, batch] as const);
  const parameters = new Map([...model.parameters()].map(([path, p]) => [path, p.tensor]));
  const folded = await foldParameters(
    engine,
    sizes.map((size) => [trace(size)]),
    parameters,
    weights,
  );
  const [first, second] = folded.traces.map(([t]) =>
    encode({
      outputs: { [ONNX_OUTPUT]: optimize([t!])[0]! },
      target: 'portable',
      keepNames: true,
      constantNames: folded.names,
    }),
  ) as [EncodedModel, EncodedModel];
  const free =
    batch === undefined
      ? freeBatch({ batch: sizes[0], model: first }, { batch: sizes[1], model: second })
      : first;
  return annotate(free, {
    producer: 'graft',
    description: `Image classifier: ${mean.length} x ${height} x ${width} pixels to ${labels.length} logits.`,
    metadata: {
      ...metadata,
      task: 'image-classification',
      labels: JSON.stringify(labels),
      preprocessing: JSON.stringify(describePreprocess(preprocess)),
    },
  });
}
