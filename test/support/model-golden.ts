/**
 * Golden files of architectures (scripts/golden/model_common.py): a tiny random configuration of a
 * reference implementation, loaded under that library's names, must give the same logits, gradients
 * and running statistics.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { vjp } from '../../src/autodiff/index.js';
import {
  constantOf,
  type HostTensor,
  hostTensor,
  input,
  type Shape,
  sizeOf,
  type Tensor,
  type TensorType,
  toNumbers,
} from '../../src/graph/index.js';
import { memorySource, type TensorSource } from '../../src/io/index.js';
import { readSafetensors } from '../../src/io/index.node.js';
import {
  type ImageClassifier,
  loadDefinition,
  type ModelDefinition,
  matchWeights,
  type RawConfig,
  readMatched,
  requireMatch,
  type WeightsMatch,
} from '../../src/models/index.js';
import { Context, type Weights } from '../../src/nn/index.js';
import { expectClose } from './compare.js';
import { testEngine } from './engine.js';

const folder = fileURLToPath(new URL('../golden/models/', import.meta.url));

/** Asked of every element; float32 against a reference in float64. */
const TOLERANCE = { rtol: 1e-3, atol: 1e-5 };

/** What training or evaluation gave in the reference implementation. */
interface Mode {
  readonly logits: HostTensor;
  /** By the library's names. */
  readonly grads: Weights;
  /** Running statistics after one step; empty in evaluation. */
  readonly buffers: Weights;
}

/** One golden file. */
export interface GoldenCase {
  readonly name: string;
  readonly modelType: string;
  readonly config: RawConfig;
  readonly library: string;
  readonly pixels: HostTensor;
  /** Parameters and buffers by the library's names. */
  readonly weights: Weights;
  readonly dy: HostTensor;
  readonly modes: Readonly<Partial<Record<'eval' | 'train', Mode>>>;
}

/** Names of all golden files, or of one architecture's: `resnet-v1`, `squeezenet1_1`, ... */
export function goldenNames(modelType?: string): string[] {
  return readdirSync(folder)
    .filter((f) => f.endsWith('.safetensors'))
    .map((f) => f.replace(/\.safetensors$/, ''))
    .filter((f) => modelType === undefined || new RegExp(`^${modelType}(?![a-z_])`).test(f))
    .sort();
}

/** The numbers of mean 0 and variance 1 that `noise` in model_common.py makes, bit for bit. */
export function goldenNoise(shape: Shape, seed: number): HostTensor {
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    let h = (Math.imul(i, 0x9e3779b1) + seed) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    data[i] = ((h >>> 0) / 2 ** 31 - 1) * Math.sqrt(3);
  }
  return hostTensor('float32', shape, data);
}

type Layout = [name: string, shape: number[], kind: 'parameter' | 'buffer'][];

/** Cuts tensors that lie end to end. */
function cut(flat: HostTensor | undefined, layout: Layout): Weights {
  const out: Weights = new Map();
  let at = 0;
  for (const [name, shape] of layout) {
    const size = sizeOf(shape);
    out.set(name, hostTensor('float32', shape, flat!.data.slice(at, at + size)));
    at += size;
  }
  expect(at).toBe(flat?.data.length ?? 0);
  return out;
}

/** Reads a golden file. */
export async function readGolden(name: string): Promise<GoldenCase> {
  const { tensors, metadata } = await readSafetensors(`${folder}${name}.safetensors`);
  const json = (key: string) => JSON.parse(metadata[key]!);
  const layout: Layout = json('layout');
  const moved: string[] = json('moved');
  const { shape, seed } = json('input');
  const parameters = layout.filter(([, , kind]) => kind === 'parameter');
  const mode = (key: string): Mode | undefined => {
    const logits = tensors.get(`${key}/logits`);
    if (!logits) return undefined;
    const buffers = tensors.get(`${key}/buffers`);
    const names = layout.filter(([path, , kind]) => kind === 'buffer' && moved.includes(path));
    return {
      logits,
      grads: cut(tensors.get(`${key}/grads`), parameters),
      buffers: buffers ? cut(buffers, names) : new Map(),
    };
  };
  const [evaluation, training] = [mode('eval'), mode('train')];
  return {
    name,
    modelType: metadata.modelType!,
    config: json('config'),
    library: metadata.library!,
    pixels: goldenNoise(shape, seed),
    weights: cut(tensors.get('weights'), layout),
    dy: tensors.get('dy')!,
    modes: {
      ...(evaluation ? { eval: evaluation } : {}),
      ...(training ? { train: training } : {}),
    },
  };
}

