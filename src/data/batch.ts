/** Batches, as the loop takes them. */
import type { HostTensor } from '../graph/index.js';

/** A batch of pictures of fixed size; what is missing in the last one is padding of weight 0. */
export interface ImageBatch {
  /** float32 [batch, channels, height, width], normalised. */
  readonly pixels: HostTensor;
  /** float32 [batch, classes]: a distribution for each sample (one-hot, smoothed or mixed). */
  readonly targets: HostTensor;
  /** float32 [batch]: 1, the class weight, or 0 for padding. */
  readonly weights: HostTensor;
  /** Positions in the list of samples; -1 for padding. */
  readonly indices: readonly number[];
}
