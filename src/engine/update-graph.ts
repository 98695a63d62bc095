/** The graph of an optimizer's update of all parameters, with clipping. */
import { type HostTensor, hostTensor, input, scalar, type Tensor } from '../graph/index.js';
import { add, clip, div, minimum, mul, sqrt, sumSquare } from '../ops/index.js';
import type { Optimizer } from './optimizer.js';

/** Limits on the gradient of a whole window of batches. */
export interface GradientLimits {
  /** Of the 2-norm over all parameters. */
  readonly norm?: number;
  /** Of the absolute value of each element. */
  readonly value?: number;
}

/** A parameter and what its update reads. */
export interface Updated {
  readonly parameter: Tensor;
  /** Placeholder of the gradient, summed over the window. */
  readonly gradient: Tensor;
  readonly optimizer: Optimizer;
  /** Placeholder of a state tensor by its name in `Optimizer.state`. */
  readonly stateOf: (key: string) => Tensor;
}

/** What is compiled. */
export interface UpdateGraph {
  /** `norm`, the gradient's 2-norm before it is clipped, where that is limited. */
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** New values of parameters and state. */
  readonly updates: ReadonlyMap<Tensor, Tensor>;
  /**
   * What is fed at a step.
   * @param step counts from 1
   * @param scale factor of the summed gradient: 1 / weight of the window
   */
  readonly scalars: (step: number, scale: number) => Record<string, HostTensor>;
}

/** Gradients with their elements limited, the factor that is left to apply, and the norm. */
function limited(gradients: readonly Tensor[], scale: Tensor, limits: GradientLimits) {
  const { norm: most, value } = limits;
  const clipped =
    value === undefined
      ? gradients
      : gradients.map((g) => clip(mul(g, scale), { min: -value, max: value }));
  const factor = value === undefined ? scale : scalar(1);
  if (most === undefined) return { clipped, factor, norm: null };
  const squares = clipped.map((g) => sumSquare(g));
  const norm = mul(sqrt(squares.reduce((a, b) => add(a, b))), factor);
  // The constant of PyTorch's clip_grad_norm_.
  return { clipped, factor: mul(factor, minimum(div(most, add(norm, 1e-6)), 1)), norm };
}

/** Builds the graph; equal optimizers share the scalars that they are fed. */
export function updateGraph(all: readonly Updated[], limits: GradientLimits): UpdateGraph {
  const scale = input('@scale', 'float32', []);
  const gradients = all.map((one) => one.gradient);
  const { clipped, factor, norm } = limited(gradients, scale, limits);
  const optimizers = [...new Set(all.map((one) => one.optimizer))];
  const nameOf = (index: number, key: string) => `@scalar:${index}:${key}`;
  const scalars = optimizers.map((optimizer, i) =>
    Object.fromEntries(
      Object.keys(optimizer.scalars(1)).map((k) => [k, input(nameOf(i, k), 'float32', [])]),
    ),
  );
  const updates = new Map<Tensor, Tensor>();
  for (const [i, { parameter, optimizer, stateOf }] of all.entries()) {
    const state = Object.fromEntries(
      Object.keys(optimizer.state(parameter)).map((k) => [k, stateOf(k)] as const),
    );
    const result = optimizer.update({
      parameter,
      gradient: clipped[i]!,
      gradientScale: factor,
      state,
      scalars: scalars[optimizers.indexOf(optimizer)]!,
    });
    updates.set(parameter, result.parameter);
    for (const [k, t] of Object.entries(result.state)) updates.set(state[k]!, t);
  }
  return {
    outputs: norm ? { norm } : {},
    updates,
    scalars: (step, factorOfSum) => {
      const feeds: Record<string, HostTensor> = {
        '@scale': hostTensor('float32', [], [factorOfSum]),
      };
      for (const [i, optimizer] of optimizers.entries()) {
        for (const [k, v] of Object.entries(optimizer.scalars(step))) {
          feeds[nameOf(i, k)] = hostTensor('float32', [], [v]);
        }
      }
      return feeds;
    },
  };
}
