/** Pictures drawn in code: noisy circles, squares, triangles and crosses of any place and size. */
import { type HostTensor, hostTensor, makeKey, normalAt, uniformAt } from '../src/api.js';

/** Side of a picture, in pixels. */
export const SIDE = 20;
/** Names of the classes; a label is an index into them. */
export const SHAPES = ['circle', 'square', 'triangle', 'cross'] as const;

/** A labelled set of pictures. */
export interface Pictures {
  /** [count, 1, SIDE, SIDE] */
  readonly x: HostTensor;
  /** [count] */
  readonly y: HostTensor;
}

/** True where the outline of shape `label` with radius `r` passes, at (dx, dy) from its middle. */
function inked(label: number, dx: number, dy: number, r: number): boolean {
  const [ax, ay] = [Math.abs(dx), Math.abs(dy)];
  switch (label) {
    case 0:
      return Math.abs(Math.hypot(dx, dy) - r) < 0.8;
    case 1:
      return Math.abs(Math.max(ax, ay) - r) < 0.6;
    case 2:
      return (
        (Math.abs(dy - r) < 0.6 && ax <= r) ||
        (Math.abs(2 * ax - (dy + r)) < 1.1 && dy <= r && dy >= -r)
      );
    default:
      return Math.abs(ax - ay) < 0.9 && ax <= r;
  }
}

/** Draws `count` pictures; the same seed gives the same pictures everywhere. */
export function drawShapes(count: number, seed: number): Pictures {
  const pixels = new Float32Array(count * SIDE * SIDE);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const key = makeKey(seed, i);
    const label = Math.floor(uniformAt(key, 0) * SHAPES.length);
    const r = 4 + 3 * uniformAt(key, 1);
    const [cx, cy] = [2, 3].map((n) => r + 1 + uniformAt(key, n) * (SIDE - 2 * r - 3));
    for (let p = 0; p < SIDE * SIDE; p++) {
      const ink = inked(label, (p % SIDE) - cx!, Math.floor(p / SIDE) - cy!, r) ? 1 : 0;
      pixels[i * SIDE * SIDE + p] = ink + 0.35 * normalAt(key, 4 + p) - 0.2;
    }
    labels[i] = label;
  }
  return {
    x: hostTensor('float32', [count, 1, SIDE, SIDE], pixels),
    y: hostTensor('int64', [count], labels),
  };
}

/** The pictures at `indices`. */
export function pick({ x, y }: Pictures, indices: readonly number[]): Pictures {
  const area = SIDE * SIDE;
  const pixels = new Float32Array(indices.length * area);
  for (const [i, from] of indices.entries()) {
    pixels.set((x.data as Float32Array).subarray(from * area, (from + 1) * area), i * area);
  }
  return {
    x: hostTensor('float32', [indices.length, 1, SIDE, SIDE], pixels),
    y: hostTensor(
      'int64',
      [indices.length],
      indices.map((i) => Number(y.data[i])),
    ),
  };
}

/** Picture `index` as text, half a block a pixel. */
export function sketch({ x }: Pictures, index: number): string[] {
  const at = (row: number, column: number) =>
    Number(x.data[(index * SIDE + row) * SIDE + column]) > 0.4;
  return Array.from({ length: SIDE / 2 }, (_, half) =>
    Array.from({ length: SIDE }, (_, column) => {
      const [top, bottom] = [at(2 * half, column), at(2 * half + 1, column)];
      return top ? (bottom ? '█' : '▀') : bottom ? '▄' : ' ';
    }).join(''),
  );
}
