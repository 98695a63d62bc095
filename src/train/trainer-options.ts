/** What the loop is given, and what it gives. */
import type { Engine } from '../engine/index.js';
import type { Phase } from '../methods/index.js';
import type { Network } from '../models/index.js';
import type { Weights } from '../nn/index.js';
import type { TaskDefinition } from '../tasks/index.js';
import type { TrainListener } from './events.js';
import type { FeatureStore } from './features.js';
import type { OptimizerChoice } from './optimizer-plan.js';
import type { Best, CheckpointStore } from './state.js';
import type { BatchStream } from './stream.js';

/** What a run is made of. */
export interface TrainerOptions {
  readonly engine: Engine;
  readonly model: Network;
  /** Stands for the network: its type and configuration. */
  readonly structure: string;
  /** Starting values of all weights. */
  readonly weights: Weights;
  readonly isHead: (path: string) => boolean;
  readonly task: TaskDefinition;
  readonly phases: readonly Phase[];
  readonly train: BatchStream;
  /** Chooses the best model; without it the last one is taken. */
  readonly valid: BatchStream | null;
  readonly optimizer: OptimizerChoice;
  /** Limit of the gradient's global 2-norm. */
  readonly clipNorm: number;
  /** Batches whose gradients make one update. */
  readonly accumulate: number;
  /** Decay of an exponential average of the weights, e.g. 0.999. */
  readonly ema?: number | undefined;
  /** Passes without a better model after which a phase ends; absent: never. */
  readonly patience?: number | undefined;
  readonly seed: number;
  readonly checkpoints: CheckpointStore;
  /** Updates between checkpoints; one is also written after each pass. */
  readonly checkpointEvery?: number | undefined;
  /** Go on from the newest checkpoint, if there is one. */
  readonly resume?: boolean;
  readonly features?: FeatureStore | undefined;
  readonly listener?: TrainListener;
  /**
   * Ends the run after the current step, with a checkpoint; while the data is only looked at (kept
   * features, evaluation), after the current batch.
   */
  readonly signal?: AbortSignal | undefined;
}

/** How a run ended. */
export interface TrainResult {
  /** Of the best model by the validation part, or of the last one. */
  readonly weights: Weights;
  readonly best: Best | null;
  readonly steps: number;
  readonly epochs: number;
  readonly interrupted: boolean;
}
