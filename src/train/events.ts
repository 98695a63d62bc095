/** What the loop tells while it runs. */
import type { Metrics } from '../tasks/index.js';

/** Something that happened in a run. Steps and epochs count from 1 over the whole run. */
export type TrainEvent =
  | {
      readonly type: 'phase';
      readonly phase: string;
      readonly epochs: number;
      readonly steps: number;
      /** Numbers of elements that move, and of all. */
      readonly trainable: number;
      readonly total: number;
    }
  | { readonly type: 'features'; readonly done: number; readonly total: number }
  | {
      readonly type: 'step';
      readonly phase: string;
      readonly epoch: number;
      readonly epochs: number;
      readonly step: number;
      readonly steps: number;
      /** Mean over the step's window. */
      readonly loss: number;
      /** Of the fastest group. */
      readonly lr: number;
      readonly gradientNorm?: number;
    }
  | {
      readonly type: 'epoch';
      readonly phase: string;
      readonly epoch: number;
      readonly epochs: number;
      readonly step: number;
      /** Mean over the pass. */
      readonly loss: number;
      /** Of the validation part; null when there is none. */
      readonly valid: Metrics | null;
      /** The score that decides, by its name in `valid`. */
      readonly primary: string;
      readonly best: boolean;
    }
  | { readonly type: 'checkpoint'; readonly step: number }
  | { readonly type: 'resume'; readonly step: number }
  | { readonly type: 'early-stop'; readonly epoch: number; readonly patience: number };

/** Listens to a run. */
export type TrainListener = (event: TrainEvent) => void;
