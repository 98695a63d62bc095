/** Sampling of an image at a grid of points, in Graft operations: what its backward pass runs through. */
import { scalar, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';

/** How a grid is read. */
export interface GridOptions {
  /** What lies outside the image: zeros, or its edge. */
  readonly padding: 'zeros' | 'border';
  /** -1 and 1 are the centres of the outer pixels instead of their outer edges. */
  readonly alignCorners: boolean;
}

/** The pixel before a coordinate, and how far the coordinate lies beyond it. */
interface Place {
  readonly low: Tensor;
  readonly weight: Tensor;
}

function place(coordinate: Tensor, size: number, { padding, alignCorners }: GridOptions): Place {
  const unit = ops.mul(ops.add(coordinate, 1), 0.5);
  const free = alignCorners ? ops.mul(unit, size - 1) : ops.sub(ops.mul(unit, size), 0.5);
  const at = padding === 'border' ? ops.clip(free, { min: 0, max: size - 1 }) : free;
  const low = ops.stopGradient(ops.floor(at));
  return { low, weight: ops.sub(at, low) };
}

/**
 * Bilinear samples.
 * @param x [batch, channels, height, width]
 * @param grid [batch, height', width', 2], pairs of (x, y) from -1 to 1
 * @returns [batch, channels, height', width']
 */
export function sampleGrid(x: Tensor, grid: Tensor, options: GridOptions): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [, rows, columns] = grid.shape as [number, number, number];
  const points = rows * columns;
  const [gx, gy] = ops
    .unstack(ops.reshape(grid, [batch, points, 2]), 2)
    .map((t) => ops.reshape(t, [batch, 1, points])) as [Tensor, Tensor];
  const across = place(gx, width, options);
  const down = place(gy, height, options);
  const flat = ops.reshape(x, [batch, channels, height * width]);
  const one = (near: boolean, weight: Tensor) => (near ? weight : ops.sub(1, weight));
  const corners = [false, true].flatMap((lower) =>
    [false, true].map((right) => {
      const column = right ? ops.add(across.low, 1) : across.low;
      const row = lower ? ops.add(down.low, 1) : down.low;
      const inside = (t: Tensor, size: number) =>
        ops.logicalAnd(
          ops.greaterEqual(t, scalar(0, t.dtype)),
          ops.lessEqual(t, scalar(size - 1, t.dtype)),
        );
      const held = (t: Tensor, size: number) => ops.clip(t, { min: 0, max: size - 1 });
      const index = ops.add(ops.mul(held(row, height), width), held(column, width));
      const pixels = ops.gatherElements(
        flat,
        ops.expand(ops.cast(index, 'int64'), [batch, channels, points]),
        2,
      );
      const weight = ops.mul(one(lower, down.weight), one(right, across.weight));
      const seen = ops.logicalAnd(inside(row, height), inside(column, width));
      return ops.mul(pixels, ops.where(seen, weight, scalar(0, x.dtype)));
    }),
  );
  return ops.reshape(ops.addAll(corners), [batch, channels, rows, columns]);
}
