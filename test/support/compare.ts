/** Elementwise comparison with messages that show where and by how much values differ. */
import { expect } from 'vitest';
import { type HostTensor, toNumbers } from '../../src/graph/index.js';

/** How close values must be: |got - want| <= atol + rtol |want|. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Fails unless `got` has the shape and, within the tolerance, the values of `want`. */
export function expectClose(
  what: string,
  got: HostTensor,
  want: { readonly shape: readonly number[]; readonly data: readonly number[] },
  { rtol, atol }: Tolerance,
): void {
  expect(got.shape, `${what}: shape`).toEqual(want.shape);
  const values = toNumbers(got);
  let worst = -1;
  let at = -1;
  for (const [i, w] of want.data.entries()) {
    const g = values[i]!;
    if (Object.is(g, w) || g === w || (Number.isNaN(g) && Number.isNaN(w))) continue;
    const excess = Math.abs(g - w) / (atol + rtol * Math.abs(w));
    if (!(excess <= worst)) {
      worst = Number.isNaN(excess) ? Number.POSITIVE_INFINITY : excess;
      at = i;
    }
  }
  if (worst > 1) {
    expect.fail(
      `${what}: element ${at} of [${want.shape.join(',')}] is ${values[at]}, expected ${want.data[at]} (${worst.toFixed(1)} times the tolerance rtol ${rtol}, atol ${atol})`,
    );
  }
}
