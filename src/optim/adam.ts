/** Adam and its descendants AdamW and LAMB. */
import type { Optimizer, UpdateContext } from '../engine/index.js';
import { ConfigError } from '../errors.js';
import { scalar, type Tensor, type TensorType } from '../graph/index.js';
import { add, div, equal, logicalOr, mul, sqrt, sub, sumSquare, where } from '../ops/index.js';
import { checkRateAndDecay, type LearningRate, rateAt } from './schedule.js';

/** Options of {@link adam}, {@link adamW} and {@link lamb}. */
export interface AdamOptions {
  readonly lr: LearningRate;
  /** Decay rates of the first and the second moment. Defaults to [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. Defaults to 1e-8 (1e-6 for LAMB). */
  readonly epsilon?: number;
  /** Defaults to 0.01 for AdamW and LAMB, 0 for Adam. */
  readonly weightDecay?: number;
}

function check(name: string, { lr, betas, epsilon, weightDecay }: Required<AdamOptions>): void {
  checkRateAndDecay(name, lr, weightDecay);
  const [beta1, beta2] = betas;
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
    throw new ConfigError(`${name}: betas must lie in [0, 1), got ${beta1} and ${beta2}.`);
  }
  if (!(epsilon > 0)) throw new ConfigError(`${name}: epsilon must be > 0, got ${epsilon}.`);
}

const moments = ({ dtype, shape }: TensorType) => ({
  first: { dtype, shape },
  second: { dtype, shape },
});

/**
 * Moments of the scaled gradient s g, kept without their constant factors, which saves a pass over memory:
 * M = m / (1 - beta1) becomes beta1 M + s g, and V = v / (1 - beta2) becomes beta2 V + (s g)^2.
 */
function nextMoments(
  { gradient, gradientScale, state }: UpdateContext,
  [beta1, beta2]: readonly [number, number],
): { first: Tensor; second: Tensor } {
  const g = mul(gradient, gradientScale);
  return {
    first: add(mul(state.first!, beta1), g),
    second: add(mul(state.second!, beta2), mul(g, g)),
  };
}

// With bias corrections c1 and c2, lr (m / c1) / (sqrt(v / c2) + eps) is rate M / (sqrt(V) + epsilon), where
// m = (1 - beta1) M, v = (1 - beta2) V, root = sqrt(c2 / (1 - beta2)), rate = lr root (1 - beta1) / c1 and
// epsilon = eps root.
function adamScalars(
  step: number,
  lr: number,
  [beta1, beta2]: readonly [number, number],
  epsilon: number,
) {
  const c1 = beta1 === 0 ? 1 : -Math.expm1(step * Math.log(beta1));
  const c2 = beta2 === 0 ? 1 : -Math.expm1(step * Math.log(beta2));
  const root = Math.sqrt(c2 / (1 - beta2));
  return { rate: (lr * root * (1 - beta1)) / c1, epsilon: epsilon * root };
}

/**
 * AdamW: Adam with decoupled weight decay, p = (1 - lr weightDecay) p - lr m / (sqrt(v) + epsilon)
 * with bias-corrected moments.
 * @see Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019; `torch.optim.AdamW`
 */
export function adamW({
  lr,
  betas = [0.9, 0.999],
  epsilon = 1e-8,
  weightDecay = 0.01,
}: AdamOptions): Optimizer {
  check('adamW', { lr, betas, epsilon, weightDecay });
  return {
    name: 'adamW',
    state: moments,
    scalars: (step) => {
      const rate = rateAt(lr, step);
      const scalars = adamScalars(step, rate, betas, epsilon);
      return weightDecay === 0 ? scalars : { ...scalars, keep: 1 - rate * weightDecay };
    },
    update: (context) => {
      const { parameter, scalars } = context;
      const { first, second } = nextMoments(context, betas);
      const direction = div(first, add(sqrt(second), scalars.epsilon!));
      const kept = scalars.keep ? mul(parameter, scalars.keep) : parameter;
      return {
        parameter: sub(kept, mul(direction, scalars.rate!)),
        state: { first, second },
      };
    },
  };
}

/**
 * Adam; `weightDecay` is an L2 penalty added to the gradient.
 * @see Kingma and Ba, "Adam", 2015; `torch.optim.Adam`
 */
export function adam({
  lr,
  betas = [0.9, 0.999],
  epsilon = 1e-8,
  weightDecay = 0,
}: AdamOptions): Optimizer {
  check('adam', { lr, betas, epsilon, weightDecay });
  const base = adamW({ lr, betas, epsilon, weightDecay: 0 });
  if (weightDecay === 0) return { ...base, name: 'adam' };
  return {
    ...base,
    name: 'adam',
    update: (context) => {
      const { parameter, gradient, gradientScale } = context;
      // The penalty is not scaled with the gradient, so the scale is applied before it is added.
      const penalised = add(mul(gradient, gradientScale), mul(parameter, weightDecay));
      const one = scalar(1, gradientScale.dtype);
      return base.update({ ...context, gradient: penalised, gradientScale: one });
    },
  };
}

const norm = (x: Tensor) => sqrt(sumSquare(x));

/**
 * LAMB: Adam's direction plus decay, scaled for each tensor by |p| / |update| (1 where either is
 * zero), so that large batches keep the learning rate of small ones.
 * @see You et al., "Large Batch Optimization for Deep Learning", 2020
 */
export function lamb({
  lr,
  betas = [0.9, 0.999],
  epsilon = 1e-6,
  weightDecay = 0.01,
}: AdamOptions): Optimizer {
  check('lamb', { lr, betas, epsilon, weightDecay });
  return {
    name: 'lamb',
    state: moments,
    scalars: (step) => ({
      ...adamScalars(step, 1, betas, epsilon),
      lr: rateAt(lr, step),
    }),
    update: (context) => {
      const { parameter, scalars } = context;
      const { first, second } = nextMoments(context, betas);
      let direction = mul(div(first, add(sqrt(second), scalars.epsilon!)), scalars.rate!);
      if (weightDecay > 0) direction = add(direction, mul(parameter, weightDecay));
      const size = norm(parameter);
      const length = norm(direction);
      const undefinedRatio = logicalOr(equal(size, 0), equal(length, 0));
      const trust = where(undefinedRatio, 1, div(size, length));
      return {
        parameter: sub(parameter, mul(direction, mul(trust, scalars.lr!))),
        state: { first, second },
      };
    },
  };
}
