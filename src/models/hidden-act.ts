/** Activations by the names that Hugging Face's `hidden_act` gives them. */
import type { Tensor } from '../graph/index.js';
import { gelu, relu, relu6, silu } from '../ops/index.js';

const tanhGelu = (x: Tensor) => gelu(x, { approximate: 'tanh' });

const ACTIVATIONS = {
  gelu: (x: Tensor) => gelu(x),
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  relu,
  relu6,
  silu,
  swish: silu,
};

/** Name of an activation. */
export type HiddenAct = keyof typeof ACTIVATIONS;

/** Every name that `hidden_act` may hold. */
export const HIDDEN_ACTS = Object.keys(ACTIVATIONS) as readonly HiddenAct[];

/** The function of that name. */
export function hiddenAct(name: HiddenAct): (x: Tensor) => Tensor {
  return ACTIVATIONS[name];
}
