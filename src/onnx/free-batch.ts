/** Takes the batch out of an encoded model. */
import type { EncodedModel } from './encode.js';
import { freeAxes } from './free-axes.js';

/** One graph, encoded for a batch of that size. */
export interface BatchModel {
  readonly batch: number;
  readonly model: EncodedModel;
}

/**
 * One model for every batch, from two encodings of one graph that was traced for two batches.
 * Choose sizes that no other axis has. In `inputs` and `outputs` of the result -1 stands for the
 * batch.
 * @param axis name of the free axis in the file
 * @throws ConfigError with code `batch-dependent` when the two differ in more than the batch
 */
export function freeBatch(first: BatchModel, second: BatchModel, axis = 'batch'): EncodedModel {
  return freeAxes([first, second].map(({ batch, model }) => ({ sizes: { [axis]: batch }, model })));
}
