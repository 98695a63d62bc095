/** Activations by the names that Hugging Face's `hidden_act` gives them. */
import type { Tensor } from '../graph/index.js';
import {
  gelu,
  hardswish,
  leakyRelu,
  mish,
  mul,
  relu,
  relu6,
  sigmoid,
  silu,
  square,
  tanh,
} from '../ops/index.js';

const erfGelu = (x: Tensor) => gelu(x);
/** Transformers has several names for it: they differ in speed there. */
const tanhGelu = (x: Tensor) => gelu(x, { approximate: 'tanh' });

const ACTIVATIONS = {
  gelu: erfGelu,
  gelu_python: erfGelu,
  gelu_accurate: tanhGelu,
  gelu_fast: tanhGelu,
  gelu_new: tanhGelu,
  gelu_python_tanh: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  hardswish,
  leaky_relu: (x: Tensor) => leakyRelu(x),
  linear: (x: Tensor) => x,
  mish,
  // Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.
  quick_gelu: (x: Tensor) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
  relu2: (x: Tensor) => square(relu(x)),
  relu6,
  sigmoid,
  silu,
  swish: silu,
  tanh,
};

/** Name of an activation. */
export type HiddenAct = keyof typeof ACTIVATIONS;

/** Every name that `hidden_act` may hold. */
export const HIDDEN_ACTS = Object.keys(ACTIVATIONS) as readonly HiddenAct[];

/** The function of that name. */
export function hiddenAct(name: HiddenAct): (x: Tensor) => Tensor {
  return ACTIVATIONS[name];
}
