/** Normalisation layers. Names and shapes of parameters are PyTorch's. */
import { ConfigError } from '../errors.js';
import { type Tensor, withScope } from '../graph/index.js';
import { add, batchNorm, groupNorm, layerNorm, mul, rmsNorm } from '../ops/index.js';
import { onesInit, zerosInit } from './init.js';
import { type Context, Module, Parameter } from './module.js';

/** Normalises over the last `shape.length` axes. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly epsilon: number;

  /** @param shape lengths of the axes that are normalised together */
  constructor(shape: number | readonly number[], { epsilon = 1e-5 }: { epsilon?: number } = {}) {
    super();
    const axes = typeof shape === 'number' ? [shape] : shape;
    this.weight = new Parameter(axes, onesInit());
    this.bias = new Parameter(axes, zerosInit());
    this.epsilon = epsilon;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    return withScope('layer-norm', () =>
      layerNorm(x, {
        scale: this.weight.tensor,
        bias: this.bias.tensor,
        epsilon: this.epsilon,
        axes: this.weight.tensor.rank,
      }),
    );
  }
}

/** Divides by the root mean square over the last axis. */
export class RmsNorm extends Module {
  readonly weight: Parameter;
  private readonly epsilon: number;

  constructor(size: number, { epsilon = 1e-6 }: { epsilon?: number } = {}) {
    super();
    this.weight = new Parameter([size], onesInit());
    this.epsilon = epsilon;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    return withScope('rms-norm', () =>
      rmsNorm(x, { scale: this.weight.tensor, epsilon: this.epsilon }),
    );
  }
}

/** Normalises channels in groups: x [batch, channels, ...]. */
export class GroupNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  private readonly groups: number;
  private readonly epsilon: number;

  constructor(groups: number, channels: number, { epsilon = 1e-5 }: { epsilon?: number } = {}) {
    super();
    if (!(groups >= 1) || channels % groups !== 0) {
      throw new ConfigError(
        `GroupNorm: ${channels} channels do not fall into ${groups} groups of equal size.`,
        { groups, channels },
      );
    }
    this.weight = new Parameter([channels], onesInit());
    this.bias = new Parameter([channels], zerosInit());
    this.groups = groups;
    this.epsilon = epsilon;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    return withScope('group-norm', () =>
      groupNorm(x, this.groups, {
        scale: this.weight.tensor,
        bias: this.bias.tensor,
        epsilon: this.epsilon,
      }),
    );
  }
}

/**
 * Batch normalisation over [batch, channels, ...] with its three switches apart: whether the
 * affine part is trained (`weight.trainable`, `bias.trainable`), whether running statistics are
 * updated, and whether batch or running statistics normalise.
 */
export class BatchNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Parameter;
  readonly running_var: Parameter;
  /** Normalise by the statistics of the batch while training. When false, never. */
  normalizeByBatch = true;
  private readonly epsilon: number;
  private readonly momentum: number;

  /** @param options.momentum weight of the newest batch in the running statistics. Defaults to 0.1. */
  constructor(
    channels: number,
    { epsilon = 1e-5, momentum = 0.1 }: { epsilon?: number; momentum?: number } = {},
  ) {
    super();
    this.weight = new Parameter([channels], onesInit());
    this.bias = new Parameter([channels], zerosInit());
    this.running_mean = new Parameter([channels], zerosInit(), { kind: 'buffer' });
    this.running_var = new Parameter([channels], onesInit(), { kind: 'buffer' });
    this.epsilon = epsilon;
    this.momentum = momentum;
  }

  /** Move the running statistics towards the batch's while training. Defaults to true. */
  get updateStatistics(): boolean {
    return this.running_mean.updated;
  }

  set updateStatistics(updated: boolean) {
    // Kept with the buffers, so that those which stay become initializers and fold into the weights.
    this.running_mean.updated = updated;
    this.running_var.updated = updated;
  }

  /** Freezes everything: a constant affine map whose statistics never move. */
  freeze(): void {
    this.weight.trainable = false;
    this.bias.trainable = false;
    this.normalizeByBatch = false;
    this.updateStatistics = false;
  }

  override forward(x: Tensor, context: Context): Tensor {
    const { running_mean: mean, running_var: variance, momentum } = this;
    return withScope('batch-norm', () => {
      const byBatch = context.training && this.normalizeByBatch;
      const result = batchNorm(
        x,
        {
          scale: this.weight.tensor,
          bias: this.bias.tensor,
          mean: mean.tensor,
          variance: variance.tensor,
        },
        { normalizeBy: byBatch ? 'batch' : 'running', epsilon: this.epsilon },
      );
      if (context.training && this.updateStatistics) {
        const move = (p: Parameter, batch: Tensor) =>
          context.updates.set(p.tensor, add(mul(p.tensor, 1 - momentum), mul(batch, momentum)));
        move(mean, result.batchMean);
        move(variance, result.batchVariance);
      }
      return result.y;
    });
  }
}
