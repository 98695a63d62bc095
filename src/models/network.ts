/** What training and transfer methods need of a model, whatever it reads. */
import type { Tensor } from '../graph/index.js';
import { type Context, Module } from '../nn/index.js';

/** Placeholders of one batch by name, such as `pixels` or `input_ids`. */
export type BatchTensors = Readonly<Record<string, Tensor>>;

/**
 * A model in two parts: the trunk, which is reused, and the head, which answers the task. The names of
 * its parameters are those of its Hugging Face checkpoint.
 */
export abstract class Network extends Module {
  /**
   * What the head reads, e.g. [batch, width] or [batch, tokens, width]. With the trunk frozen this is
   * computed once for each sample and kept.
   */
  abstract throughTrunk(batch: BatchTensors, context: Context): Tensor;

  /**
   * The answer, e.g. logits [batch, classes]; dropout before the last layer belongs here.
   * @param features what the trunk gave
   */
  abstract throughHead(features: Tensor, batch: BatchTensors, context: Context): Tensor;

  /**
   * Prefixes of parameter paths (ended by a dot or the path's end) from the input to the head: one
   * group a layer or block. Every parameter belongs to exactly one group, by its longest prefix.
   */
  abstract layerGroups(): readonly string[];

  /** Trunk and head. */
  through(batch: BatchTensors, context: Context): Tensor {
    return this.throughHead(this.throughTrunk(batch, context), batch, context);
  }
}

/** Index of the layer group of each parameter; 0 is nearest to the input. */
export function groupIndices(model: Network): Map<string, number> {
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
