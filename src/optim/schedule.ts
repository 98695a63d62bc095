/**
 * Learning-rate schedules: pure functions from the step (counted from 1) to the learning rate,
 * evaluated on the host in double precision.
 */
import { ConfigError } from '../errors.js';

/** Learning rate at a step; `step` counts from 1. */
export type Schedule = (step: number) => number;

/** A learning rate that never changes, or one that follows a schedule. */
export type LearningRate = number | Schedule;

/**
 * Learning rate at a step, for either form.
 * @throws ConfigError when it is not a finite number >= 0
 */
export function rateAt(lr: LearningRate, step: number): number {
  const rate = typeof lr === 'number' ? lr : lr(step);
  if (!(rate >= 0) || !Number.isFinite(rate)) {
    throw new ConfigError(
      `The learning rate at step ${step} is ${rate}; it must be a finite number >= 0.`,
      { step, rate },
    );
  }
  return rate;
}

/**
 * Checks what all optimizers share. A schedule is checked step by step, by {@link rateAt}.
 * @throws ConfigError
 */
export function checkRateAndDecay(name: string, lr: LearningRate, weightDecay: number): void {
  if (typeof lr === 'number' && !(lr >= 0 && Number.isFinite(lr))) {
    throw new ConfigError(`${name}: lr must be a finite number >= 0, got ${lr}.`);
  }
  if (!(weightDecay >= 0) || !Number.isFinite(weightDecay)) {
    throw new ConfigError(`${name}: weightDecay must be a finite number >= 0, got ${weightDecay}.`);
  }
}

function requireSteps(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values)) {
    if (!(value >= 0) || !Number.isFinite(value)) {
      throw new ConfigError(`${name}: ${key} must be a number of steps >= 0, got ${value}.`);
    }
  }
}

/** The same rate at every step. */
export function constantRate(lr: number): Schedule {
  return () => lr;
}

/** Options of schedules that rise over `warmup` steps and end at `total`. */
export interface WarmupOptions {
  readonly lr: number;
  /** Steps of linear rise from 0. Defaults to 0. */
  readonly warmup?: number;
  /** Steps of the whole run. */
  readonly total: number;
}

/**
 * Rises linearly from 0 over `warmup` steps, then falls linearly to 0 at `total`.
 * @see transformers `get_linear_schedule_with_warmup`, whose step 0 is our step 1
 */
export function linearRate({ lr, warmup = 0, total }: WarmupOptions): Schedule {
  requireSteps('linearRate', { warmup, total });
  return (step) => {
    const t = step - 1;
    if (t < warmup) return (lr * t) / Math.max(1, warmup);
    return lr * Math.max(0, (total - t) / Math.max(1, total - warmup));
  };
}

/**
 * Rises linearly over `warmup` steps, then follows half a cosine from `lr` to `end` at `total`.
 * @see Loshchilov and Hutter, "SGDR", 2017
 */
export function cosineRate({
  lr,
  warmup = 0,
  total,
  end = 0,
}: WarmupOptions & { readonly end?: number }): Schedule {
  requireSteps('cosineRate', { warmup, total });
  return (step) => {
    const t = step - 1;
    if (t < warmup) return (lr * t) / Math.max(1, warmup);
    const progress = Math.min(1, (t - warmup) / Math.max(1, total - warmup));
    return end + ((lr - end) * (1 + Math.cos(Math.PI * progress))) / 2;
  };
}

/**
 * One cycle with cosine annealing: from lr / `startDivisor` up to `lr` over the share `rise` of the
 * run, then down to lr / (`startDivisor` `endDivisor`).
 * @see Smith and Topin, "Super-Convergence", 2018; PyTorch `OneCycleLR`
 */
export function oneCycleRate({
  lr,
  total,
  rise = 0.3,
  startDivisor = 25,
  endDivisor = 1e4,
}: {
  readonly lr: number;
  readonly total: number;
  readonly rise?: number;
  readonly startDivisor?: number;
  readonly endDivisor?: number;
}): Schedule {
  requireSteps('oneCycleRate', { total });
  if (!(rise > 0 && rise < 1)) {
    throw new ConfigError(`oneCycleRate: rise must lie between 0 and 1, got ${rise}.`);
  }
  const start = lr / startDivisor;
  const end = start / endDivisor;
  const top = rise * total - 1;
  const anneal = (from: number, to: number, share: number) =>
    to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
  return (step) => {
    const t = Math.min(step - 1, total - 1);
    // Below, not up to: a rise that ends on the first step has no length to divide by.
    return t < top
      ? anneal(start, lr, t / top)
      : anneal(lr, end, (t - top) / Math.max(1e-12, total - 1 - top));
  };
}

