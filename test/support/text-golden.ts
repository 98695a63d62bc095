/**
 * Golden files of text architectures (scripts/golden/text_common.py): a tiny random configuration of a
 * transformers model must give the same logits, the same loss and the same gradient of every parameter.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { vjp } from '../../src/autodiff/index.js';
import {
  constantOf,
  filled,
  type HostTensor,
  hostTensor,
  input,
  sizeOf,
  type Tensor,
  toNumbers,
} from '../../src/graph/index.js';
import { readSafetensors } from '../../src/io/index.node.js';
import {
  type BatchTensors,
  type HeadDefinition,
  headOf,
  loadTextDefinition,
  type RawConfig,
  type TextConfig,
  type TextHead,
  type TextModel,
  type TextModelDefinition,
} from '../../src/models/index.js';
import { Context, checkWeights, type Weights } from '../../src/nn/index.js';
import {
  add,
  binaryCrossEntropy,
  crossEntropy,
  mul,
  reshape,
  slice,
  squaredError,
  sum,
} from '../../src/ops/index.js';
import { expectClose } from './compare.js';
import { testEngine } from './engine.js';

const folder = fileURLToPath(new URL('../golden/text/', import.meta.url));

/** Asked of every element; float32 against a reference in float64. */
const TOLERANCE = { rtol: 1e-3, atol: 1e-5 };

/** How the logits and the labels become one number; text_common.py lists what the labels are. */
export type TextGoldenLoss =
  | 'hidden'
  | 'single'
  | 'multi'
  | 'regression'
  | 'tokens'
  | 'next'
  | 'span';

/** One golden file. */
export interface TextGoldenCase {
  readonly name: string;
  readonly modelType: string;
  readonly headName: TextHead;
  /** Hugging Face's class. */
  readonly architecture: string;
  readonly config: RawConfig;
  readonly loss: TextGoldenLoss;
  /** The batch, by names of TEXT_INPUTS. */
  readonly inputs: Readonly<Record<string, HostTensor>>;
  /** `labels`, `start`, `end` or `dy`. */
  readonly labels: Readonly<Record<string, HostTensor>>;
  readonly logits: HostTensor;
  readonly lossValue: HostTensor;
  /** Parameters by Hugging Face's names; a tied table once. */
  readonly weights: Weights;
  readonly grads: Weights;
  /** Names of the tensors that transformers saves. */
  readonly saved: readonly string[];
  /** [rate, number of elements] of every dropout while training. */
  readonly dropouts: readonly (readonly [number, number])[];
}

/** Names of all golden files, or of one architecture's. */
export function textGoldenNames(modelType?: string): string[] {
  return readdirSync(folder)
    .filter((f) => f.endsWith('.safetensors'))
    .map((f) => f.replace(/\.safetensors$/, ''))
    .filter((f) => modelType === undefined || f.startsWith(`${modelType}-`))
    .sort();
}

/** Cuts tensors that lie end to end. */
function cut(flat: HostTensor, layout: readonly (readonly [string, number[]])[]): Weights {
  const out: Weights = new Map();
  let at = 0;
  for (const [name, shape] of layout) {
    const size = sizeOf(shape);
    out.set(name, hostTensor('float32', shape, flat.data.slice(at, at + size)));
    at += size;
  }
  expect(at).toBe(flat.data.length);
  return out;
}

/** Reads a golden file. */
export async function readTextGolden(name: string): Promise<TextGoldenCase> {
  const { tensors, metadata } = await readSafetensors(`${folder}${name}.safetensors`);
  const layout: [string, number[]][] = JSON.parse(metadata.layout!);
  const inputs = [...tensors].filter(([key]) => key.startsWith('in/'));
  const labels = [...tensors].filter(([key]) => ['labels', 'start', 'end', 'dy'].includes(key));
  return {
    name,
    modelType: metadata.modelType!,
    headName: metadata.head as TextHead,
    architecture: metadata.architecture!,
    config: JSON.parse(metadata.config!),
    loss: metadata.loss as TextGoldenLoss,
    inputs: Object.fromEntries(inputs.map(([key, value]) => [key.slice(3), value])),
    labels: Object.fromEntries(labels),
    logits: tensors.get('logits')!,
    lossValue: tensors.get('loss')!,
    weights: cut(tensors.get('weights')!, layout),
    grads: cut(tensors.get('grads')!, layout),
    saved: JSON.parse(metadata.saved!),
    dropouts: JSON.parse(metadata.dropouts!),
  };
}

/** The model of a golden file with its weights. */
export interface TextGoldenModel {
  readonly definition: TextModelDefinition;
  readonly config: TextConfig;
  readonly head: HeadDefinition<TextConfig>;
  readonly model: TextModel;
  readonly weights: Weights;
}

