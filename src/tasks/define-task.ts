/** How a task is declared: what its loss is, how results are scored, and which score decides. */
import type { Shape, Tensor } from '../graph/index.js';

/** Loss of one batch, summed over its items, and how much the items weigh together. */
export interface TaskLoss {
  readonly loss: Tensor;
  readonly weight: Tensor;
}

/** Placeholders of a batch, by name. */
type BatchTensors = Readonly<Record<string, Tensor>>;

/** What evaluation keeps of one sample, such as its logits. */
export interface Row {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** What a model gave for a set of samples, beside the truth. */
export interface TaskOutputs<T = unknown> {
  /** One a sample. */
  readonly rows: readonly Row[];
  /** What is true of each sample. */
  readonly truth: readonly T[];
}

/** Scores by the field's names, such as `accuracy` and `f1`. */
export type Metrics = Readonly<Record<string, number>>;

/** Everything that training needs to know of a task; `T` is what is true of one sample. */
export interface TaskDefinition<T = unknown> {
  /** Hugging Face's name of the task. */
  readonly name: string;
  /** The score that chooses the best model. */
  readonly primary: { readonly metric: string; readonly better: 'higher' | 'lower' };
  /**
   * Builds the loss.
   * @param outputs what the head gave, e.g. logits [batch, classes]
   * @param batch placeholders of the batch by name
   */
  loss(outputs: Tensor, batch: BatchTensors): TaskLoss;
  /** What evaluation keeps of a batch's outputs, batch first; the outputs themselves when absent. */
  keep?(outputs: Tensor, batch: BatchTensors): Tensor;
  score(outputs: TaskOutputs<T>): Metrics;
}

/** Declares a task. */
export function defineTask<T>(definition: TaskDefinition<T>): TaskDefinition<T> {
  return definition;
}