/** Multiplies the rate by `factor` after every `every` steps. */
export function stepRate({
  lr,
  every,
  factor = 0.1,
}: {
  readonly lr: number;
  readonly every: number;
  readonly factor?: number;
}): Schedule {
  if (!(every >= 1)) throw new ConfigError(`stepRate: every must be at least 1, got ${every}.`);
  return (step) => lr * factor ** Math.floor((step - 1) / every);
}

/**
 * Linear warm-up from lr `startScale`, a hold, and an exponential decay to lr `endScale`; used to
 * fine-tune wav2vec 2.0.
 * @param phases shares of the run; they must add up to 1. Defaults to 0.1, 0.4, 0.5.
 * @see fairseq `tri_stage`
 */
export function triStageRate({
  lr,
  total,
  phases = [0.1, 0.4, 0.5],
  startScale = 0.01,
  endScale = 0.05,
}: {
  readonly lr: number;
  readonly total: number;
  readonly phases?: readonly [number, number, number];
  readonly startScale?: number;
  readonly endScale?: number;
}): Schedule {
  requireSteps('triStageRate', { total });
  if (Math.abs(phases[0] + phases[1] + phases[2] - 1) > 1e-9) {
    throw new ConfigError(`triStageRate: the phases ${phases.join(', ')} must add up to 1.`);
  }
  const [warm, hold, decay] = phases.map((share) => Math.floor(share * total)) as [
    number,
    number,
    number,
  ];
  return (step) => {
    const t = step - 1;
    if (t < warm) return lr * (startScale + ((1 - startScale) * t) / warm);
    if (t < warm + hold) return lr;
    if (t <= warm + hold + decay) {
      return lr * Math.exp((Math.log(endScale) * (t - warm - hold)) / Math.max(1, decay));
    }
    return lr * endScale;
  };
}

/** State of a {@link PlateauRate}, to be saved with a checkpoint. */
export interface PlateauState {
  readonly scale: number;
  readonly best: number | null;
  readonly bad: number;
  readonly rest: number;
}

/**
 * Reduces the rate when a metric has stopped improving. Unlike the others it depends on what is
 * observed, so it has a state of its own.
 * @see PyTorch `ReduceLROnPlateau` (mode `rel` of the threshold)
 */
export class PlateauRate {
  private readonly options: Required<PlateauOptions>;
  private current: PlateauState = { scale: 1, best: null, bad: 0, rest: 0 };

  constructor(options: PlateauOptions) {
    const { factor = 0.1, patience = 10, threshold = 1e-4, cooldown = 0, min = 0 } = options;
    if (!(factor > 0 && factor < 1)) {
      throw new ConfigError(`PlateauRate: factor must lie between 0 and 1, got ${factor}.`);
    }
    const { lr, mode = 'min' } = options;
    this.options = { lr, mode, factor, patience, threshold, cooldown, min };
  }

  /** The schedule to hand to an optimizer. */
  readonly rate: Schedule = () => Math.max(this.options.min, this.options.lr * this.current.scale);

  /** What has been seen so far. */
  get state(): PlateauState {
    return this.current;
  }

  set state(state: PlateauState) {
    this.current = { ...state };
  }

  /** Tells the schedule the metric of an epoch. */
  observe(value: number): void {
    const { mode, factor, patience, threshold, cooldown } = this.options;
    let { scale, best, bad, rest } = this.current;
    const better =
      best === null
        ? !Number.isNaN(value) // as a best it would never be beaten
        : mode === 'min'
          ? value < best * (1 - threshold)
          : value > best * (1 + threshold);
    if (better) {
      best = value;
      bad = 0;
    } else {
      bad++;
    }
    if (rest > 0) {
      rest--;
      bad = 0;
    }
    if (bad > patience) {
      scale *= factor;
      rest = cooldown;
      bad = 0;
    }
    this.current = { scale, best, bad, rest };
  }
}

/** Options of {@link PlateauRate}. */
export interface PlateauOptions {
  readonly lr: number;
  /** Whether the metric should fall or rise. Defaults to `min`. */
  readonly mode?: 'min' | 'max';
  /** The rate is multiplied by this. Defaults to 0.1. */
  readonly factor?: number;
  /** Observations without improvement that are tolerated. Defaults to 10. */
  readonly patience?: number;
  /** Relative change that counts as improvement. Defaults to 1e-4. */
  readonly threshold?: number;
  /** Observations to wait after a reduction. Defaults to 0. */
  readonly cooldown?: number;
  /** The rate never falls below this. Defaults to 0. */
  readonly min?: number;
}
