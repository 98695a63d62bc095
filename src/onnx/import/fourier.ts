/** Fourier transforms as products with matrices: what their backward pass runs through. */
import { constant, type Tensor } from '../../graph/index.js';
import * as ops from '../../ops/index.js';

/** Largest matrix of a transform, in elements; longer transforms have no gradient. */
const MAX_MATRIX = 2 ** 22;

/** A transform of `length` elements of which the first `bins` are kept. */
export interface Transform {
  readonly length: number;
  readonly bins: number;
  readonly inverse: boolean;
}

/** True when the transform is small enough to be a matrix. */
export function hasMatrix({ length, bins }: Transform): boolean {
  return length >= 1 && length * bins <= MAX_MATRIX;
}

/**
 * X_k = sum of x_n exp(-2 pi i k n / N) along the last axis but one; the inverse turns the other way
 * and divides by N.
 * @param x [..., n, 1 or 2], real parts and, if there are two, imaginary ones; cut or filled up
 *   with zeros to the length
 * @returns [..., bins, 2]
 */
export function transform(x: Tensor, { length, bins, inverse }: Transform): Tensor {
  const axis = x.rank - 2;
  const missing = length - x.shape[axis]!;
  const whole = ops.pad(
    x,
    x.shape.map((_, i): [number, number] => [0, i === axis ? missing : 0]),
  );
  const matrix = (of: (angle: number) => number) => {
    const data = new Float64Array(length * bins);
    for (let n = 0; n < length; n++) {
      for (let k = 0; k < bins; k++) {
        // The product is reduced first: the angle of a large one would lose its digits.
        const angle = (2 * Math.PI * ((n * k) % length)) / length;
        data[n * bins + k] = of(angle) / (inverse ? length : 1);
      }
    }
    return constant(data, x.dtype, [length, bins]);
  };
  const cos = matrix(Math.cos);
  const sin = matrix(inverse ? (a) => -Math.sin(a) : Math.sin);
  const [re, im] = ops.unstack(whole, x.rank - 1);
  const along = (t: Tensor, m: Tensor) => ops.matmul(t, m);
  const real = im ? ops.add(along(re!, cos), along(im, sin)) : along(re!, cos);
  const turned = ops.neg(along(re!, sin));
  const imaginary = im ? ops.add(along(im, cos), turned) : turned;
  return ops.stack([real, imaginary], real.rank);
}

/** {@link transform} along another axis. */
export function transformAlong(x: Tensor, axis: number, how: Transform): Tensor {
  const last = x.rank - 1;
  const rest = [...x.shape.keys()].filter((i) => i !== axis && i !== last);
  const perm = [...rest, axis, last];
  const back = perm.map((_, i) => perm.indexOf(i));
  return ops.transpose(transform(ops.transpose(x, perm), how), back);
}

/**
 * Transforms of frames cut out of a signal.
 * @param x [batch, samples, 1 or 2]
 * @param window [length], or none
 * @returns [batch, frames, bins, 2]
 */
export function framesOf(
  x: Tensor,
  window: Tensor | undefined,
  frames: number,
  step: number,
  how: Transform,
): Tensor {
  const { length } = how;
  const at = Array.from({ length: frames * length }, (_, i) => {
    const frame = Math.floor(i / length);
    return frame * step + (i % length);
  });
  const cut = ops.gather(x, constant(at, 'int64', [frames, length]), 1);
  return transform(window ? ops.mul(cut, ops.reshape(window, [length, 1])) : cut, how);
}
