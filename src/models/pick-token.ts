/** The one token of each text that a classifier of whole texts reads. */
import { constantOf, hostTensor, type Tensor } from '../graph/index.js';
import { add, argmax, cast, gather, mul, notEqual, reshape, slice } from '../ops/index.js';
import type { BatchTensors } from './network.js';
import { batchTensor, TEXT_INPUTS } from './text-model.js';

/** One token of [batch, tokens, width], as [batch, width]. */
export function tokenOf(hidden: Tensor, index: number): Tensor {
  const [batch, , width] = hidden.shape as [number, number, number];
  const one = slice(hidden, { starts: [index], ends: [index + 1], axes: [1] });
  return reshape(one, [batch, width]);
}

/** The first token of [batch, tokens, width], as [batch, 1, width]. */
export function firstToken(hidden: Tensor): Tensor {
  return slice(hidden, { starts: [0], ends: [1], axes: [1] });
}

/** int64 0, step, 2 step, ... */
function steps(count: number, step: number): Tensor {
  return constantOf(
    hostTensor(
      'int64',
      [count],
      Array.from({ length: count }, (_, i) => i * step),
    ),
  );
}

/**
 * The last token of each text that is no padding, as decoders of transformers find it: the rightmost one
 * whose id is not `padToken`. Without such an id the mask says, and without a mask it is the last.
 * @param hidden [batch, tokens, width]
 * @returns [batch, width]
 */
export function lastToken(hidden: Tensor, batch: BatchTensors, padToken: number | null): Tensor {
  const [rows, tokens, width] = hidden.shape as [number, number, number];
  const mask = batch[TEXT_INPUTS.mask];
  if (padToken === null && !mask) return tokenOf(hidden, tokens - 1);
  const seen = padToken === null ? mask! : notEqual(batchTensor(batch, TEXT_INPUTS.ids), padToken);
  const last = argmax(mul(cast(seen, 'int64'), steps(tokens, 1)), 1);
  return gather(reshape(hidden, [rows * tokens, width]), add(last, steps(rows, tokens)));
}
