/** What an interrupted run needs to go on as if it had not been interrupted. */
import type { HostTensor } from '../graph/index.js';
import type { Weights } from '../nn/index.js';
import type { Metrics } from '../tasks/index.js';

/** The best model so far. */
export interface Best {
  readonly step: number;
  readonly epoch: number;
  readonly metrics: Metrics;
}

/** Where a run stands. Everything else follows from its options. */
export interface Position {
  /** Index of the phase. */
  readonly phase: number;
  /** Passes finished in this phase. */
  readonly epoch: number;
  /** Batches finished in this pass. */
  readonly batch: number;
  /** Optimizer updates of earlier phases. */
  readonly stepsBefore: number;
  /** Passes of earlier phases. */
  readonly epochsBefore: number;
  /** Sums over the steps of this pass, for its mean loss. */
  readonly lossSum: number;
  readonly weightSum: number;
  readonly best: Best | null;
  /** Passes since the best model, in this phase. */
  readonly stale: number;
}

/** A run at one moment. */
export interface Checkpoint {
  readonly position: Position;
  /** Updates and batches of the current phase's training step. */
  readonly step: number;
  readonly batches: number;
  /** All weights as they are, by path. */
  readonly weights: Weights;
  /** State of the optimizer, by variable name. */
  readonly optimizer: ReadonlyMap<string, HostTensor>;
  /** Averages of the weights, by path; empty without averaging. */
  readonly average: ReadonlyMap<string, HostTensor>;
}

/** Where checkpoints are kept. Writing is all or nothing: on failure the last one is still there. */
export interface CheckpointStore {
  save(checkpoint: Checkpoint): Promise<void>;
  /** The newest one that can be read whole; null when there is none. */
  latest(): Promise<Checkpoint | null>;
  saveBest(weights: Weights): Promise<void>;
  best(): Promise<Weights | null>;
}

/** Keeps checkpoints in memory: for runs that need not survive their process. */
export class MemoryCheckpoints implements CheckpointStore {
  private last: Checkpoint | null = null;
  private bestWeights: Weights | null = null;

  async save(checkpoint: Checkpoint): Promise<void> {
    this.last = checkpoint;
  }

  async latest(): Promise<Checkpoint | null> {
    return this.last;
  }

  async saveBest(weights: Weights): Promise<void> {
    this.bestWeights = new Map(weights);
  }

  async best(): Promise<Weights | null> {
    return this.bestWeights;
  }
}
