/**
 * Any `.onnx` classifier as a base: its graph is cut where its classifier begins and gets a new
 * head. All of its weights can be trained; batch norms keep the file's statistics.
 */
import type { Engine } from '../engine/index.js';
import { ConfigError, ShapeError } from '../errors.js';
import {
  type HostTensor,
  hostTensor,
  input as placeholder,
  type Tensor,
  toNumbers,
} from '../graph/index.js';
import {
  type Context,
  initialize,
  Linear,
  type Module,
  Parameter,
  type Weights,
} from '../nn/index.js';
import { type ExternalReader, type OnnxModel, readOnnx } from '../onnx/index.js';
import { mean, reshape, transpose } from '../ops/index.js';
import { ConfigFields } from './config-fields.js';
import { defineModel, type ImageConfig, type ModelDefinition } from './define-model.js';
import { ImageClassifier } from './image-classifier.js';
import type { LoadedClassifier } from './load.js';
import { guessPreprocess, statedPreprocess } from './onnx-preprocess.js';
import { type OnnxTrunk, onnxTrunk } from './onnx-trunk.js';
import type { ImagePreprocess } from './preprocess.js';

/** Configuration of a classifier on the trunk of an `.onnx` file. */
export interface OnnxConfig extends ImageConfig {
  /** Name of the value at which the file was cut. */
  readonly cut: string;
}

const HEAD = 'graft_head';

/** A linear layer on the trunk of an `.onnx` file. Parameters have the names of the file. */
class OnnxClassifier extends ImageClassifier {
  private readonly trunk: OnnxTrunk;
  private readonly weights: ReadonlyMap<string, Parameter>;
  private readonly width: number;
  private head: Linear;

  constructor(trunk: OnnxTrunk, classes: number) {
    super();
    this.trunk = trunk;
    this.weights = new Map(
      [...trunk.weights].map(([name, { value, start }]) => [
        name,
        new Parameter(value.shape, start, { dtype: value.dtype }),
      ]),
    );
    const { channels, height, width } = trunk.input;
    const x = placeholder('pixels', 'float32', [2, channels, height, width]);
    const pooled = this.pool(this.features(x));
    if (pooled.rank !== 2) {
      throw new ConfigError(
        `The ONNX file was cut at '${trunk.cut}', which is [${trunk.end.shape.join(',')}] for two pictures. Features must have 2 axes (batch, width), 3 (batch, tokens, width) or 4 (a map). Choose another value with --cut NAME.`,
        { cut: trunk.cut, shape: trunk.end.shape },
        'onnx-cut',
      );
    }
    this.width = pooled.shape[1]!;
    this.head = new Linear(this.width, classes);
  }

  override children(): Map<string, Module> {
    return new Map([[HEAD, this.head]]);
  }

  override parameters(): Map<string, Parameter> {
    return new Map([...this.weights, ...super.parameters()]);
  }

  override features(x: Tensor, _context?: Context): Tensor {
    const { graph, input, map, picture } = this.trunk;
    const { channels, height, width } = input;
    if (x.shape[1] !== channels || x.shape[2] !== height || x.shape[3] !== width) {
      throw new ShapeError(
        `The ONNX base takes pictures [batch, ${channels}, ${height}, ${width}], got [${x.shape.join(',')}]. Its size is that of the file, or was chosen when it was loaded.`,
        { shape: x.shape },
      );
    }
    const pixels = input.channelsLast ? transpose(x, [0, 2, 3, 1]) : x;
    return graph.at(x.shape[0]!, [map], this.given(picture, pixels))[0]!;
  }

  /** What the file makes of the last map, and the mean over places or tokens if there are any left. */
  override pool(features: Tensor, _context?: Context): Tensor {
    const { graph, map, end } = this.trunk;
    const y = graph.at(features.shape[0]!, [end], this.given(map, features))[0]!;
    if (y.rank === 3) return mean(y, { axes: 1 });
    if (y.rank !== 4) return y;
    const [batch, height, width, channels] = y.shape as [number, number, number, number];
    if (height === 1 && width === 1) return reshape(y, [batch, channels]);
    return mean(y, { axes: movesChannelsLast(end) ? [1, 2] : [2, 3] });
  }

  override classify(pooled: Tensor): Tensor {
    return this.head.forward(pooled);
  }

  override replaceHead(classes: number): void {
    this.head = new Linear(this.width, classes);
  }

  /** A layer is what has all of a name but its last part in common. */
  override layerGroups(): readonly string[] {
    const layers = [...this.weights.keys()].map((name) => {
      const dot = name.lastIndexOf('.');
      return dot > 0 ? name.slice(0, dot) : name;
    });
    return [...new Set(layers), HEAD];
  }

  private given(from: Tensor, to: Tensor): Map<Tensor, Tensor> {
    const given = new Map([[from, to]]);
    for (const [name, { tensor }] of this.trunk.weights) {
      given.set(tensor, this.weights.get(name)!.tensor);
    }
    return given;
  }
}

function movesChannelsLast({ node }: Tensor): boolean {
  const { perm } = (node.attrs ?? {}) as { readonly perm?: readonly number[] };
  return node.op.name === 'transpose' && perm?.join() === '0,2,3,1';
}

