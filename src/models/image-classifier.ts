/** What every image classifier offers to methods, whatever its architecture. */
import type { Tensor } from '../graph/index.js';
import { type Context, Module } from '../nn/index.js';

/**
 * An image classifier in three parts: `features` (the trunk), `pool` and `classify` (the head).
 * The names of its parameters are those of its Hugging Face checkpoint.
 */
export abstract class ImageClassifier extends Module {
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

  /**
   * Prefixes of parameter paths (ended by a dot or the path's end) from the input to the head: one
   * group a layer or block. Every parameter belongs to exactly one group, by its longest prefix.
   */
  abstract layerGroups(): readonly string[];

  override forward(x: Tensor, context: Context): Tensor {
    return this.classify(this.pool(this.features(x, context), context), context);
  }
}

/** Index of the layer group of each parameter; 0 is nearest to the input. */
export function groupIndices(model: ImageClassifier): Map<string, number> {
  const groups = model.layerGroups();
  const found = new Map<string, number>();
  for (const path of model.parameters().keys()) {
    let best = -1;
    for (const [i, prefix] of groups.entries()) {
      const inside = path === prefix || path.startsWith(`${prefix}.`);
      if (inside && (best < 0 || prefix.length > groups[best]!.length)) best = i;
    }
    if (best < 0) throw new Error(`No layer group holds ${path}.`);
    found.set(path, best);
  }
  return found;
}
