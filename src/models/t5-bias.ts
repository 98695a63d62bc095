/** T5's relative positions: one learned number a head and a class of distances, added to the scores. */
import { constantOf, hostTensor, type Tensor } from '../graph/index.js';
import { expand, gather, maximum, reshape, sub, transpose } from '../ops/index.js';

/** How distances are classed. */
export interface RelativeBuckets {
  readonly buckets: number;
  /** From this distance on all are of one class. */
  readonly maxDistance: number;
}

const { fround } = Math;

/**
 * The class of a distance: near ones have one each, farther ones share classes that widen as their logarithm.
 * In float32 as the reference computes it, where the ends of classes fall.
 * Source: Raffel et al., "Exploring the limits of transfer learning", 2020; transformers' modeling_t5.py.
 * @param relative position of the key minus that of the query
 * @param bothWays keys may come after the query (an encoder)
 */
export function relativeBucket(
  relative: number,
  { buckets, maxDistance }: RelativeBuckets,
  bothWays: boolean,
): number {
  const count = bothWays ? Math.floor(buckets / 2) : buckets;
  const first = bothWays && relative > 0 ? count : 0;
  const distance = bothWays ? Math.abs(relative) : Math.max(0, -relative);
  const exact = Math.floor(count / 2);
  if (distance < exact) return first + distance;
  const ratio = fround(Math.log(fround(distance / exact)));
  const scaled = fround(fround(ratio / fround(Math.log(maxDistance / exact))) * (count - exact));
  return first + Math.min(exact + Math.trunc(scaled), count - 1);
}

/** Rows of the table [buckets, heads] for classes of any shape, as [..., heads]. */
function rowsOf(table: Tensor, shape: readonly number[], classes: readonly number[]): Tensor {
  return gather(table, constantOf(hostTensor('int32', [...shape], [...classes])));
}

/** The bias [1, heads, tokens, tokens] of tokens that attend to each other. */
export function relativeBias(
  table: Tensor,
  tokens: number,
  settings: RelativeBuckets,
  bothWays: boolean,
): Tensor {
  const classes = Array.from({ length: tokens * tokens }, (_, i) =>
    relativeBucket((i % tokens) - Math.floor(i / tokens), settings, bothWays),
  );
  const rows = rowsOf(table, [tokens, tokens], classes);
  return reshape(transpose(rows, [2, 0, 1]), [1, table.shape[1]!, tokens, tokens]);
}

/**
 * The bias [batch, heads, 1, capacity] of one new token that attends to the slots of a cache.
 * @param position where the new token stands, int32 [batch, 1]; what lies behind it is hidden by a mask
 */
export function steppingBias(
  table: Tensor,
  position: Tensor,
  capacity: number,
  settings: RelativeBuckets,
): Tensor {
  const [batch] = position.shape as [number, number];
  const places = Array.from({ length: capacity }, (_, i) => i);
  const byDistance = rowsOf(
    table,
    [capacity],
    places.map((distance) => relativeBucket(-distance, settings, false)),
  );
  const slots = constantOf(hostTensor('int32', [1, capacity], places));
  const distance = maximum(sub(expand(position, [batch, capacity]), slots), 0);
  const rows = gather(byDistance, distance);
  return reshape(transpose(rows, [0, 2, 1]), [batch, table.shape[1]!, 1, capacity]);
}