/** The path of a tensor of transformers: its name, with the trunk's prefix where a base model has none. */
export function goldenPath(
  name: string,
  { prefix, renames = [] }: TextModelDefinition,
  model: TextModel,
): string {
  const paths = model.parameters();
  if (paths.has(name)) return name;
  let renamed = name;
  for (const [from, to] of renames) renamed = renamed.replace(from, to);
  return paths.has(renamed) ? renamed : `${prefix}.${name}`;
}

/** Builds the model of a golden file and gives it its weights. */
export async function buildTextGolden(golden: TextGoldenCase): Promise<TextGoldenModel> {
  const definition = await loadTextDefinition(golden.modelType);
  const head = headOf(definition, golden.headName);
  const config = definition.parse(golden.config);
  const model = head.build(config);
  const weights: Weights = new Map();
  for (const [name, value] of golden.weights) {
    weights.set(goldenPath(name, definition, model), value);
  }
  checkWeights(model, weights);
  return { definition, config, head, model, weights };
}

/** Placeholders of a batch. */
export function batchInputs(
  inputs: Readonly<Record<string, HostTensor>>,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([key, { dtype, shape }]) => [key, input(key, dtype, shape)]),
  );
}

/** Values of a batch and of a model's parameters, by placeholder. */
export function textFeeds(
  model: TextModel,
  weights: Weights,
  batch: BatchTensors,
  inputs: Readonly<Record<string, HostTensor>>,
): Map<Tensor, HostTensor> {
  const feeds = new Map<Tensor, HostTensor>();
  for (const [key, tensor] of Object.entries(batch)) feeds.set(tensor, inputs[key]!);
  for (const [path, p] of model.parameters()) feeds.set(p.tensor, weights.get(path)!);
  return feeds;
}

/** What a model answers in evaluation. */
export async function textAnswer(
  model: TextModel,
  weights: Weights,
  inputs: Readonly<Record<string, HostTensor>>,
): Promise<HostTensor> {
  const batch = batchInputs(inputs);
  const logits = model.through(batch, new Context({ training: false }));
  const engine = await testEngine();
  const [value] = await engine.evaluate([logits], textFeeds(model, weights, batch, inputs));
  return value!;
}

/** The loss that transformers computes from `labels=`. */
export function textLoss(
  loss: TextGoldenLoss,
  logits: Tensor,
  labels: Readonly<Record<string, HostTensor>>,
): Tensor {
  const of = (key: string) => constantOf(labels[key]!);
  const part = (x: Tensor, axis: number, start: number, end: number) =>
    slice(x, { starts: [start], ends: [end], axes: [axis] });
  switch (loss) {
    case 'hidden':
      return sum(mul(logits, of('dy')));
    case 'single':
      return crossEntropy(logits, of('labels'));
    case 'multi':
      return binaryCrossEntropy(logits, of('labels'));
    case 'regression':
      return squaredError(logits, of('labels'));
    case 'tokens':
      return crossEntropy(logits, of('labels'), { ignoreIndex: -100 });
    case 'next': {
      const tokens = logits.shape[1]!;
      const next = part(of('labels'), 1, 1, tokens);
      return crossEntropy(part(logits, 1, 0, tokens - 1), next, { ignoreIndex: -100 });
    }
    case 'span': {
      const [batch, tokens] = logits.shape as [number, number, number];
      const side = (i: number) => reshape(part(logits, 2, i, i + 1), [batch, tokens]);
      const losses = add(crossEntropy(side(0), of('start')), crossEntropy(side(1), of('end')));
      return mul(losses, 0.5);
    }
  }
}

/** Compares logits, the loss and every gradient with those of transformers. */
export async function checkTextGolden(name: string): Promise<void> {
  const golden = await readTextGolden(name);
  const { definition, head, model, weights } = await buildTextGolden(golden);
  expect(head.architecture).toBe(golden.architecture);
  const batch = batchInputs(golden.inputs);
  const logits = model.through(batch, new Context({ training: false }));
  const loss = textLoss(golden.loss, logits, golden.labels);
  const parameters = [...model.parameters()];
  const grads = vjp(
    [loss],
    [constantOf(filled('float32', loss.shape, 1))],
    parameters.map(([, p]) => p.tensor),
  );
  const engine = await testEngine();
  const feeds = textFeeds(model, weights, batch, golden.inputs);
  const [gotLogits, gotLoss, ...gotGrads] = await engine.evaluate([logits, loss, ...grads], feeds);
  const plain = (t: HostTensor, shape = t.shape) => ({ shape, data: toNumbers(t) });
  expectClose(`${name} logits`, gotLogits!, plain(golden.logits), TOLERANCE);
  expectClose(`${name} loss`, gotLoss!, plain(golden.lossValue, loss.shape), TOLERANCE);
  const wanted = new Map(
    [...golden.grads].map(([key, value]) => [goldenPath(key, definition, model), value] as const),
  );
  for (const [i, [path]] of parameters.entries()) {
    expectClose(`${name} gradient of ${path}`, gotGrads[i]!, plain(wanted.get(path)!), TOLERANCE);
  }
}
