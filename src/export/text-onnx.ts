/** Text models as ONNX models that any runtime can run, for every batch and every length of text. */
import type { Engine } from '../engine/index.js';
import { constantValue, type HostTensor, optimize, toposort } from '../graph/index.js';
import type { LoadedTextModel } from '../models/index.js';
import { checkWeights } from '../nn/index.js';
import {
  annotate,
  branches,
  type EncodedModel,
  encode,
  freeAxes,
  type Sizes,
} from '../onnx/index.js';
import { foldParameters } from './fold-parameters.js';
import { TEXT_AXES, type TextGraph, type TextGraphFile, textGraphs } from './text-graphs.js';
import { tracingSizes } from './tracing-sizes.js';

/** What is exported. */
export type ExportedText = Pick<
  LoadedTextModel,
  'definition' | 'config' | 'headName' | 'head' | 'model' | 'weights'
>;

/** Options of {@link exportTextOnnx}. */
export interface TextOnnxOptions {
  /**
   * Fixed sizes, for a model that cannot be left free and for runtimes that want them. Decoders then take no
   * keys and values of earlier tokens. By default both are free.
   */
  readonly fixed?: { readonly batch: number; readonly tokens: number };
  /** More to store in the files, such as the licence. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Where texts are cut, to be stored in the files; by default the model's positions. */
  readonly maxTokens?: number | null;
}

/** One ONNX model of a text model. */
export interface TextOnnxFile {
  /** Its name, such as `model.onnx`. */
  readonly file: string;
  readonly model: EncodedModel;
}

/** Traces a graph at these sizes and encodes each. */
async function encodings(
  engine: Engine,
  { model, weights }: ExportedText,
  { trace }: TextGraph,
  sizes: readonly Sizes[],
): Promise<EncodedModel[]> {
  const traced = sizes.map(trace);
  const names = Object.keys(traced[0]!);
  const parameters = new Map([...model.parameters()].map(([path, p]) => [path, p.tensor]));
  const folded = await foldParameters(
    engine,
    traced.map((results) => optimize(Object.values(results))),
    parameters,
    weights,
  );
  // Not folded any further: the first rows of a table of positions, cut off for one length, would be a constant.
  return folded.traces.map((results) =>
    encode({
      outputs: Object.fromEntries(names.map((name, i) => [name, results[i]!])),
      target: 'portable',
      keepNames: true,
      constantNames: folded.names,
    }),
  );
}

/** Constants of a graph at the largest sizes that it takes: tables of positions in full. */
function tablesOf({ axes, trace }: TextGraph, base: Sizes): HostTensor[] {
  const largest = Object.fromEntries(axes.map(({ name, most }) => [name, most ?? base[name]!]));
  return toposort(Object.values(trace(largest))).flatMap(
    ({ outputs: [t] }) => constantValue(t!) ?? [],
  );
}

async function freed(
  engine: Engine,
  source: ExportedText,
  graph: TextGraph,
): Promise<EncodedModel> {
  const lengths = [...source.model.parameters().values()].flatMap((p) => p.tensor.shape);
  const sizes = tracingSizes(graph.axes, lengths);
  const encoded = await encodings(engine, source, graph, sizes);
  return freeAxes(
    encoded.map((model, i) => ({ sizes: sizes[i]!, model })),
    { tables: () => tablesOf(graph, sizes[0]!) },
  );
}

async function fileOf(
  engine: Engine,
  source: ExportedText,
  { graph, step }: TextGraphFile,
  fixed: TextOnnxOptions['fixed'],
): Promise<EncodedModel> {
  if (fixed) {
    const sizes = Object.fromEntries(
      graph.axes.map(({ name, batch }) => [name, batch ? fixed.batch : fixed.tokens]),
    );
    const [model] = await encodings(engine, source, graph, [sizes]);
    return model!;
  }
  const first = await freed(engine, source, graph);
  if (!step) return first;
  const next = await freed(engine, source, step);
  const by = next.inputs.find((v) => v.name.startsWith('past_key_values.'))!;
  // [batch, heads, earlier tokens, channels of a head]
  return branches(first, next, { by: by.name, axis: 2, total: TEXT_AXES.total });
}

/**
 * A text model in evaluation mode as ONNX models of standard operators only. Inputs are int64 and named as in
 * Hugging Face's exports; so are the results: `logits`, `start_logits` and `end_logits`, or
 * `last_hidden_state`. A decoder that gives words also takes `past_key_values.*`, with 0 tokens at first, and
 * gives `present.*`; after the first run it takes one token at a time. Encoder-decoders become an encoder and
 * a decoder. Labels are in the metadata, as JSON.
 * @throws ConfigError when weights do not fit the model; with code `batch-dependent` when it cannot be said
 * for every size at once, which `fixed` sizes avoid
 * @example
 * for (const { file, model } of await exportTextOnnx(engine, loaded)) await writeOnnxFile(file, model);
 */
export async function exportTextOnnx(
  engine: Engine,
  source: ExportedText,
  { fixed, metadata = {}, maxTokens = source.config.maxTokens }: TextOnnxOptions = {},
): Promise<readonly TextOnnxFile[]> {
  const { definition, config, head, headName, model, weights } = source;
  checkWeights(model, weights);
  const files: TextOnnxFile[] = [];
  for (const graph of textGraphs(source)) {
    const encoded = await fileOf(engine, source, graph, fixed);
    const annotated = annotate(encoded, {
      producer: 'graft',
      description: `Text model: ${definition.modelType}, ${headName}.`,
      metadata: {
        ...metadata,
        ...(head.outputs ? { labels: JSON.stringify(config.labels) } : {}),
        ...(maxTokens === null ? {} : { maxTokens: String(maxTokens) }),
      },
    });
    files.push({ file: graph.file, model: annotated });
  }
  return files;
}
