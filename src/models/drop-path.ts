/** Stochastic depth: a residual branch is left out for a whole sample. */
import type { Tensor } from '../graph/index.js';
import type { Context } from '../nn/index.js';
import { dropout } from '../ops/index.js';

/**
 * Drops the branch of each sample with chance `rate` while training, and scales the others by
 * 1 / (1 - rate).
 * @param x the branch, [batch, ...], before it is added
 * @see Huang et al., "Deep Networks with Stochastic Depth", 2016
 */
export function dropPath(x: Tensor, rate: number, context: Context): Tensor {
  if (!context.training || rate === 0) return x;
  const onePerSample = x.shape.map((n, axis) => (axis === 0 ? n : 1));
  return dropout(x, rate, context.randomKey(), onePerSample);
}
