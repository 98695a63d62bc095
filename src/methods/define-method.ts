/** How a transfer method is declared: which parts of a model move, how fast, and in which order. */
import type { Network, Role } from '../models/index.js';

/** What a method plans for. */
export interface MethodContext {
  readonly model: Network;
  /** Whether a parameter plays a role, e.g. `head`. */
  readonly hasRole: (path: string, role: Role) => boolean;
  /** What the model reads; rates and numbers of passes differ. Pictures by default. */
  readonly modality?: 'image' | 'text';
  /** Channels of the hidden states of a text model; its rates depend on it. */
  readonly width?: number;
  /** The head is not new: it was trained with the base, or is part of it. */
  readonly headTrained?: boolean;
  /** Passes over the training data in all. */
  readonly epochs: number;
  /** Peak learning rate; absent: the method's own. */
  readonly lr?: number;
  /** Factor of the learning rate from one layer group to the one below; absent: the method's own. */
  readonly layerDecay?: number;
}

/** Courses of the learning rate after the warm-up. */
export const SCHEDULES = ['cosine', 'linear', 'constant'] as const;

/** A stretch of training in which the same parameters move. */
export interface Phase {
  /** For people and logs, e.g. `head`, `all`. */
  readonly name: string;
  readonly epochs: number;
  /**
   * `head`: the trunk is frozen and deterministic, so what it computes for a sample is computed
   * once and kept; `all`: every step runs the whole model.
   */
  readonly runs: 'head' | 'all';
  /** Which weights move. */
  readonly trainable: (path: string) => boolean;
  /**
   * Batch norms: `frozen` normalises by the base's statistics, which never move, and keeps the
   * affine part; `batch` normalises by the batch, updates the statistics and trains the affine part.
   */
  readonly norms: 'frozen' | 'batch';
  /** Peak learning rate. */
  readonly lr: number;
  /** Factor of the learning rate for a parameter. */
  readonly rate: (path: string) => number;
  /** Steps of linear warm-up, as a share of the phase. */
  readonly warmup: number;
  /** How the rate falls after the warm-up: as a half cosine or in a line to zero, or not at all. */
  readonly schedule: (typeof SCHEDULES)[number];
}

/** Everything there is to know of a method. */
export interface MethodDefinition {
  readonly name: string;
  readonly kind: 'inductive' | 'transductive' | 'unsupervised' | 'semi-supervised' | 'meta';
  /** One sentence for people. */
  readonly summary: string;
  /** Paper or practice that it follows. */
  readonly source: string;
  /** Flows of batches that it reads, and whether they must be labelled. */
  readonly streams: readonly { readonly name: string; readonly labelled: boolean }[];
  /** Whether it starts from the base's weights; false for controls from random weights. */
  readonly usesBase: boolean;
  readonly plan: (context: MethodContext) => readonly Phase[];
}

/** Declares a method. */
export function defineMethod(definition: MethodDefinition): MethodDefinition {
  return definition;
}