/** The model of a golden file with its weights. */
export interface GoldenModel {
  readonly definition: ModelDefinition;
  readonly model: ImageClassifier;
  readonly weights: Weights;
  readonly match: WeightsMatch;
}

function expectedTypes(model: ImageClassifier): Map<string, TensorType> {
  return new Map([...model.parameters()].map(([path, p]) => [path, p.tensor] as const));
}

/** Builds the model of a golden file and loads its weights, under the library's names. */
export async function buildGolden({
  modelType,
  config,
  ...golden
}: GoldenCase): Promise<GoldenModel> {
  const definition = await loadDefinition(modelType);
  const model = definition.build(definition.parse(config));
  const source: TensorSource = memorySource(golden.weights);
  const match = matchWeights(definition, source.types, expectedTypes(model));
  requireMatch(match, golden.name);
  return {
    definition,
    model,
    match,
    weights: await readMatched(match, source, expectedTypes(model)),
  };
}

/** Some of the library's tensors (gradients, running statistics) under our paths. */
async function renamed({ model, match }: GoldenModel, tensors: Weights): Promise<Weights> {
  const moves = match.moves.filter(({ source }) => tensors.has(source));
  expect(moves).toHaveLength(tensors.size);
  return readMatched({ ...match, moves }, memorySource(tensors), expectedTypes(model));
}

async function checkMode(golden: GoldenCase, built: GoldenModel, key: 'eval' | 'train') {
  const want = golden.modes[key]!;
  const { model, weights } = built;
  const parameters = [...model.parameters()];
  const context = new Context({ training: key === 'train' });
  const x = input('pixels', 'float32', golden.pixels.shape);
  const logits = model.forward(x, context);
  const trained = parameters.filter(([, p]) => p.kind === 'weight');
  const grads = vjp(
    [logits],
    [constantOf(golden.dy)],
    trained.map(([, p]) => p.tensor),
  );
  const updates = parameters.filter(([, p]) => context.updates.has(p.tensor));
  const feeds = new Map<Tensor, HostTensor>([[x, golden.pixels]]);
  for (const [path, p] of parameters) feeds.set(p.tensor, weights.get(path)!);
  const engine = await testEngine();
  const outputs = [logits, ...grads, ...updates.map(([, p]) => context.updates.get(p.tensor)!)];
  const values = await engine.evaluate(outputs, feeds);

  const plain = (t: HostTensor) => ({ shape: t.shape, data: toNumbers(t) });
  expectClose(`${golden.name} ${key} logits`, values[0]!, plain(want.logits), TOLERANCE);
  const wantGrads = await renamed(built, want.grads);
  expect([...wantGrads.keys()].sort()).toEqual(trained.map(([path]) => path).sort());
  for (const [i, [path]] of trained.entries()) {
    const what = `${golden.name} ${key} gradient of ${path}`;
    expectClose(what, values[1 + i]!, plain(wantGrads.get(path)!), TOLERANCE);
  }
  const wantBuffers = await renamed(built, want.buffers);
  expect([...wantBuffers.keys()].sort()).toEqual(updates.map(([path]) => path).sort());
  for (const [i, [path]] of updates.entries()) {
    const what = `${golden.name} ${key} new ${path}`;
    const got = values[1 + trained.length + i]!;
    expectClose(what, got, plain(wantBuffers.get(path)!), TOLERANCE);
  }
}

/** Compares logits, every gradient and the running statistics, in every mode that the file has. */
export async function checkGolden(name: string): Promise<void> {
  const golden = await readGolden(name);
  const built = await buildGolden(golden);
  for (const key of ['eval', 'train'] as const) {
    if (golden.modes[key]) await checkMode(golden, built, key);
  }
}
