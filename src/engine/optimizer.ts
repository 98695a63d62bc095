/** What the training engine asks of an optimizer; implementations are in `optim/`. */
import type { Tensor, TensorType } from '../graph/index.js';

/** Symbolic values that an update rule works with. */
export interface UpdateContext {
  readonly parameter: Tensor;
  /** Gradient, summed over the window of batches. */
  readonly gradient: Tensor;
  /**
   * Factor that the gradient must be multiplied with (1 / weight of the window, and clipping by
   * norm), a scalar of the gradient's dtype. Rules fold it into their own factors, which saves a
   * pass over memory.
   */
  readonly gradientScale: Tensor;
  /** State tensors by the names of {@link Optimizer.state}. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** Scalars by the names of {@link Optimizer.scalars}. */
  readonly scalars: Readonly<Record<string, Tensor>>;
}

/** Result of an update rule. */
export interface UpdateResult {
  readonly parameter: Tensor;
  readonly state: Readonly<Record<string, Tensor>>;
}

/**
 * An optimizer as pure functions. It holds no values: state lives in device buffers, and numbers
 * that change from step to step are computed on the host in double precision and fed.
 */
export interface Optimizer {
  readonly name: string;
  /** Types of the state kept for a parameter, by name; every element starts at zero. */
  state(parameter: TensorType): Readonly<Record<string, TensorType>>;
  /**
   * Numbers fed at a step.
   * @param step counts from 1
   */
  scalars(step: number): Readonly<Record<string, number>>;
  /** Builds the graph of one parameter's update. */
  update(context: UpdateContext): UpdateResult;
}
