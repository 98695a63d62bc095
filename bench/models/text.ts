/** BERT-base and GPT-2 as `src/train` and `src/generate` run them, for the table and for the memory probe. */

import { TextGenerator } from '../../src/generate/index.js';
import { type Engine, type HostTensor, hostTensor, initialize } from '../../src/index.js';
import { featureExtraction, fineTune, type MethodDefinition } from '../../src/methods/index.js';
import {
  headOf,
  type LoadedTextModel,
  loadTextDefinition,
  type RawConfig,
  TEXT_INPUTS,
  type TextConfig,
  type TextHead,
} from '../../src/models/index.js';
import { singleLabelClassification, type TaskDefinition } from '../../src/tasks/index.js';
import {
  type BatchStream,
  FEATURES,
  Forward,
  PhaseRun,
  type StreamBatch,
} from '../../src/train/index.js';
import type { Step, Steps } from './train.js';

export const THREADS = 2;
export const BATCH = 16;
export const TOKENS = 128;
/** Tokens of a prompt, and tokens that are written after it. */
export const PROMPT = 16;
export const WRITTEN = 128;
const CLASSES = 2;
/** Long enough that no learning rate comes to its end while it is measured. */
export const LONG = 1000;

/** Options of a run that every row shares. */
export const COMMON = {
  task: singleLabelClassification({ classes: CLASSES }) as TaskDefinition,
  valid: null,
  optimizer: { name: 'adamw', weightDecay: 0.01 },
  clipNorm: 1,
  seed: 0,
} as const;

/** A network with fresh weights, as a run prepares it. */
export interface PreparedText extends LoadedTextModel {
  readonly isHead: (path: string) => boolean;
}

/** A model of the size that `raw` gives, else of the published one; rates of dropout are the defaults. */
export async function prepareText(
  modelType: string,
  headName: TextHead,
  raw: RawConfig = {},
): Promise<PreparedText> {
  const definition = await loadTextDefinition(modelType);
  const config: TextConfig = {
    ...definition.parse(raw),
    labels: Array.from({ length: CLASSES }, (_, i) => `class ${i}`),
    problem: 'single_label_classification',
  };
  const head = headOf(definition, headName);
  const model = head.build(config);
  const isHead = (path: string) => head.parameters?.test(path) ?? false;
  const weights = initialize(model, 0);
  const loaded = { definition, config, headName, head, model, weights, raw };
  return { ...loaded, untrained: [], unused: [], isHead };
}

/** A method's last phase for a text model. */
export function lastPhase(method: MethodDefinition, { model, isHead }: PreparedText) {
  const hasRole = (path: string, role: string) => role === 'head' && isHead(path);
  return method.plan({ model, hasRole, epochs: LONG, modality: 'text' }).at(-1)!;
}

const bertBase = () => prepareText('bert', 'sequence-classification');

/** Ids without padding, as PyTorch's side has them: nothing is gained by leaving tokens out. */
function tokens(vocabulary: number): Record<string, HostTensor> {
  const shape = [BATCH, TOKENS];
  const ids = Array.from({ length: BATCH * TOKENS }, (_, i) => (i * 7919) % vocabulary);
  return {
    [TEXT_INPUTS.ids]: hostTensor('int32', shape, ids),
    [TEXT_INPUTS.mask]: hostTensor('int32', shape, new Int32Array(BATCH * TOKENS).fill(1)),
    [TEXT_INPUTS.types]: hostTensor('int32', shape, new Int32Array(BATCH * TOKENS)),
  };
}

/** One batch, again and again. */
function fixedStream(inputs: Record<string, HostTensor>): BatchStream & { batch: StreamBatch } {
  const truth = Array.from({ length: BATCH }, (_, i) => i % CLASSES);
  const targets = new Float32Array(BATCH * CLASSES);
  for (const [row, label] of truth.entries()) targets[row * CLASSES + label] = 1;
  const labelFeeds = {
    targets: hostTensor('float32', [BATCH, CLASSES], targets),
    weights: hostTensor('float32', [BATCH], new Float32Array(BATCH).fill(1)),
  };
  const batch = { feeds: { ...inputs, ...labelFeeds }, indices: truth.map((_, i) => i) };
  return {
    samples: BATCH,
    batchSize: BATCH,
    truth,
    fingerprint: 'fixed',
    labelFeeds: () => labelFeeds,
    batch,
    async *read() {
      yield batch;
    },
  };
}

const phaseRun = (
  engine: Engine,
  prepared: PreparedText,
  method: MethodDefinition,
  train: BatchStream,
): Promise<PhaseRun> =>
  PhaseRun.create({
    ...COMMON,
    engine,
    model: prepared.model,
    weights: prepared.weights,
    train,
    phase: lastPhase(method, prepared),
    steps: LONG,
    ema: undefined,
  });

/** All of BERT-base moves, with dropout. */
export async function fullStep(engine: Engine): Promise<Step> {
  const prepared = await bertBase();
  const stream = fixedStream(tokens(prepared.config.vocabularySize));
  const run = await phaseRun(engine, prepared, fineTune, stream);
  return async () => (await run.update([stream.batch])).loss;
}

/** The trunk forward, frozen, then a step of pooler and classifier on what it gave. */
export async function headStep(engine: Engine): Promise<() => Promise<unknown>> {
  const prepared = await bertBase();
  const { model, weights, config } = prepared;
  const inputs = tokens(config.vocabularySize);
  const stream = fixedStream({});
  const trunk = new Forward(engine, model, { part: 'trunk', weights });
  const run = await phaseRun(engine, prepared, featureExtraction, stream);
  return async () => {
    const features = await trunk.run(inputs);
    const feeds = { ...stream.batch.feeds, [FEATURES]: features };
    return run.update([{ ...stream.batch, feeds }]);
  };
}

/** Logits of a batch, weights constant. */
export async function evaluation(engine: Engine): Promise<() => Promise<unknown>> {
  const { model, weights, config } = await bertBase();
  const forward = new Forward(engine, model, { part: 'all', weights });
  const inputs = tokens(config.vocabularySize);
  return () => forward.run(inputs);
}

/** GPT-2 small writes greedily after one prompt; nothing ends it before all tokens are written. */
export async function generation(engine: Engine): Promise<() => Promise<unknown>> {
  const text = await prepareText('gpt2', 'causal-lm');
  const generator = await TextGenerator.create(engine, text);
  const prompt = Array.from({ length: PROMPT }, (_, i) => 1000 + i);
  return async () => {
    const [written] = await generator.generate([prompt], { maxNewTokens: WRITTEN, eosTokens: [] });
    if (written!.length !== WRITTEN) throw new Error(`${written!.length} tokens were written.`);
  };
}

export const FULL_STEP = 'BERT-base full step';
/** For the memory probe. */
export const STEPS: Steps = { [FULL_STEP]: fullStep };
