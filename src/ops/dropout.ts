/** Dropout with keyed masks. */
import { ConfigError } from '../errors.js';
import { defineOp, type Shape, type Tensor } from '../graph/index.js';
import { broadcastShapes, requireDType, requireFloat } from './check.js';
import { sumTo, zerosLike } from './layout.js';
import { onnxDType } from './onnx-dtype.js';
import { bernoulli } from './random.js';

/**
 * scale x where `keep` is true, 0 elsewhere. dx = the same of dy, so that a backward pass holds one
 * byte an element.
 */
export const maskScaleOp = defineOp<{ scale: number }>({
  name: 'maskScale',
  infer: ([x, keep]) => {
    requireFloat('maskScale', x!);
    requireDType('maskScale', keep!, ['bool']);
    return { dtype: x!.dtype, shape: broadcastShapes('maskScale', x!.shape, keep!.shape) };
  },
  grad: ({ inputs: [x, keep], dy, attrs }) => [
    sumTo(maskScale(dy, keep!, attrs.scale), x!.shape),
    null,
  ],
  onnx: (emit, { inputs: [x, keep], attrs }) => {
    const { dtype } = x!;
    const mask = emit.one('Cast', [emit.name(keep!)], {
      to: { int: onnxDType(dtype) },
    });
    const factor = emit.one('Mul', [mask, emit.scalar(dtype, attrs.scale)]);
    return emit.one('Mul', [emit.name(x!), factor]);
  },
  elementwise: true,
});

/** scale x where `keep` (bool, broadcast) is true, 0 elsewhere. */
export function maskScale(x: Tensor, keep: Tensor, scale: number): Tensor {
  return maskScaleOp.one([x, keep], { scale });
}

/**
 * Zeroes each element with chance `rate` and scales the others by 1 / (1 - rate), so that the
 * expectation stays. The backward pass uses the very same mask. Rate 0 gives `x` itself.
 * @param rate chance to drop, from 0 to 1
 * @param key a key that no other site of the step uses: fold the site in
 * @param noiseShape draw one number for several elements: axes of length 1 broadcast (drop path,
 *   spatial dropout). Defaults to the shape of `x`.
 * @see https://jmlr.org/papers/v15/srivastava14a.html
 */
export function dropout(x: Tensor, rate: number, key: Tensor, noiseShape: Shape = x.shape): Tensor {
  requireFloat('dropout', x);
  if (!(rate >= 0 && rate <= 1)) {
    throw new ConfigError(`dropout: the rate must lie between 0 and 1, got ${rate}.`, { rate });
  }
  if (rate === 0) return x;
  if (rate === 1) return zerosLike(x);
  return maskScale(x, bernoulli(key, 1 - rate, noiseShape), 1 / (1 - rate));
}
