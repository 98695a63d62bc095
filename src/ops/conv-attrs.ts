/** What the convolutions and their ONNX forms share: attributes, and the names of the forms. */
import type { Shape } from '../graph/index.js';
import type { WindowAttrs } from './window.js';

/** `plain`: Conv. `blocked`: see `conv-blocked.ts`. `winograd`: see `conv-winograd.ts`. */
export type ConvForm = 'plain' | 'blocked' | 'winograd';

/**
 * `plain`: ConvTranspose. `flipped`: Conv of the gradient with the kernel turned around (stride 1).
 * `blocked`, `winograd`: the same, see `conv-blocked.ts` and `conv-winograd.ts`.
 */
export type InputGradForm = 'plain' | 'flipped' | 'blocked' | 'winograd';

/**
 * `plain`: Conv with samples and channels swapped, the gradient being its kernel.
 * `columns`, `columns-folded`: a matrix product with the shifted inputs, one a sample and a sum,
 * or one over all samples. `separable`: columns of x are shifted by the kernel's columns and rows
 * of g by its rows, so that k + k copies do where `columns` makes k k (stride 1, no groups).
 * `columns-each`, `separable-each`: the same one sample after another, adding up, so that the
 * copies of one sample are still in the processor's cache when they are multiplied.
 * `blocked`: depthwise only, see `conv-blocked.ts`. `winograd`: 3x3 only, see `conv-winograd.ts`.
 */
export type WeightGradForm =
  | 'plain'
  | 'columns'
  | 'columns-folded'
  | 'columns-each'
  | 'separable'
  | 'separable-each'
  | 'blocked'
  | 'winograd';

/** How a convolution moves, in the terms of ONNX. */
export interface ConvAttrs extends WindowAttrs {
  /** Channels are cut into this many groups that do not see each other. */
  readonly groups: number;
}

/** Attributes of `conv`. A form is chosen by shape unless one is forced, here and below. */
export type ConvOpAttrs = ConvAttrs & { readonly form?: ConvForm };

/** Attributes of `convInputGrad`: `size` is the spatial size of the input. */
export type InputGradAttrs = ConvAttrs & { readonly size: Shape; readonly form?: InputGradForm };

/** Attributes of `convWeightGrad`. */
export type WeightGradAttrs = ConvAttrs & {
  readonly kernel: Shape;
  readonly form?: WeightGradForm;
};
