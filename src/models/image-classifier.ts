/** What every image classifier offers to methods, whatever its architecture. */
import type { Tensor } from '../graph/index.js';
import type { Context } from '../nn/index.js';
import { type BatchTensors, Network } from './network.js';

/** Name of the input of every image model, as in Hugging Face's exported models. */
export const PIXELS = 'pixels';

/**
 * An image classifier in three parts: `features` (the trunk), `pool` and `classify` (the head).
 * The names of its parameters are those of its Hugging Face checkpoint.
 */
export abstract class ImageClassifier extends Network {
  /** Pixels [batch, channels, height, width] to the last feature map, of which Grad-CAM makes heat. */
  abstract features(x: Tensor, context: Context): Tensor;

  /**
   * The last feature map to what the new head reads, e.g. [batch, width]. With the trunk frozen
   * this is computed once for each picture and kept.
   */
  abstract pool(features: Tensor, context: Context): Tensor;

  /** What `pool` gives to logits [batch, classes]; dropout before the last layer belongs here. */
  abstract classify(pooled: Tensor, context: Context): Tensor;

  /**
   * Takes a new, untrained last layer for so many classes.
   * Only parameters of the role `head` change.
   */
  abstract replaceHead(classes: number): void;

  override throughTrunk(batch: BatchTensors, context: Context): Tensor {
    return this.pool(this.features(batch[PIXELS]!, context), context);
  }

  override throughHead(features: Tensor, _batch: BatchTensors, context: Context): Tensor {
    return this.classify(features, context);
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.classify(this.pool(this.features(x, context), context), context);
  }
}