/** Options of {@link onnxClassifier}. */
export interface OnnxClassifierOptions {
  /** Classes of the new head. */
  readonly labels: readonly string[];
  /** Name of the value that holds the features, where it is not found by itself. */
  readonly cut?: string;
  /** Side of the pictures where the file leaves it open, pixels. Defaults to 224. */
  readonly size?: number;
  /** Reads weights kept in files beside the model. */
  readonly external?: ExternalReader;
  /** Seed of the new head. Defaults to 0. */
  readonly seed?: number;
}

/** Pictures in a batch must not change what one of them gives; how far rounding may go. */
const SAME = 1e-3;

/**
 * A file that is written for one batch is opened by rewriting reshapes. That this was right is seen
 * by comparing two pictures together with each alone.
 */
async function checkSamples(engine: Engine, model: OnnxClassifier, trunk: OnnxTrunk) {
  const { channels, height, width } = trunk.input;
  const size = channels * height * width;
  const values = Float32Array.from({ length: 2 * size }, (_, i) =>
    Math.sin(i * 0.7 + i * i * 1e-3),
  );
  const run = async (data: Float32Array) => {
    const shape = [data.length / size, channels, height, width];
    const x = placeholder('pixels', 'float32', shape);
    const feeds = new Map<Tensor, HostTensor>([[x, hostTensor('float32', shape, data)]]);
    for (const [name, p] of model.parameters()) {
      const value = trunk.weights.get(name)?.value;
      if (value) feeds.set(p.tensor, value);
    }
    const [pooled] = await engine.evaluate([model.pool(model.features(x))], feeds);
    return toNumbers(pooled!);
  };
  const together = await run(values);
  const alone = [...(await run(values.slice(0, size))), ...(await run(values.slice(size)))];
  const scale = Math.max(1e-6, ...alone.map(Math.abs));
  if (together.length === alone.length) {
    if (together.every((v, i) => Math.abs(v - alone[i]!) <= SAME * scale)) return;
  }
  throw new ConfigError(
    `The ONNX file is written for a batch of ${trunk.input.batch}; with more pictures, one changes what another gives. Export it with a dynamic batch axis.`,
    { batch: trunk.input.batch },
    'onnx-batch',
  );
}

function define(trunk: OnnxTrunk, preprocess: ImagePreprocess): ModelDefinition<OnnxConfig> {
  const escaped = (name: string) => name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  const norms = [...trunk.weights].flatMap(([name, { info }]) =>
    info.uses.some((u) => u.opType.endsWith('Normalization')) ? [escaped(name)] : [],
  );
  const { cut, input } = trunk;
  return defineModel<OnnxConfig>({
    modelType: 'onnx',
    architecture: null,
    processor: null,
    parse: (raw) => {
      const fields = new ConfigFields('onnx', raw);
      return { ...fields.image(), cut: fields.choice('cut', [cut], cut) };
    },
    write: (config) => ({ cut: config.cut }),
    build: ({ labels }) => new OnnxClassifier(trunk, labels.length),
    preprocess: () => preprocess,
    schemes: {},
    roles: {
      head: new RegExp(`^${HEAD}\\.`),
      ...(norms.length > 0 ? { norm: new RegExp(`^(?:${norms.join('|')})$`) } : {}),
    },
    variants: {},
    source: { paper: 'an ONNX file', code: input.name },
  });
}

/**
 * Makes a base of any `.onnx` classifier of pictures. Its graph is cut where the classifier begins
 * (`cut` says where, if it is not found), a map there is averaged over its places, and a new linear
 * layer follows. The file's weights are parameters under their names in the file; running
 * statistics of batch norms stay constants. The preprocessing is what the file says, if it is an
 * export of Graft's, else a guess.
 * @param source the bytes of the file, or what `readOnnx` made of them
 * @throws ConfigError when the file takes no pictures, has no classifier, no value of the name
 *   `cut`, or a graph that fits one batch only; WeightsError when it is damaged
 */
export async function onnxClassifier(
  engine: Engine,
  source: Uint8Array | OnnxModel,
  { labels, cut, size, external, seed = 0 }: OnnxClassifierOptions,
): Promise<LoadedClassifier & { readonly config: OnnxConfig }> {
  const file = source instanceof Uint8Array ? readOnnx(source) : source;
  const trunk = await onnxTrunk(engine, file, { cut, size, external });
  const taken = [...trunk.weights.keys()].find((name) => name.startsWith(`${HEAD}.`));
  if (taken !== undefined) {
    throw new ConfigError(
      `The ONNX file has a weight '${taken}'; names that begin with '${HEAD}.' are those of the new head. Rename it.`,
      { name: taken },
    );
  }
  const model = new OnnxClassifier(trunk, labels.length);
  if (trunk.input.batch !== null) await checkSamples(engine, model, trunk);
  const guess = guessPreprocess(trunk.input, trunk.graph.order, trunk.picture);
  const preprocess = statedPreprocess(file, trunk.input, guess) ?? guess;
  const config: OnnxConfig = { labels, channels: trunk.input.channels, cut: trunk.cut };
  const untrained = [`${HEAD}.weight`, `${HEAD}.bias`];
  const weights: Weights = new Map();
  for (const [path, value] of initialize(model, seed)) {
    weights.set(path, trunk.weights.get(path)?.value ?? value);
  }
  const definition = define(trunk, preprocess) as ModelDefinition;
  return { definition, config, model, weights, preprocess, scheme: 'onnx', untrained };
}
