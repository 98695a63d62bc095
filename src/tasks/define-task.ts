/** How a task is declared: what its loss is, how results are scored, and which score decides. */
import type { Tensor } from '../graph/index.js';

/** Loss of one batch, summed over its items, and how much the items weigh together. */
export interface TaskLoss {
  readonly loss: Tensor;
  readonly weight: Tensor;
}

/** What a model gave for a set of samples, row by row, beside the truth. */
export interface TaskOutputs {
  /** [count, classes], row-major. */
  readonly logits: Float32Array;
  readonly classes: number;
  /** True classes, [count]. */
  readonly labels: Int32Array;
}

/** Scores by the field's names, such as `accuracy` and `f1`. */
export type Metrics = Readonly<Record<string, number>>;

/** Everything that training needs to know of a task. */
export interface TaskDefinition {
  /** Hugging Face's name of the task. */
  readonly name: string;
  /** The score that chooses the best model. */
  readonly primary: { readonly metric: string; readonly better: 'higher' | 'lower' };
  /**
   * Builds the loss.
   * @param outputs what the head gave, e.g. logits [batch, classes]
   * @param batch placeholders of the batch by name
   */
  readonly loss: (outputs: Tensor, batch: Readonly<Record<string, Tensor>>) => TaskLoss;
  readonly score: (outputs: TaskOutputs) => Metrics;
}

/** Declares a task. */
export function defineTask(definition: TaskDefinition): TaskDefinition {
  return definition;
}
