/** A small encoder on sentences of mixed lengths, by the loop that `graft fit` runs. */
import type { Engine } from '../../src/index.js';
import { fineTune } from '../../src/methods/index.js';
import type { RawConfig } from '../../src/models/index.js';
import { singleLabelClassification } from '../../src/tasks/index.js';
import {
  type BatchStream,
  MemoryCheckpoints,
  type ReadOptions,
  type StreamBatch,
  TextStream,
  Trainer,
} from '../../src/train/index.js';
import { sentences, wordPiece } from '../texts.js';
import { BATCH, COMMON, lastPhase, prepareText } from './text.js';

/** Size of `all-MiniLM-L6-v2`; the rest is BERT's default. */
export const MINI_LM: RawConfig = {
  hidden_size: 384,
  num_hidden_layers: 6,
  num_attention_heads: 12,
  intermediate_size: 1536,
};

/** Sentences of a pass: forty steps. */
export const SENTENCES = 640;

/** Ids of sentences drawn evenly from all there are. */
export function mixedIds(): number[][] {
  const tokenizer = wordPiece();
  const all = sentences();
  return Array.from({ length: SENTENCES }, (_, i) =>
    Array.from(tokenizer.ids(all[Math.floor((i * all.length) / SENTENCES)]!)),
  );
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
  /** One pass over all sentences, with what the loop does at its end. */
  readonly pass: () => Promise<void>;
  /** Ends the run after its next step. */
  readonly end: () => Promise<void>;
}

/** Starts a run; its first pass also compiles a program for each length. */
export async function startPasses(
  engine: Engine,
  ids: readonly (readonly number[])[],
): Promise<Passes> {
  const prepared = await prepareText('bert', 'sequence-classification', MINI_LM);
  const { definition, config, model, weights, isHead } = prepared;
  const stream = new TextStream({
    task: singleLabelClassification({ classes: 2 }),
    samples: ids.map((_, i) => ({ id: String(i), text: '', label: i % 2 })),
    items: ids.map((row, i) => ({
      ids: Int32Array.from(row),
      typeIds: null,
      labels: Float32Array.of(1 - (i % 2), i % 2),
      truncated: 0,
    })),
    batchSize: BATCH,
    padToken: 0,
    inputs: definition.inputs,
    maxTokens: config.maxTokens!,
    seed: 0,
    fingerprint: 'mixed',
  });
  const paced = new PacedStream(stream);
  const abort = new AbortController();
  const trainer = new Trainer({
    ...COMMON,
    engine,
    model,
    weights,
    isHead,
    structure: 'bench',
    phases: [lastPhase(fineTune, prepared)],
    train: paced,
    accumulate: 1,
    checkpoints: new MemoryCheckpoints(),
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
