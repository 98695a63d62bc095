/** Modules made of others, and modules without parameters. */
import { ConfigError } from '../errors.js';
import { type Tensor, withScope } from '../graph/index.js';
import { dropout } from '../ops/index.js';
import { type Context, Module } from './module.js';

/** Modules one after the other; parameters are found under `0.`, `1.`, ... */
export class Sequential extends Module {
  private readonly layers: readonly Module[];

  constructor(...layers: Module[]) {
    super();
    this.layers = layers;
  }

  override children(): Map<string, Module> {
    return new Map(this.layers.map((layer, i) => [String(i), layer]));
  }

  override forward(x: Tensor, context: Context): Tensor {
    return this.layers.reduce(
      (y, layer, i) => withScope(String(i), () => layer.forward(y, context)),
      x,
    );
  }
}

/** A function of tensors as a module, to stand among layers. */
export class Lambda extends Module {
  private readonly fn: (x: Tensor) => Tensor;

  constructor(fn: (x: Tensor) => Tensor) {
    super();
    this.fn = fn;
  }

  override forward(x: Tensor, _context?: Context): Tensor {
    return this.fn(x);
  }
}

/**
 * Zeroes elements with probability `rate` while training and scales the others by 1 / (1 - rate);
 * does nothing otherwise.
 */
export class Dropout extends Module {
  readonly rate: number;

  /** @param rate chance to drop, from 0 to 1 */
  constructor(rate = 0.5) {
    super();
    // Checked here too: where dropout is off, a wrong rate would never be seen.
    if (!(rate >= 0 && rate <= 1)) {
      throw new ConfigError(`Dropout: the rate must lie between 0 and 1, got ${rate}.`, { rate });
    }
    this.rate = rate;
  }

  override forward(x: Tensor, context: Context): Tensor {
    return context.training && this.rate > 0 ? dropout(x, this.rate, context.randomKey()) : x;
  }
}
