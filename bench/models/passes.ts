/** Small models on texts of mixed lengths, by the loop that `graft fit` runs. */
import type { Engine } from '../../src/index.js';
import { featureExtraction, fineTune } from '../../src/methods/index.js';
import type { RawConfig } from '../../src/models/index.js';
import {
  singleLabelClassification,
  type TaskDefinition,
  type TextItem,
  type TextTask,
  textToText,
} from '../../src/tasks/index.js';
import {
  type BatchStream,
  MemoryCheckpoints,
  type ReadOptions,
  type StreamBatch,
  TextStream,
  Trainer,
} from '../../src/train/index.js';
import { sentences, translations, wordPiece } from '../texts.js';
import { BATCH, COMMON, lastPhase, type PreparedText, prepareText } from './text.js';

/** Size of `all-MiniLM-L6-v2`; the rest is BERT's default. */
export const MINI_LM: RawConfig = {
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
};

/** Texts of a pass: forty steps; of pairs, twenty. */
const SENTENCES = 640;
const PAIRS = 320;
/** Passes of a run whose trunk is frozen. */
export const FROZEN_PASSES = 3;

const T5_START = 0;
const T5_END = 1;

/** Some of a list, drawn evenly from all of it. */
const drawn = <T>(list: readonly T[], count: number): T[] =>
  Array.from({ length: count }, (_, i) => list[Math.floor((i * list.length) / count)]!);

/** Ids of sentences. */
export function mixedIds(): number[][] {
  const tokenizer = wordPiece();
  return drawn(sentences(), SENTENCES).map((text) => Array.from(tokenizer.ids(text)));
}

/** Ids of sources and targets, each with T5's end; which words they stand for is of no account to a new model. */
export function translationIds(): { readonly source: number[]; readonly target: number[] }[] {
  const tokenizer = wordPiece();
  const ids = (text: string) => [...tokenizer.ids(text, { addSpecialTokens: false }), T5_END];
  return drawn(translations(), PAIRS).map(([source, target]) => ({
    source: ids(source),
    target: ids(target),
  }));
}

/** A stream whose passes begin when they are asked for, so that a peer has its turn in between. */
class PacedStream implements BatchStream {
  readonly samples: number;
  readonly batchSize: number;
  readonly truth: readonly unknown[];
  readonly fingerprint: string;
  readonly trainingIds: BatchStream['trainingIds'];
  private readonly stream: BatchStream;
  private readonly waiting: (() => void)[] = [];
  private readonly starts: (() => void)[] = [];

  constructor(stream: BatchStream) {
    this.stream = stream;
    ({
      samples: this.samples,
      batchSize: this.batchSize,
      truth: this.truth,
      fingerprint: this.fingerprint,
      trainingIds: this.trainingIds,
    } = stream);
  }

  labelFeeds(indices: readonly number[], training: boolean) {
    return this.stream.labelFeeds(indices, training);
  }

  async *read(options: ReadOptions): AsyncGenerator<StreamBatch> {
    const go = new Promise<void>((resolve) => this.starts.push(resolve));
    this.waiting.shift()?.();
    await go;
    yield* this.stream.read(options);
  }

  /** Resolves when the loop stands before the next pass. */
  before(): Promise<void> {
    if (this.starts.length > 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** Lets the loop go on. */
  go(): void {
    this.starts.shift()?.();
  }
}

/** A run that can be taken pass by pass. */
export interface Passes {
  /** One pass over all texts, with what the loop does at its end. */
  readonly pass: () => Promise<void>;
  /** Ends the run after its next step. */
  readonly end: () => Promise<void>;
}

function streamOf(
  { definition, config }: PreparedText,
  task: TextTask<never, unknown>,
  items: readonly TextItem[],
): BatchStream {
  return new TextStream({
    task: task as unknown as TextTask,
    samples: items.map((_, i) => ({ id: String(i), text: '', target: '', label: i % 2 })),
    items,
    batchSize: BATCH,
    padToken: 0,
    inputs: definition.inputs,
    maxTokens: config.maxTokens ?? 512,
    seed: 0,
    fingerprint: 'mixed',
  });
}

const classTask = singleLabelClassification({ classes: 2 }) as unknown as TextTask<never, unknown>;

const classItems = (ids: readonly (readonly number[])[]): TextItem[] =>
  ids.map((row, i) => ({
    ids: Int32Array.from(row),
    typeIds: null,
    labels: Float32Array.of(1 - (i % 2), i % 2),
    truncated: 0,
  }));

/** The loop's options, but for what is trained and on what. */
const runOf = (engine: Engine, { model, weights, isHead }: PreparedText) => ({
  ...COMMON,
  engine,
  model,
  weights,
  isHead,
  structure: 'bench',
  accumulate: 1,
  checkpoints: new MemoryCheckpoints(),
});

/** Starts a run; its first pass also compiles a program for each length. */
async function startPasses(
  engine: Engine,
  prepared: PreparedText,
  task: TextTask<never, unknown>,
  items: readonly TextItem[],
): Promise<Passes> {
  const paced = new PacedStream(streamOf(prepared, task, items));
  const abort = new AbortController();
  const trainer = new Trainer({
    ...runOf(engine, prepared),
    task: task as TaskDefinition,
    phases: [lastPhase(fineTune, prepared)],
    train: paced,
    signal: abort.signal,
  });
  const running = trainer.run();
  const failed = running.then(() => undefined);
  await Promise.race([paced.before(), failed]);
  return {
    async pass() {
      paced.go();
      await Promise.race([paced.before(), failed]);
    },
    async end() {
      abort.abort();
      paced.go();
      await running;
    },
  };
}

const miniLm = () => prepareText('bert', 'sequence-classification', MINI_LM);

/** Passes of an encoder over sentences. */
export async function sentencePasses(
  engine: Engine,
  ids: readonly (readonly number[])[],
): Promise<Passes> {
  return startPasses(engine, await miniLm(), classTask, classItems(ids));
}

/** Passes of T5-small over pairs of texts. */
export async function translationPasses(
  engine: Engine,
  pairs: ReturnType<typeof translationIds>,
): Promise<Passes> {
  const task = textToText({ name: 'translation', decoderStart: T5_START, endToken: T5_END });
  const items = pairs.map(({ source, target }) => ({
    ids: Int32Array.from(source),
    typeIds: null,
    decoderIds: Int32Array.from([T5_START, ...target.slice(0, -1)]),
    labels: Int32Array.from(target),
    truncated: 0,
  }));
  const prepared = await prepareText('t5', 'seq2seq-lm');
  return startPasses(engine, prepared, task as unknown as TextTask<never, unknown>, items);
}

/** A whole run of a head on a frozen encoder, from compiling on: its features are kept after the first pass. */
export async function frozenRun(
  engine: Engine,
  ids: readonly (readonly number[])[],
): Promise<() => Promise<unknown>> {
  const prepared = await miniLm();
  const train = streamOf(prepared, classTask, classItems(ids));
  const phase = lastPhase(featureExtraction, prepared);
  return () =>
    new Trainer({
      ...runOf(engine, prepared),
      phases: [{ ...phase, epochs: FROZEN_PASSES }],
      train,
    }).run();
}
